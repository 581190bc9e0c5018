#include "organon/storage/precomputed/precomputed_info.h"

#include <fmt/format.h>

#include <cmath>

#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/precomputed/shard_boxes.h"

namespace organon::storage {
namespace {

constexpr std::int64_t kMaxVoxelOffset = std::int64_t{1} << 40;

PointNm first_centre(const Index3& voxel_offset, const SizeNm& size) {
  return {(static_cast<double>(voxel_offset.z) + 0.5) * size.z,
          (static_cast<double>(voxel_offset.y) + 0.5) * size.y,
          (static_cast<double>(voxel_offset.x) + 0.5) * size.x};
}

std::int64_t nearest_whole(double corner_nm, double size_nm) {
  // A tiny push, so that a corner that is half-way up to rounding is taken as half-way.
  constexpr double kRounding = 1e-6;
  return static_cast<std::int64_t>(std::floor(corner_nm / size_nm + 0.5 + kRounding));
}

bool is_within_a_voxel(const PointNm& a, const PointNm& b, const SizeNm& size) {
  return std::abs(a.z - b.z) <= size.z && std::abs(a.y - b.y) <= size.y && std::abs(a.x - b.x) <= size.x;
}

}  // namespace

bool has_voxel_offset(const VoxelGrid& grid) {
  const auto is_near = [](double offset_nm, double size_nm) {
    return std::abs(offset_nm / size_nm) <= kMaxVoxelOffset;
  };
  return is_near(grid.offset_nm.z, grid.voxel_size_nm.z) && is_near(grid.offset_nm.y, grid.voxel_size_nm.y) &&
         is_near(grid.offset_nm.x, grid.voxel_size_nm.x);
}

Index3 voxel_offset_of(const VoxelGrid& grid) {
  const SizeNm& size = grid.voxel_size_nm;
  const PointNm& centre = grid.offset_nm;
  return {nearest_whole(centre.z - size.z / 2, size.z), nearest_whole(centre.y - size.y / 2, size.y),
          nearest_whole(centre.x - size.x / 2, size.x)};
}

PrecomputedScale precomputed_scale_of(const Json& info, const Json& entry, std::string_view where) {
  PrecomputedScale scale;
  DatasetSpec& spec = scale.spec;
  scale.key = string_field(entry, "key", where);
  if (!is_safe_node_path(scale.key))
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: a scale with the key '{}'", where, scale.key));
  const std::string place = fmt::format("{}: scale '{}'", where, scale.key);
  const std::string type = string_field(info, "data_type", where);
  const auto data_type = data_type_from_string(type);
  if (!data_type)
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: data type '{}' is not supported", where, type));
  spec.data_type = *data_type;
  const std::int64_t num_channels = integer_field(info, "num_channels", where);
  // A chunk has them all.
  if (num_channels != 1) spec.channels.shape = spec.channels.chunk = {num_channels};
  if (const Json* sharding = optional_field(entry, "sharding"))
    scale.sharding = parse_volume_sharding(*sharding, place);
  spec.shape = shape_of(field(entry, "size", place), AxisOrder::kXyz, fmt::format("{}: 'size'", place));
  const Json& chunk_sizes = field(entry, "chunk_sizes", place);
  if (!chunk_sizes.is_array() || chunk_sizes.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a list of chunk sizes", place));
  }
  // Every size of the list is a complete copy of the scale; the first will do.
  spec.chunk_shape = shape_of(chunk_sizes.front(), AxisOrder::kXyz, fmt::format("{}: 'chunk_sizes'", place));
  const std::string encoding = string_field(entry, "encoding", place);
  if (encoding == "raw") {
    spec.codec = Codec::kRaw;
  } else if (encoding == "jpeg" || encoding == "png") {
    spec.codec = encoding == "jpeg" ? Codec::kJpeg : Codec::kPng;
    const bool is_held = spec.data_type == DataType::kUint8 ||
                         (spec.codec == Codec::kPng && spec.data_type == DataType::kUint16);
    if (!is_held) throw Error(ErrorKind::kUnsupported, fmt::format("{}: {} of {}", place, encoding, type));
  } else if (encoding == "compressed_segmentation") {
    spec.codec = Codec::kCompressedSegmentation;
    if (spec.data_type != DataType::kUint32 && spec.data_type != DataType::kUint64) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: compressed_segmentation of {}", place, type));
    }
    scale.segmentation_block =
        shape_of(field(entry, "compressed_segmentation_block_size", place), AxisOrder::kXyz, place);
    const Shape3& block = scale.segmentation_block;
    if (block.smallest() < 1 || block.largest() > 4096) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: segmentation blocks of {}", place, to_string(block)));
    }
  } else {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: encoding '{}' is not supported", place, encoding));
  }
  spec.grid.voxel_size_nm = size_of_voxel(field(entry, "resolution", place), AxisOrder::kXyz, place);
  if (const Json* offset = optional_field(entry, "voxel_offset")) {
    scale.voxel_offset = Index3(shape_of(*offset, AxisOrder::kXyz, fmt::format("{}: 'voxel_offset'", place)));
    if (scale.voxel_offset.largest() > kMaxVoxelOffset || scale.voxel_offset.smallest() < -kMaxVoxelOffset) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: voxel_offset {}", place, to_string(scale.voxel_offset)));
    }
  }
  spec.grid.offset_nm = first_centre(scale.voxel_offset, spec.grid.voxel_size_nm);
  const Json* own = optional_field(entry, "organon");
  if (const Json* offset = own != nullptr ? optional_field(*own, "offset_nm") : nullptr) {
    const PointNm exact(size_of_voxel(*offset, AxisOrder::kXyz, place));
    if (is_within_a_voxel(exact, spec.grid.offset_nm, spec.grid.voxel_size_nm)) spec.grid.offset_nm = exact;
  }
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", place, problem));
  }
  const Shape3 num_chunks = BlockGrid(spec.domain(), spec.chunk_shape).num_cells();
  if (scale.sharding && morton_bits(num_chunks) > 64) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: {} chunks have no ids of 64 bits", place, to_string(num_chunks)));
  }
  // Of several channels they are read chunk by chunk alone.
  if (scale.sharding && spec.channels.count() == 1)
    spec.shard_shape = shards_that_are_boxes(*scale.sharding, spec).value_or(Shape3{});
  return scale;
}

