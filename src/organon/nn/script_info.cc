#include "organon/nn/script_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/options.h"

namespace organon::nn {
namespace {

constexpr std::int64_t kLargestEdge = 4096;
constexpr std::size_t kMostClasses = 1000;

// Reads the fields of one file; whatever it refuses names the file.
class Fields {
 public:
  Fields(const Json& json, const std::string& where) : json_(json), where_(where) {
    if (!json.is_object()) refuse("expected an object");
    const std::vector<std::string> known = {"classes",      "voxel_size_nm", "input_shape",
                                            "output_shape", "output_scale",  "value_range",
                                            "output",       "channels",      "slice_wise"};
    for (const auto& item : json.items()) {
      if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
      const std::string nearest = nearest_word(item.key(), known);
      refuse(fmt::format("unknown key '{}'{}", item.key(),
                         nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
    }
  }

  [[noreturn]] void refuse(const std::string& message) const {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where_, message));
  }

  const Json* find(const char* name) const {
    const auto place = json_.find(name);
    return place == json_.end() ? nullptr : &*place;
  }
  const Json& at(const char* name) const {
    const Json* found = find(name);
    if (found == nullptr) refuse(fmt::format("{} is missing", name));
    return *found;
  }

  std::vector<double> numbers(const char* name) const {
    const Json& list = at(name);
    std::vector<double> values;
    for (const Json& value : list.is_array() ? list : Json::array({list})) {
      if (!value.is_number() || !std::isfinite(value.get<double>()))
        refuse(fmt::format("{}: expected numbers", name));
      values.push_back(value.get<double>());
    }
    return values;
  }

  std::int64_t whole(const Json& value, const char* name, std::int64_t least, std::int64_t most) const {
    if (!value.is_number_integer() || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most)
      refuse(fmt::format("{}: expected whole numbers from {} to {}", name, least, most));
    return value.get<std::int64_t>();
  }

  Shape3 shape(const char* name) const {
    const Json& list = at(name);
    if (!list.is_array() || list.size() != 3) refuse(fmt::format("{}: expected z, y, x", name));
    return {whole(list[0], name, 1, kLargestEdge), whole(list[1], name, 1, kLargestEdge),
            whole(list[2], name, 1, kLargestEdge)};
  }

 private:
  const Json& json_;
  const std::string& where_;
};

void read_output(const Fields& fields, ScriptInfo& info) {
  const Json* output = fields.find("output");
  if (output == nullptr || *output == "distance") return;
  if (*output == "probability") {
    info.output = ScriptInfo::Output::kProbability;
  } else if (*output == "logit") {
    info.output = ScriptInfo::Output::kLogit;
  } else {
    fields.refuse("output: expected distance, probability or logit");
  }
}

void check_shapes(const Fields& fields, const ScriptInfo& info) {
  const auto fits = [&](std::int64_t input, std::int64_t output) {
    const std::int64_t rest = input * info.output_scale - output;
    return rest >= 0 && rest % (2 * info.output_scale) == 0;
  };
  if (!fits(info.input_shape.z, info.output_shape.z) || !fits(info.input_shape.y, info.output_shape.y) ||
      !fits(info.input_shape.x, info.output_shape.x)) {
    fields.refuse(fmt::format("output_shape {} does not lie in the middle of input_shape {} by whole voxels",
                              to_string(info.output_shape), to_string(info.input_shape)));
  }
  if (info.is_slice_wise && (info.input_shape.z != 1 || info.output_shape.z != 1 || info.output_scale != 1))
    fields.refuse("slice_wise: expected shapes of one slice, and output_scale 1");
}

}  // namespace

Shape3 ScriptInfo::margin() const {
  const auto axis = [&](std::int64_t taken, std::int64_t given) {
    return (taken * output_scale - given) / (2 * output_scale);
  };
  return {axis(input_shape.z, output_shape.z), axis(input_shape.y, output_shape.y),
          axis(input_shape.x, output_shape.x)};
}

ScriptInfo parse_script_info(std::string_view json, const std::string& where) {
  const Json object = parse_json(json, where);
  const Fields fields(object, where);
  ScriptInfo info;
  const Json& classes = fields.at("classes");
  if (!classes.is_array() || classes.empty() || classes.size() > kMostClasses)
    fields.refuse("classes: expected names");
  for (const Json& name : classes) {
    const bool is_name = name.is_string() && !name.get_ref<const std::string&>().empty() &&
                         name.get_ref<const std::string&>().find_first_of("/\\,") == std::string::npos;
    if (!is_name) fields.refuse("classes: expected names without '/' and ','");
    info.classes.push_back(name);
  }
  const std::vector<double> size = fields.numbers("voxel_size_nm");
  if ((size.size() != 1 && size.size() != 3) || *std::min_element(size.begin(), size.end()) <= 0)
    fields.refuse("voxel_size_nm: expected one number above 0, or z, y, x");
  info.voxel_size_nm = {size.front(), size[size.size() / 2], size.back()};
  info.input_shape = fields.shape("input_shape");
  info.output_shape = fields.shape("output_shape");
  if (const Json* scale = fields.find("output_scale"))
    info.output_scale = fields.whole(*scale, "output_scale", 1, 8);
  if (fields.find("value_range") != nullptr) {
    const std::vector<double> range = fields.numbers("value_range");
    if (range.size() != 2 || !(range[0] < range[1])) fields.refuse("value_range: expected low, high");
    info.low = range[0];
    info.high = range[1];
  }
  read_output(fields, info);
  if (const Json* channels = fields.find("channels")) {
    if (!channels->is_array() || channels->size() != info.classes.size())
      fields.refuse(fmt::format("channels: expected {}, one per class", info.classes.size()));
    for (const Json& channel : *channels)
      info.channels.push_back(fields.whole(channel, "channels", 0, 100'000));
  } else {
    for (std::size_t c = 0; c < info.classes.size(); ++c)
      info.channels.push_back(static_cast<std::int64_t>(c));
  }
  if (const Json* slice_wise = fields.find("slice_wise")) {
    if (!slice_wise->is_boolean()) fields.refuse("slice_wise: expected true or false");
    info.is_slice_wise = *slice_wise;
  }
  check_shapes(fields, info);
  return info;
}

std::string to_json(const ScriptInfo& info) {
  const auto shape = [](const Shape3& of) { return Json::array({of.z, of.y, of.x}); };
  const SizeNm& size = info.voxel_size_nm;
  Json json;
  json["classes"] = info.classes;
  json["voxel_size_nm"] = {size.z, size.y, size.x};
  json["input_shape"] = shape(info.input_shape);
  json["output_shape"] = shape(info.output_shape);
  json["output_scale"] = info.output_scale;
  json["value_range"] = {info.low, info.high};
  json["output"] = info.output == ScriptInfo::Output::kProbability ? "probability"
                   : info.output == ScriptInfo::Output::kLogit     ? "logit"
                                                                   : "distance";
  json["channels"] = info.channels;
  json["slice_wise"] = info.is_slice_wise;
  return to_text(json);
}

bool is_script(const std::filesystem::path& path) {
  return path.extension() == ".pt" || path.extension() == ".pth";
}

std::filesystem::path script_info_path(const std::filesystem::path& path) {
  return std::filesystem::path(path).replace_extension(".json");
}

ScriptInfo read_script_info(const std::filesystem::path& path) {
  const std::filesystem::path beside = script_info_path(path);
  if (!std::filesystem::exists(beside)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: a module needs {} beside it, which says what it takes and gives",
                            path.string(), beside.filename().string()));
  }
  return parse_script_info(read_text(beside), beside.string());
}

}  // namespace organon::nn
