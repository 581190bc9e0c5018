#include "organon/storage/n5/n5_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/codec_options.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

struct Compression {
  std::string_view type;
  Codec codec;
  std::string_view level_key;  // of the option that holds the level; empty: none
};
constexpr Compression kCompressions[] = {
    {"raw", Codec::kRaw, ""},           {"gzip", Codec::kGzip, "level"},
    {"zstd", Codec::kZstd, "level"},    {"zstandard", Codec::kZstd, "level"},
    {"blosc", Codec::kBlosc, "clevel"}, {"bzip2", Codec::kBzip2, "blockSize"},
    {"xz", Codec::kXz, "preset"},       {"lz4", Codec::kLz4, ""}};

void read_compression(const Json& attributes, std::string_view where, DatasetSpec& spec) {
  std::string type;
  const Json* compression = optional_field(attributes, "compression");
  // Before N5 2.0 the key was `compressionType`, a plain name.
  if (compression == nullptr) {
    type = string_field(attributes, "compressionType", where);
  } else if (compression->is_string()) {
    type = compression->get<std::string>();
  } else {
    type = string_field(*compression, "type", fmt::format("{}: 'compression'", where));
  }
  const auto option = [&](std::string_view name) {
    return compression == nullptr ? nullptr : optional_field(*compression, name);
  };
  const auto found = std::ranges::find(kCompressions, type, &Compression::type);
  if (found == std::end(kCompressions))
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: codec '{}' is not supported", where, type));
  spec.codec = found->codec;
  if (const Json* use_zlib = option("useZlib");
      spec.codec == Codec::kGzip && use_zlib != nullptr && use_zlib->is_boolean() && use_zlib->get<bool>()) {
    spec.codec = Codec::kZlib;
  }
  if (!found->level_key.empty()) spec.level = level_of(option(found->level_key), spec.codec);
  if (spec.codec == Codec::kBlosc) spec.blosc_inner = blosc_inner_of(option("cname"), where);
}

VoxelGrid corner_grid(const SizeNm& voxel_size, const SizeNm& corner) {
  return {voxel_size,
          {corner.z + voxel_size.z / 2, corner.y + voxel_size.y / 2, corner.x + voxel_size.x / 2}};
}

VoxelGrid read_pixel_resolution(const Json& attributes, std::string_view where) {
  const std::string place = fmt::format("{}: 'pixelResolution'", where);
  const Json& resolution = field(attributes, "pixelResolution", where);
  const Json& dimensions = resolution.is_object() ? field(resolution, "dimensions", place) : resolution;
  const Json* unit = optional_field(resolution, "unit");
  const double nm = unit != nullptr && unit->is_string() ? nm_per_unit(unit->get<std::string>(), place) : 1;
  return {spatial_size_of_voxel(dimensions, AxisOrder::kXyz, place) * nm, {}};
}

// Calls use(path, transform or null) for each dataset of the first COSEM multiscale; foreign entries are
// skipped.
template <class Use>
void for_each_cosem_level(const Json& group, Use use) {
  const Json* multiscales = optional_field(group, "multiscales");
  if (multiscales == nullptr || !multiscales->is_array() || multiscales->empty()) return;
  const Json* datasets = optional_field(multiscales->front(), "datasets");
  if (datasets == nullptr || !datasets->is_array()) return;
  for (const Json& dataset : *datasets) {
    const Json* path = optional_field(dataset, "path");
    if (path == nullptr || !path->is_string() || !is_safe_node_path(path->get_ref<const std::string&>()))
      continue;
    const Json* transform = optional_field(dataset, "transform");
    use(path->get<std::string>(), transform != nullptr && transform->contains("scale") ? transform : nullptr);
  }
}

// x, y, z come first or z, y, x last; what else is there are channels.
void drop_channel_axes(std::vector<std::string>& names) {
  if (names.size() <= 3) return;
  if (names.front() == "x") {
    names.resize(3);
  } else {
    names.erase(names.begin(), names.end() - 3);
  }
}

