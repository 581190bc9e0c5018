#include "organon/stages/publish/pyramid_levels.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/voxel/downsample.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kLargestFactor = 32;
/// Edge of the pieces in which the source is read; a multiple of every factor.
constexpr std::int64_t kPieceEdge = 256;

bool can_reduce(DataType type, Reduction reduction) {
  bool can = false;
  dispatch(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, float>) {
      can = reduction == Reduction::kMean;
    } else if constexpr (std::is_integral_v<T>) {
      // Ids are told apart by their bits; a mean of signed numbers nobody has asked for.
      can = std::is_unsigned_v<T> || reduction == Reduction::kMode;
    }
  });
  return can;
}

AnyArray reduce(const AnyArray& voxels, const Shape3& factor, Reduction reduction) {
  AnyArray result(voxels.type(), voxel::downsampled_shape(voxels.shape(), factor));
  dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      using Bits = std::make_unsigned_t<T>;
      const ArrayView<const Bits> from(reinterpret_cast<const Bits*>(voxels.bytes().data()), voxels.shape());
      const ArrayView<Bits> to(reinterpret_cast<Bits*>(result.bytes().data()), result.shape());
      if (reduction == Reduction::kMode) {
        voxel::downsample_mode<Bits>(from, factor, to);
      } else {
        voxel::downsample_mean<Bits>(from, factor, to);
      }
    } else if constexpr (std::is_same_v<T, float>) {
      voxel::downsample_mean<T>(voxels.view<T>(), factor, result.view<T>());
    }
  });
  return result;
}

/// Puts `piece` at `at` into `whole`, widening its values where the types differ.
void put(const AnyArray& piece, const Index3& at, AnyArray& whole) {
  const Box box = Box::of_shape(piece.shape()).translate(at);
  dispatch(whole.type(), [&](auto to_zero) {
    using To = decltype(to_zero);
    const ArrayView<To> target = whole.view<To>().part(box);
    dispatch(piece.type(), [&](auto from_zero) {
      using From = decltype(from_zero);
      const ArrayView<const From> source = piece.view<From>();
      if constexpr (std::is_same_v<To, From>) {
        copy_voxels<To>(source, target);
      } else {
        const Shape3 shape = source.shape();
        for (std::int64_t z = 0; z < shape.z; ++z)
          for (std::int64_t y = 0; y < shape.y; ++y)
            for (std::int64_t x = 0; x < shape.x; ++x) target(z, y, x) = static_cast<To>(source(z, y, x));
      }
    });
  });
}

Box scaled(const Box& box, const Shape3& factor) {
  return {{box.begin.z * factor.z, box.begin.y * factor.y, box.begin.x * factor.x},
          {box.end.z * factor.z, box.end.y * factor.y, box.end.x * factor.x}};
}

Shape3 piece_shape(const Shape3& factor) {
  return {kPieceEdge / factor.z, kPieceEdge / factor.y, kPieceEdge / factor.x};
}

}  // namespace

std::vector<Shape3> pyramid_factors(const Shape3& shape, const SizeNm& voxel_size_nm,
                                    const Shape3& chunk_shape, std::int64_t num_levels) {
  std::vector<Shape3> factors;
  Shape3 factor{1, 1, 1};
  while (num_levels < 0 || static_cast<std::int64_t>(factors.size()) < num_levels) {
    const Shape3 now = voxel::downsampled_shape(shape, factor);
    if (now.z <= chunk_shape.z && now.y <= chunk_shape.y && now.x <= chunk_shape.x) break;
    struct Axis {
      std::int64_t extent;
      double size_nm;
      std::int64_t* factor;
    };
    const Axis axes[] = {{now.z, voxel_size_nm.z * static_cast<double>(factor.z), &factor.z},
                         {now.y, voxel_size_nm.y * static_cast<double>(factor.y), &factor.y},
                         {now.x, voxel_size_nm.x * static_cast<double>(factor.x), &factor.x}};
    double smallest = 1e300;
    for (const Axis& axis : axes)
      if (axis.extent > 1) smallest = std::min(smallest, axis.size_nm);
    for (const Axis& axis : axes)
      if (axis.extent > 1 && axis.size_nm < 2 * smallest) *axis.factor *= 2;
    if (factor.largest() > kLargestFactor) break;
    factors.push_back(factor);
  }
  return factors;
}

