// The list of formats: the one place where they are told apart.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "organon/base/error.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset.h"
#include "organon/storage/n5/n5_dataset.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/precomputed/precomputed_dataset.h"
#include "organon/storage/precomputed/shard_boxes.h"
#include "organon/storage/stores/store_list.h"
#include "organon/storage/zarr/zarr3_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"

namespace organon::storage {
namespace {

constexpr Format kFormats[] = {Format::kN5, Format::kZarr2, Format::kZarr3, Format::kPrecomputed};

std::optional<Format> format_of_metadata(const Place& place) {
  if (const auto attributes = read_n5_attributes(place); attributes && is_n5_dataset(*attributes))
    return Format::kN5;
  if (is_zarr_dataset(place)) return Format::kZarr2;
  if (is_zarr3_dataset(place)) return Format::kZarr3;
  if (is_precomputed(place)) return Format::kPrecomputed;
  return std::nullopt;
}

// The innermost component with a known ending decides: a.zarr/b.n5/c is N5.
std::optional<Format> format_of_name(const std::filesystem::path& path) {
  std::optional<Format> found;
  for (const std::filesystem::path& component : path) {
    for (const Format format : kFormats) {
      if (component.extension() == fmt::format(".{}", to_string(format))) found = format;
    }
  }
  return found;
}

bool lies_in_zarr3(const Place& place) {
  for (std::filesystem::path folder = place.path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (is_zarr3_node(place.at(folder))) return true;
    if (folder.extension() == ".zarr") return false;
  }
  return false;
}

std::string channel_suffix(const Address& address) {
  return address.channel ? fmt::format("#{}", *address.channel) : std::string();
}

// The standard library's errors of the file system become organon's.
template <class Call>
std::shared_ptr<Dataset> with_file_errors(const std::string& address, Call call) {
  try {
    return call();
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(ErrorKind::kIo, fmt::format("{}: {}", address, error.what()));
  }
}

std::shared_ptr<Dataset> open_parsed(const std::string& address, const Address& parsed) {
  const Place place = parsed.place();
  std::optional<Format> format = parsed.format;
  if (!format) format = format_of_metadata(place);
  if (!format) {
    // Groups have attributes too, so the file alone does not make a dataset.
    if ((place / "attributes.json").exists()) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: no dataset there: its attributes.json lacks 'dimensions' or 'dataType'", address));
    }
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no dataset there (neither attributes.json of N5, "
                                                  ".zarray or zarr.json, nor precomputed info)",
                                                  address));
  }
  switch (*format) {
    case Format::kN5:
      return open_n5(address, place, parsed.channel);
    case Format::kZarr2:
      // "zarr://" before what is there already means either version.
      return is_zarr3_node(place) ? open_zarr3(address, place, parsed.channel)
                                  : open_zarr(address, place, parsed.channel);
    case Format::kZarr3:
      return open_zarr3(address, place, parsed.channel);
    case Format::kPrecomputed:
      break;
  }
  return open_precomputed(address, place, parsed.channel);
}

std::shared_ptr<Dataset> create_parsed(const std::string& address, Format format, const Place& place,
                                       const DatasetSpec& spec) {
  switch (format) {
    case Format::kN5:
      return create_n5(address, place, spec);
    case Format::kZarr2:
      return create_zarr(address, place, spec);
    case Format::kZarr3:
      return create_zarr3(address, place, spec);
    case Format::kPrecomputed:
      break;
  }
  return create_precomputed(address, place, spec);
}

}  // namespace

Place Address::place() const { return {open_store(store), path.string()}; }

const std::filesystem::path& Address::local_path() const {
  if (is_local()) return path;
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}/{}: this must lie on this machine", store, path.string()));
}

std::string absolute_place(const std::string& address) {
  const Address parsed = parse_address(address);
  if (parsed.is_local()) return std::filesystem::absolute(parsed.path).lexically_normal().string();
  return parsed.store + "/" + parsed.path.lexically_normal().string();
}

Address parse_address(const std::string& text) {
  Address address;
  std::string channel;
  std::string rest = without_channel(text, &channel);
  if (!channel.empty()) address.channel = std::stoll(channel.substr(1));
  for (std::size_t colon = rest.find("://"); colon != std::string::npos; colon = rest.find("://")) {
    const std::string scheme = rest.substr(0, colon);
    const auto* format = std::find_if(std::begin(kFormats), std::end(kFormats),
                                      [&](Format known) { return scheme == to_string(known); });
    if (format != std::end(kFormats) && !address.format) {
      address.format = *format;
      rest = rest.substr(colon + 3);
      continue;
    }
    const auto stores = store_schemes();
    if (std::find(stores.begin(), stores.end(), scheme) == stores.end()) {
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("{}: '{}://' is neither a format (n5, zarr, zarr3, precomputed) nor a store ({})", text,
                      scheme, fmt::join(stores, ", ")));
    }
    const StoreAddress location = split_location(rest);
    address.store = location.store;
    rest = location.key;
    break;
  }
  while (rest.size() > 1 && rest.back() == '/') rest.pop_back();
  if (rest.empty())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("'{}': the address has no path", text));
  address.path = rest;
  return address;
}