VoxelGrid read_grid(const Json& attributes, std::string_view where) {
  if (const Json* transform = optional_field(attributes, "transform");
      transform && transform->contains("scale")) {
    return grid_of_cosem_transform(*transform, where);
  }
  if (optional_field(attributes, "pixelResolution") != nullptr) {
    const VoxelGrid full = read_pixel_resolution(attributes, where);
    if (const Json* factors = optional_field(attributes, "downsamplingFactors")) {
      return full.downsampled(
          spatial_shape_of(*factors, AxisOrder::kXyz, fmt::format("{}: 'downsamplingFactors'", where)));
    }
    return full;
  }
  if (const Json* resolution = optional_field(attributes, "resolution")) {
    const SizeNm size =
        spatial_size_of_voxel(*resolution, AxisOrder::kXyz, fmt::format("{}: 'resolution'", where));
    const Json* offset = optional_field(attributes, "offset");
    const auto corner = [&] {
      return spatial_size_of_voxel(*offset, AxisOrder::kXyz, fmt::format("{}: 'offset'", where));
    };
    return corner_grid(size, offset != nullptr ? corner() : SizeNm{0, 0, 0});
  }
  return {};
}

}  // namespace

VoxelGrid grid_of_cosem_transform(const Json& transform, std::string_view where) {
  const std::string place = fmt::format("{}: 'transform'", where);
  AxisOrder order = AxisOrder::kZyx;
  if (const Json* axes = optional_field(transform, "axes")) {
    std::vector<std::string> names = strings_of(*axes, place);
    drop_channel_axes(names);
    if (names == std::vector<std::string>{"x", "y", "z"}) {
      order = AxisOrder::kXyz;
    } else if (names != std::vector<std::string>{"z", "y", "x"}) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: axes {}, expected z,y,x or x,y,z", place, fmt::join(names, ",")));
    }
  }
  double nm[3] = {1, 1, 1};
  if (const Json* units = optional_field(transform, "units")) {
    std::vector<std::string> names = strings_of(*units, place);
    if (order == AxisOrder::kXyz && names.size() > 3) names.resize(3);
    if (names.size() > 3) names.erase(names.begin(), names.end() - 3);
    if (names.size() != 3) throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected 3 units", place));
    for (int axis = 0; axis < 3; ++axis) nm[axis] = nm_per_unit(names[static_cast<std::size_t>(axis)], place);
  }
  if (order == AxisOrder::kXyz) std::swap(nm[0], nm[2]);
  const SizeNm scale = spatial_size_of_voxel(field(transform, "scale", place), order, place);
  const Json* translate = optional_field(transform, "translate");
  const SizeNm offset =
      translate != nullptr ? spatial_size_of_voxel(*translate, order, place) : SizeNm{0, 0, 0};
  return {{scale.z * nm[0], scale.y * nm[1], scale.x * nm[2]},
          {offset.z * nm[0], offset.y * nm[1], offset.x * nm[2]}};
}

bool has_n5_grid(const Json& attributes) {
  const Json* transform = optional_field(attributes, "transform");
  return (transform != nullptr && transform->contains("scale")) ||
         optional_field(attributes, "pixelResolution") || optional_field(attributes, "resolution");
}

std::vector<std::string> cosem_level_paths(const Json& group) {
  std::vector<std::string> paths;
  for_each_cosem_level(group, [&](const std::string& path, const Json*) { paths.push_back(path); });
  return paths;
}

std::optional<VoxelGrid> n5_grid_of_group(const Json& group, const Json& dataset, const std::string& name,
                                          std::string_view where) {
  std::optional<VoxelGrid> grid;
  for_each_cosem_level(group, [&](const std::string& path, const Json* transform) {
    if (path == name && transform != nullptr) grid = grid_of_cosem_transform(*transform, where);
  });
  if (grid) return grid;
  std::optional<VoxelGrid> full;
  if (const Json* resolution = optional_field(group, "resolution")) {
    SizeNm size = spatial_size_of_voxel(*resolution, AxisOrder::kXyz, where);
    if (const Json* units = optional_field(group, "units")) {
      const std::vector<std::string> names = strings_of(*units, where);
      if (names.size() < 3) throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected 3 units", where));
      size = {size.z * nm_per_unit(names[2], where), size.y * nm_per_unit(names[1], where),
              size.x * nm_per_unit(names[0], where)};
    }
    full = VoxelGrid{size, {}};
  } else if (optional_field(group, "pixelResolution") != nullptr) {
    full = read_pixel_resolution(group, where);
  }
  if (!full) return std::nullopt;
  if (const Json* factors = optional_field(dataset, "downsamplingFactors")) {
    return full->downsampled(spatial_shape_of(*factors, AxisOrder::kXyz, where));
  }
  const Json* scales = optional_field(group, "scales");
  if (scales == nullptr || !scales->is_array()) return full;
  for (std::size_t level = 0; level < scales->size(); ++level) {
    if (name == fmt::format("s{}", level)) {
      return full->downsampled(spatial_shape_of((*scales)[level], AxisOrder::kXyz, where));
    }
  }
  return full;
}

