#include "organon/storage/fitted_dataset.h"

#include <fmt/format.h>

#include <cmath>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::storage {
namespace {

// How far a voxel size may be from a whole multiple (relative), and a voxel from its place (in finer voxels):
// room for metadata written with few digits.
constexpr double kSizeTolerance = 1e-3;
constexpr double kPlaceTolerance = 0.05;

}  // namespace

Box FittedDataset::coverage() const {
  const Shape3& shape = dataset->spec().shape;
  const auto begin = [](std::int64_t first_voxel, std::int64_t f) { return ceil_divide(-first_voxel, f); };
  const auto end = [](std::int64_t first_voxel, std::int64_t f, std::int64_t size) {
    return floor_divide(size - first_voxel, f);
  };
  return {
      {begin(first.z, factor.z), begin(first.y, factor.y), begin(first.x, factor.x)},
      {end(first.z, factor.z, shape.z), end(first.y, factor.y, shape.y), end(first.x, factor.x, shape.x)}};
}

Box FittedDataset::cells_of(const Box& box) const {
  const auto cell = [&](const Index3& index) {
    return first + Index3{index.z * factor.z, index.y * factor.y, index.x * factor.x};
  };
  return {cell(box.begin), cell(box.end)};
}

FittedDataset fit_dataset(std::shared_ptr<Dataset> dataset, const NamedGrid& onto, const std::string& name) {
  FittedDataset fitted;
  const VoxelGrid& grid = onto.grid;
  const VoxelGrid& fine = dataset->spec().grid;
  const auto fit = [&](const char* axis, double coarse_nm, double fine_nm, double coarse_offset,
                       double fine_offset, std::int64_t& factor, std::int64_t& first) {
    const double ratio = coarse_nm / fine_nm;
    factor = std::llround(ratio);
    if (factor < 1 || std::abs(ratio - static_cast<double>(factor)) > kSizeTolerance * ratio) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} {}: its voxels measure {} nm along {}, those of {} {} nm; "
                              "expected the same or a whole fraction",
                              name, dataset->address(), fine_nm, axis, onto.name, coarse_nm));
    }
    const double place = (coarse_offset - fine_offset) / fine_nm - 0.5 * static_cast<double>(factor - 1);
    if (!(std::abs(place) < 1e15)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} {}: it lies at {} nm along {}, {} at {} nm", name, dataset->address(),
                              fine_offset, axis, onto.name, coarse_offset));
    }
    first = std::llround(place);
    if (std::abs(place - static_cast<double>(first)) > kPlaceTolerance) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} {}: along {} its voxels lie askew to those of {} by {:.3g} of "
                              "its voxels (offsets {} and {} nm are those of the first voxel's centre)",
                              name, dataset->address(), axis, onto.name, place - static_cast<double>(first),
                              fine_offset, coarse_offset));
    }
  };
  fit("z", grid.voxel_size_nm.z, fine.voxel_size_nm.z, grid.offset_nm.z, fine.offset_nm.z, fitted.factor.z,
      fitted.first.z);
  fit("y", grid.voxel_size_nm.y, fine.voxel_size_nm.y, grid.offset_nm.y, fine.offset_nm.y, fitted.factor.y,
      fitted.first.y);
  fit("x", grid.voxel_size_nm.x, fine.voxel_size_nm.x, grid.offset_nm.x, fine.offset_nm.x, fitted.factor.x,
      fitted.first.x);
  fitted.dataset = std::move(dataset);
  return fitted;
}

}  // namespace organon::storage