std::vector<PrecomputedScale> parse_precomputed_info(std::string_view text, std::string_view where) {
  const Json info = parse_json(text, where);
  const Json& entries = field(info, "scales", where);
  if (!entries.is_array())
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a list of scales", where));
  std::vector<PrecomputedScale> scales;
  for (const Json& entry : entries) scales.push_back(precomputed_scale_of(info, entry, where));
  return scales;
}

Json precomputed_scale_entry(const PrecomputedScale& scale) {
  const DatasetSpec& spec = scale.spec;
  Json entry;
  entry["key"] = scale.key;
  entry["size"] = to_json(spec.shape, AxisOrder::kXyz);
  entry["resolution"] = to_json(spec.grid.voxel_size_nm, AxisOrder::kXyz);
  entry["voxel_offset"] = to_json(Shape3(scale.voxel_offset), AxisOrder::kXyz);
  entry["chunk_sizes"] = Json::array({to_json(spec.chunk_shape, AxisOrder::kXyz)});
  entry["encoding"] = to_string(spec.codec);
  if (scale.sharding) entry["sharding"] = to_json(*scale.sharding);
  if (spec.codec == Codec::kCompressedSegmentation) {
    entry["compressed_segmentation_block_size"] = to_json(scale.segmentation_block, AxisOrder::kXyz);
  }
  if (first_centre(scale.voxel_offset, spec.grid.voxel_size_nm) != spec.grid.offset_nm) {
    entry["organon"]["offset_nm"] = to_json(spec.grid.offset_nm, AxisOrder::kXyz);
  }
  return entry;
}

Json precomputed_info_of(const DatasetSpec& spec) {
  Json info;
  info["@type"] = "neuroglancer_multiscale_volume";
  info["type"] = spec.codec == Codec::kCompressedSegmentation ? "segmentation" : "image";
  info["data_type"] = to_string(spec.data_type);
  info["num_channels"] = spec.channels.count();
  info["scales"] = Json::array();
  return info;
}

}  // namespace organon::storage