Box level_domain(const Box& source_domain, const Shape3& factor, const storage::DatasetSpec& level) {
  const Box& box = source_domain;
  const Box part{
      {box.begin.z / factor.z, box.begin.y / factor.y, box.begin.x / factor.x},
      {ceil_divide(box.end.z, factor.z), ceil_divide(box.end.y, factor.y), ceil_divide(box.end.x, factor.x)}};
  const BlockGrid chunks(level.domain(), level.chunk_shape);
  const Box positions = chunks.positions_touching(part);
  return {chunks.box_of(positions.begin).begin, chunks.box_of(positions.end - Index3{1, 1, 1}).end};
}

storage::DatasetSpec level_spec(const storage::DatasetSpec& source, const Shape3& factor) {
  storage::DatasetSpec spec = source;
  spec.shape = voxel::downsampled_shape(source.shape, factor);
  spec.grid = source.grid.downsampled(factor);
  return spec;
}

void require_reducible(const storage::Dataset& source, Reduction reduction) {
  const DataType type = source.spec().data_type;
  if (can_reduce(type, reduction)) return;
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: no pyramid by {} of {} voxels", source.address(),
                          reduction == Reduction::kMean ? "mean" : "mode", to_string(type)));
}

AnyArray read_reduced(const storage::Dataset& source, const Shape3& factor, Reduction reduction,
                      const Box& box, DataType type) {
  AnyArray level(type, box.shape());
  const BlockGrid pieces(box, piece_shape(factor));
  for (std::int64_t i = 0; i < pieces.count(); ++i) {
    throw_if_cancelled();
    const Box piece = pieces.box_of(i);
    const AnyArray voxels = source.read(scaled(piece, factor).intersect(source.spec().domain()));
    const Index3 at = piece.begin - box.begin;
    if (factor == Shape3{1, 1, 1}) {
      put(voxels, at, level);
    } else {
      put(reduce(voxels, factor, reduction), at, level);
    }
  }
  return level;
}

MakeLevel::MakeLevel(Level level) : level_(std::move(level)) {
  require_reducible(*level_.source, level_.reduction);
}

blockwise::StepPlan MakeLevel::plan() const {
  const auto source_bytes = static_cast<std::int64_t>(size_of(level_.source->spec().data_type));
  const auto output_bytes = static_cast<std::int64_t>(size_of(level_.output.spec.data_type));
  blockwise::StepPlan plan = blockwise::StepPlan::over(level_.domain, level_.block_shape);
  plan.inputs.push_back({level_.source->address(), [factor = level_.factor](const Box& write_box) {
                           return scaled(write_box, factor);
                         }});
  plan.outputs = {level_.output};
  plan.reuse = blockwise::Reuse::kAnywhere;
  plan.depends_on = {{"reduction", level_.reduction == Reduction::kMean ? "mean" : "mode"},
                     {"factor", {level_.factor.z, level_.factor.y, level_.factor.x}}};
  const Box block_source = scaled(Box::of_shape(level_.block_shape), level_.factor);
  const std::int64_t piece = min(Shape3::cube(kPieceEdge), block_source.shape()).product() +
                             2 * level_.source->spec().chunk_shape.product();
  plan.bytes_per_worker =
      2 * piece * source_bytes + 2 * level_.block_shape.product() * output_bytes + (std::int64_t{16} << 20);
  plan.bytes_read = level_.domain.volume() * level_.factor.product() * source_bytes;
  plan.bytes_written = level_.domain.volume() * output_bytes;
  plan.voxels_per_second = 80e6 / static_cast<double>(level_.factor.product());
  return plan;
}

void MakeLevel::process(const blockwise::Block& block, blockwise::BlockOutput& output) const {
  output.write(0, block.write_box,
               read_reduced(*level_.source, level_.factor, level_.reduction, block.write_box,
                            level_.output.spec.data_type));
}

}  // namespace organon::stages