bool is_n5_dataset(const Json& attributes) {
  return attributes.is_object() && attributes.contains("dimensions") && attributes.contains("dataType");
}

DatasetSpec n5_spec_of(const Json& attributes, std::string_view where) {
  // Paintera's: each voxel is a list of labels, whatever `dataType` says.
  if (const Json* multiset = optional_field(attributes, "isLabelMultiset");
      multiset != nullptr && multiset->is_boolean() && multiset->get<bool>()) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: label multisets are not supported", where));
  }
  DatasetSpec spec;
  Extents shape = extents_field(attributes, "dimensions", AxisOrder::kXyz, where);
  Extents chunk = extents_field(attributes, "blockSize", AxisOrder::kXyz, where);
  spec.shape = shape.space;
  spec.chunk_shape = chunk.space;
  spec.channels = {std::move(shape.channels), std::move(chunk.channels), std::nullopt};
  const std::string type = string_field(attributes, "dataType", where);
  const auto data_type = data_type_from_string(type);
  if (!data_type)
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: data type '{}' is not supported", where, type));
  spec.data_type = *data_type;
  read_compression(attributes, where, spec);
  spec.grid = read_grid(attributes, where);
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, problem));
  }
  return spec;
}

DatasetSpec parse_n5_attributes(std::string_view text, std::string_view where) {
  return n5_spec_of(parse_json(text, where), where);
}

Json cosem_transform_of(const VoxelGrid& grid) {
  Json transform;
  transform["axes"] = {"z", "y", "x"};
  transform["units"] = {"nm", "nm", "nm"};
  transform["scale"] = to_json(grid.voxel_size_nm, AxisOrder::kZyx);
  transform["translate"] = to_json(grid.offset_nm, AxisOrder::kZyx);
  return transform;
}

Json pixel_resolution_of(const VoxelGrid& grid) {
  Json resolution;
  resolution["dimensions"] = to_json(grid.voxel_size_nm, AxisOrder::kXyz);
  resolution["unit"] = "nm";
  return resolution;
}

Json n5_attributes_of(const DatasetSpec& spec) {
  refuse_shards(spec, "N5");
  Json attributes;
  attributes["dimensions"] = to_json(Extents{spec.shape, spec.channels.shape}, AxisOrder::kXyz);
  attributes["blockSize"] = to_json(Extents{spec.chunk_shape, spec.channels.chunk}, AxisOrder::kXyz);
  attributes["dataType"] = to_string(spec.data_type);
  Json& compression = attributes["compression"];
  const int level = spec.level == -1 ? default_level(spec.codec) : spec.level;
  compression["type"] = spec.codec == Codec::kZlib ? "gzip" : std::string(to_string(spec.codec));
  if (spec.codec == Codec::kGzip || spec.codec == Codec::kZlib) {
    compression["level"] = level;
    compression["useZlib"] = spec.codec == Codec::kZlib;
  } else if (spec.codec == Codec::kZstd) {
    compression["level"] = level;
  } else if (spec.codec == Codec::kBlosc) {
    compression["cname"] = to_string(spec.blosc_inner);
    compression["clevel"] = level;
    compression["shuffle"] = 1;
    compression["blocksize"] = 0;
  } else if (spec.codec == Codec::kBzip2) {
    compression["blockSize"] = level;
  } else if (spec.codec == Codec::kXz) {
    compression["preset"] = level;
  } else if (spec.codec == Codec::kLz4) {
    compression["blockSize"] = 65536;
  }
  attributes["transform"] = cosem_transform_of(spec.grid);
  attributes["pixelResolution"] = pixel_resolution_of(spec.grid);
  return attributes;
}

}  // namespace organon::storage
