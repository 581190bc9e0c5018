#include "organon/storage/dataset_spec.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "organon/base/error.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
constexpr double kMaxBytes = 9e18;

double float_product(const Shape3& shape) {
  return static_cast<double>(shape.z) * static_cast<double>(shape.y) * static_cast<double>(shape.x);
}

bool fill_value_fits(std::uint64_t fill_value, DataType type) {
  return dispatch(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return sizeof(T) == 8 || fill_value <= std::numeric_limits<std::uint32_t>::max();
    } else if constexpr (std::is_signed_v<T>) {
      const auto value = static_cast<std::int64_t>(fill_value);
      return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
    } else {
      return fill_value <= std::numeric_limits<T>::max();
    }
  });
}

bool is_positive_and_finite(double value) { return std::isfinite(value) && value > 0; }

bool grids_agree(const VoxelGrid& a, const VoxelGrid& b) {
  // Formats store corners or text; 1e-6 of a voxel is beyond any of their roundings and below any meaning.
  constexpr double kTolerance = 1e-6;
  const auto axis_agrees = [&](double size_a, double size_b, double offset_a, double offset_b) {
    return std::abs(size_a - size_b) <= kTolerance * size_b &&
           std::abs(offset_a - offset_b) <= kTolerance * size_b;
  };
  return axis_agrees(a.voxel_size_nm.z, b.voxel_size_nm.z, a.offset_nm.z, b.offset_nm.z) &&
         axis_agrees(a.voxel_size_nm.y, b.voxel_size_nm.y, a.offset_nm.y, b.offset_nm.y) &&
         axis_agrees(a.voxel_size_nm.x, b.voxel_size_nm.x, a.offset_nm.x, b.offset_nm.x);
}

}  // namespace

std::string_view to_string(Format format) {
  switch (format) {
    case Format::kN5:
      return "n5";
    case Format::kZarr2:
      return "zarr";
    case Format::kZarr3:
      return "zarr3";
    case Format::kPrecomputed:
      return "precomputed";
  }
  return "unknown";
}

std::string_view to_string(Codec codec) {
  switch (codec) {
    case Codec::kRaw:
      return "raw";
    case Codec::kGzip:
      return "gzip";
    case Codec::kZlib:
      return "zlib";
    case Codec::kZstd:
      return "zstd";
    case Codec::kBlosc:
      return "blosc";
    case Codec::kBzip2:
      return "bzip2";
    case Codec::kXz:
      return "xz";
    case Codec::kLz4:
      return "lz4";
    case Codec::kCompressedSegmentation:
      return "compressed_segmentation";
    case Codec::kJpeg:
      return "jpeg";
    case Codec::kPng:
      return "png";
  }
  return "unknown";
}

std::string_view to_string(BloscInner inner) {
  switch (inner) {
    case BloscInner::kBlosclz:
      return "blosclz";
    case BloscInner::kLz4:
      return "lz4";
    case BloscInner::kLz4hc:
      return "lz4hc";
    case BloscInner::kSnappy:
      return "snappy";
    case BloscInner::kZlib:
      return "zlib";
    case BloscInner::kZstd:
      return "zstd";
  }
  return "unknown";
}

std::optional<BloscInner> blosc_inner_from_string(std::string_view name) {
  for (const BloscInner inner : {BloscInner::kBlosclz, BloscInner::kLz4, BloscInner::kLz4hc,
                                 BloscInner::kSnappy, BloscInner::kZlib, BloscInner::kZstd}) {
    if (to_string(inner) == name) return inner;
  }
  return std::nullopt;
}

bool has_shards(const DatasetSpec& spec) { return spec.shard_shape != Shape3{}; }

Shape3 stored_shape(const DatasetSpec& spec) {
  return has_shards(spec) ? spec.shard_shape : spec.chunk_shape;
}

void refuse_shards(const DatasetSpec& spec, std::string_view format) {
  if (has_shards(spec))
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{} is not written in shards", format));
}

std::int64_t chunk_bytes(const DatasetSpec& spec) {
  return spec.chunk_shape.product() * spec.channels.per_chunk() *
         static_cast<std::int64_t>(size_of(spec.data_type));
}