std::string address_in(const std::filesystem::path& folder, const std::string& address) {
  const Address parsed = parse_address(address);
  if (!parsed.is_local()) return address;
  const std::string path = (folder / parsed.path).lexically_normal().string() + channel_suffix(parsed);
  return parsed.format ? fmt::format("{}://{}", to_string(*parsed.format), path) : path;
}

std::shared_ptr<Dataset> open_dataset(const std::string& address) {
  const Address parsed = parse_address(address);
  return with_file_errors(address, [&] { return open_parsed(address, parsed); });
}

void remove_dataset(const std::string& address) {
  const Place place = parse_address(address).place();
  if (format_of_metadata(place) == Format::kPrecomputed) forget_precomputed_scale(place);
  remove_all(place);
}

Format format_for_new(const std::string& address) {
  const Address parsed = parse_address(address);
  if (parsed.channel) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: arrays are made with all of their channels; leave the # out", address));
  }
  const std::optional<Format> format = parsed.format ? parsed.format : format_of_name(parsed.path);
  // Within a hierarchy of version 3 everything is.
  if (format == Format::kZarr2 && lies_in_zarr3(parsed.place())) return Format::kZarr3;
  if (format) return *format;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: which format? Put n5://, zarr://, zarr3:// or precomputed:// before the path",
                          address));
}

std::vector<Codec> codecs_of(Format format, DataType type) {
  switch (format) {
    case Format::kN5:
    case Format::kZarr2:
      return {Codec::kGzip,  Codec::kZstd, Codec::kBlosc, Codec::kZlib,
              Codec::kBzip2, Codec::kXz,   Codec::kLz4,   Codec::kRaw};
    case Format::kZarr3:
      return {Codec::kZstd, Codec::kGzip, Codec::kBlosc, Codec::kRaw};
    case Format::kPrecomputed:
      break;
  }
  if (type == DataType::kUint32 || type == DataType::kUint64)
    return {Codec::kCompressedSegmentation, Codec::kRaw};
  if (type == DataType::kUint8 || type == DataType::kUint16) return {Codec::kRaw, Codec::kPng};
  return {Codec::kRaw};
}

DatasetSpec fitted_to(Format format, DatasetSpec spec) {
  const auto codecs = codecs_of(format, spec.data_type);
  if (std::find(codecs.begin(), codecs.end(), spec.codec) == codecs.end()) {
    spec.codec = codecs.front();
    spec.level = -1;
  }
  if (format != Format::kZarr2 && format != Format::kZarr3) spec.fill_value = 0;
  Channels& channels = spec.channels;
  if (channels.in_stack() == 1) {
    channels = {};
  } else {
    if (format == Format::kPrecomputed) {
      channels.shape = {channels.count()};
      if (spec.codec == Codec::kPng) spec.codec = Codec::kRaw;
    }
    channels.chunk = channels.shape;
    spec.shard_shape = {};
  }
  if (format == Format::kPrecomputed) {
    spec.shard_shape = find_precomputed_shards(spec).value_or(Shape3{});
  } else if (format != Format::kZarr3) {
    spec.shard_shape = {};
  }
  return spec;
}

Shape3 shards_in(Format format, const DatasetSpec& spec) {
  if (format == Format::kPrecomputed) return precomputed_shards_of(spec);
  if (format != Format::kZarr3) refuse_shards(spec, to_string(format));
  return spec.shard_shape;
}

std::shared_ptr<Dataset> create_dataset(const std::string& address, const DatasetSpec& wanted) {
  DatasetSpec spec = wanted;
  const Address parsed = parse_address(address);
  if (spec.channels.chunk != spec.channels.shape)
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: chunks are made with all channels", address));
  if (has_shards(spec) && spec.channels.count() > 1)
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: shards are made of one channel", address));
  std::string problem = find_spec_problem(spec);
  if (problem.empty()) problem = find_level_problem(spec.codec, spec.level);
  if (!problem.empty()) throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", address, problem));
  const Format format = format_for_new(address);
  spec.shard_shape = shards_in(format, spec);
  const auto codecs = codecs_of(format, spec.data_type);
  if (std::find(codecs.begin(), codecs.end(), spec.codec) == codecs.end()) {
    std::vector<std::string_view> names;
    for (const Codec codec : codecs) names.push_back(to_string(codec));
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: {} has no codec {} for {}, only {}", address, to_string(format),
                            to_string(spec.codec), to_string(spec.data_type), fmt::join(names, ", ")));
  }
  return with_file_errors(address, [&] { return create_parsed(address, format, parsed.place(), spec); });
}

}  // namespace organon::storage
