#include "organon/nn/network_file.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/nn/network_cost.h"

namespace organon::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "values are stored little-endian");

constexpr std::string_view kMagic = "organon network 1\n";
constexpr std::size_t kHashDigits = 32;
// Limits of what is believed.
constexpr std::size_t kMaxHeaderDigits = 8;
constexpr std::size_t kMaxClasses = 1000;
constexpr std::int64_t kMaxParameters = 4'000'000'000;

[[noreturn]] void refuse(const std::string& where, const std::string& reason) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, reason));
}

const Json& field(const Json& json, const char* name, const std::string& where) {
  if (!json.is_object() || !json.contains(name)) refuse(where, fmt::format("its header has no {}", name));
  return json.at(name);
}

std::string text_field(const Json& json, const char* name, const std::string& where) {
  const Json& value = field(json, name, where);
  if (!value.is_string()) refuse(where, fmt::format("{} is no text", name));
  return value;
}

std::int64_t count_field(const Json& json, const char* name, const std::string& where) {
  const Json& value = field(json, name, where);
  // Counts fit a signed integer, whatever the writer's type was.
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0) {
    refuse(where, fmt::format("{} is no whole number from 0", name));
  }
  return value;
}

struct Parts {
  Json header;
  std::string_view values;
};

Parts split(std::string_view text, const std::string& where) {
  if (!text.starts_with(kMagic)) refuse(where, "not a network of organon");
  text.remove_prefix(kMagic.size());
  if (text.size() < kHashDigits + 1 || text[kHashDigits] != '\n') refuse(where, "truncated");
  const std::string_view body = text.substr(kHashDigits + 1);
  if (to_hex(hash_bytes(std::as_bytes(std::span(body)))) != text.substr(0, kHashDigits)) {
    refuse(where, "truncated or damaged (its hash differs)");
  }
  const std::size_t newline = body.substr(0, kMaxHeaderDigits + 1).find('\n');
  if (newline == std::string_view::npos || newline == 0 ||
      body.substr(0, newline).find_first_not_of("0123456789") != std::string_view::npos) {
    refuse(where, "its header has no length");
  }
  const std::size_t header_bytes = std::stoul(std::string(body.substr(0, newline)));
  const std::string_view rest = body.substr(newline + 1);
  if (header_bytes > rest.size()) refuse(where, "its header is longer than the file");
  return {parse_json(rest.substr(0, header_bytes), where), rest.substr(header_bytes)};
}

// One number for cubic voxels, else z, y, x.
Json to_json(const SizeNm& size) {
  if (size == SizeNm::cube(size.z)) return size.z;
  return {size.z, size.y, size.x};
}

SizeNm voxel_size_of(const Json& size, const std::string& where) {
  const auto number = [&](const Json& value) {
    if (!value.is_number() || !(value.get<double>() > 0))
      refuse(where, "its voxel size is no number above 0");
    return value.get<double>();
  };
  if (!size.is_array()) return SizeNm::cube(number(size));
  if (size.size() != 3) refuse(where, "its voxel size is neither one number nor three");
  return {number(size[0]), number(size[1]), number(size[2])};
}

NetworkInfo info_of(const Json& header, const std::string& where) {
  NetworkInfo info;
  info.options.alignment = "paper";  // where the file is older than the option
  OptionTable table;
  info.options.bind(table);
  try {
    table.set_from_json(field(header, "options", where).dump());
    info.options.check();
  } catch (const Error& error) {
    refuse(where, error.message());
  }
  const Json& classes = field(header, "classes", where);
  if (!classes.is_array() || classes.empty() || classes.size() > kMaxClasses)
    refuse(where, "it has no classes");
  for (const Json& name : classes) {
    if (!name.is_string()) refuse(where, "a class is no text");
    // Predictions lie in folders of these names.
    const std::string text = name;
    if (text.empty() || text.front() == '.' || text.find_first_of("/\\,") != std::string::npos)
      refuse(where, fmt::format("'{}' is no name of a class", text));
    info.classes.push_back(text);
  }
  info.voxel_size_nm = voxel_size_of(field(header, "voxel_size_nm", where), where);
  info.seed = static_cast<std::uint64_t>(count_field(header, "seed", where));
  info.training = text_field(header, "training", where);
  if (header.contains("boundary_levels")) {  // else the file is older than they are
    const Json& levels = header.at("boundary_levels");
    if (!levels.is_array() || (!levels.empty() && levels.size() != info.classes.size()))
      refuse(where, "it has no boundary level for each class");
    for (const Json& level : levels) {
      if (!level.is_number() || !(std::abs(level.get<double>()) < 1))
        refuse(where, "a boundary level is no number between -1 and 1");
      info.boundary_levels.push_back(level);
    }
  }
  if (num_parameters(info.options, static_cast<std::int64_t>(info.classes.size())) > kMaxParameters) {
    refuse(where, "its network is larger than any that is believed");
  }
  return info;
}

NetworkFile file_of(const Json& header, const std::string& where) {
  return {info_of(header, where), count_field(header, "step", where), {}};
}

}  // namespace

std::string encode_network(const NetworkFile& file) {
  Json tensors = Json::array();
  std::size_t num_values = 0;
  for (const auto& tensor : file.tensors) {
    tensors.push_back({{"name", tensor.name}, {"values", tensor.values.size()}});
    num_values += tensor.values.size();
  }
  const std::string header =
      Json({{"options", parse_json(options_to_json(file.info.options), "network options")},
            {"classes", file.info.classes},
            {"voxel_size_nm", to_json(file.info.voxel_size_nm)},
            {"seed", file.info.seed},
            {"training", file.info.training},
            {"boundary_levels", file.info.boundary_levels},
            {"step", file.step},
            {"tensors", tensors}})
          .dump();
  std::string body = fmt::format("{}\n{}", header.size(), header);
  body.reserve(body.size() + num_values * sizeof(float));
  for (const auto& tensor : file.tensors) {
    body.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  return std::string(kMagic) + to_hex(hash_text(body)) + "\n" + body;
}

NetworkFile decode_network(std::string_view text, const std::string& where) {
  Parts parts = split(text, where);
  NetworkFile file = file_of(parts.header, where);
  const Json& tensors = field(parts.header, "tensors", where);
  if (!tensors.is_array()) refuse(where, "tensors is no list");
  for (const Json& tensor : tensors) {
    NetworkFile::Tensor read;
    read.name = text_field(tensor, "name", where);
    const auto count = static_cast<std::uint64_t>(count_field(tensor, "values", where));
    if (count > parts.values.size() / sizeof(float))
      refuse(where, fmt::format("{} is longer than the file", read.name));
    read.values.resize(count);
    if (count > 0) std::memcpy(read.values.data(), parts.values.data(), count * sizeof(float));
    parts.values.remove_prefix(count * sizeof(float));
    file.tensors.push_back(std::move(read));
  }
  if (!parts.values.empty()) refuse(where, "it has more values than its header says");
  return file;
}

NetworkFile decode_network_header(std::string_view text, const std::string& where) {
  return file_of(split(text, where).header, where);
}

}  // namespace organon::nn