std::string find_spec_problem(const DatasetSpec& spec) {
  if (spec.shape.smallest() <= 0 || spec.shape.largest() > kMaxExtent) {
    return fmt::format("shape {} is not in 1 .. 2^40 per axis", to_string(spec.shape));
  }
  if (std::string problem = find_channels_problem(spec.channels); !problem.empty()) return problem;
  const double voxel_bytes = static_cast<double>(size_of(spec.data_type));
  if (float_product(spec.shape) * voxel_bytes * static_cast<double>(spec.channels.count()) > kMaxBytes) {
    return fmt::format("shape {} is above 9e18 bytes", to_string(spec.shape));
  }
  const auto channels = static_cast<double>(spec.channels.per_chunk());
  if (spec.chunk_shape.smallest() <= 0 || spec.chunk_shape.largest() > kMaxChunkBytes ||
      float_product(spec.chunk_shape) * channels * voxel_bytes > static_cast<double>(kMaxChunkBytes)) {
    return fmt::format("chunks of {} voxels of {} are not in 1 byte .. 2 GiB", to_string(spec.chunk_shape),
                       to_string(spec.data_type));
  }
  if (has_shards(spec)) {
    const Shape3& shard = spec.shard_shape;
    const Shape3& chunk = spec.chunk_shape;
    if (shard.smallest() <= 0 || shard.largest() > kMaxExtent || shard.z % chunk.z != 0 ||
        shard.y % chunk.y != 0 || shard.x % chunk.x != 0) {
      return fmt::format("shards of {} are not made of whole chunks of {}", to_string(shard),
                         to_string(chunk));
    }
    if (float_product(shard) / float_product(chunk) > static_cast<double>(kMaxChunksPerShard)) {
      return fmt::format("shards of {} hold more than 2^24 chunks of {}", to_string(shard), to_string(chunk));
    }
  }
  const SizeNm& size = spec.grid.voxel_size_nm;
  if (!is_positive_and_finite(size.z) || !is_positive_and_finite(size.y) || !is_positive_and_finite(size.x)) {
    return fmt::format("voxel size {} nm is not positive", to_string(size));
  }
  const PointNm& offset = spec.grid.offset_nm;
  if (!std::isfinite(offset.z) || !std::isfinite(offset.y) || !std::isfinite(offset.x)) {
    return "the offset is not finite";
  }
  if (!fill_value_fits(spec.fill_value, spec.data_type)) {
    return fmt::format("fill value {} does not fit {}", static_cast<std::int64_t>(spec.fill_value),
                       to_string(spec.data_type));
  }
  return {};
}

std::string describe_difference(const DatasetSpec& found, const DatasetSpec& expected) {
  if (found.shape != expected.shape) {
    return fmt::format("shape {} instead of {}", to_string(found.shape), to_string(expected.shape));
  }
  if (found.channels.shape != expected.channels.shape || found.channels.chunk != expected.channels.chunk) {
    const auto name = [](const Channels& channels) {
      return fmt::format("channels {} in chunks of {}", fmt::join(channels.shape, ","),
                         fmt::join(channels.chunk, ","));
    };
    return fmt::format("{} instead of {}", name(found.channels), name(expected.channels));
  }
  if (found.chunk_shape != expected.chunk_shape) {
    return fmt::format("chunks {} instead of {}", to_string(found.chunk_shape),
                       to_string(expected.chunk_shape));
  }
  if (found.shard_shape != expected.shard_shape) {
    const auto name = [](const DatasetSpec& spec) {
      return has_shards(spec) ? "shards " + to_string(spec.shard_shape) : std::string("no shards");
    };
    return fmt::format("{} instead of {}", name(found), name(expected));
  }
  if (found.data_type != expected.data_type) {
    return fmt::format("data type {} instead of {}", to_string(found.data_type),
                       to_string(expected.data_type));
  }
  if (found.codec != expected.codec) {
    return fmt::format("codec {} instead of {}", to_string(found.codec), to_string(expected.codec));
  }
  if (found.level != expected.level && found.level != -1 && expected.level != -1) {
    return fmt::format("compression level {} instead of {}", found.level, expected.level);
  }
  if (found.fill_value != expected.fill_value) {
    return fmt::format("fill value {} instead of {}", fill_value_text(found.fill_value, found.data_type),
                       fill_value_text(expected.fill_value, expected.data_type));
  }
  if (!grids_agree(found.grid, expected.grid)) {
    return fmt::format("voxel size {} nm, offset {} nm instead of {} nm, {} nm",
                       to_string(found.grid.voxel_size_nm), to_string(found.grid.offset_nm),
                       to_string(expected.grid.voxel_size_nm), to_string(expected.grid.offset_nm));
  }
  return {};
}

}  // namespace organon::storage
