#include "organon/storage/grey_slice.h"

#include <algorithm>
#include <cmath>

#include "organon/storage/multiscale.h"

namespace organon::storage {
namespace {

// Shares of voxels drawn black and white.
constexpr double kDarkest = 0.005;
constexpr double kBrightest = 0.995;

}  // namespace

Array<std::uint8_t> read_grey_slice(const std::string& address, const VoxelGrid& grid, const Box& box) {
  Array<std::uint8_t> picture(box.shape(), 0);
  if (address.empty()) return picture;
  const Multiscale pyramid = open_multiscale(address);
  const Dataset* raw = pyramid.levels.front().get();
  const auto distance = [&](const Dataset& level) {
    return std::abs(std::log(level.spec().grid.voxel_size_nm.x / grid.voxel_size_nm.x));
  };
  for (const auto& level : pyramid.levels)
    if (distance(*level) < distance(*raw)) raw = level.get();

  const VoxelGrid& own = raw->spec().grid;
  const Index3 first = own.voxel_containing(grid.to_nm(box.begin));
  const Index3 last = own.voxel_containing(grid.to_nm(box.end - Index3{1, 1, 1}));
  const Box needed = Box{first, last + Index3{1, 1, 1}}.intersect(raw->spec().domain());
  if (needed.empty()) return picture;
  const AnyArray voxels = raw->read(needed);
  std::vector<double> values;
  Array<double> grey(box.shape(), std::nan(""));
  dispatch(voxels.type(), [&](auto zero) {
    const auto view = voxels.view<decltype(zero)>();
    for (std::int64_t y = 0; y < box.shape().y; ++y) {
      for (std::int64_t x = 0; x < box.shape().x; ++x) {
        const Index3 place = own.voxel_containing(grid.to_nm(box.begin + Index3{0, y, x}));
        if (!needed.contains(place)) continue;
        grey(0, y, x) = static_cast<double>(view(place - needed.begin));
        if (std::isfinite(grey(0, y, x))) values.push_back(grey(0, y, x));
      }
    }
  });
  if (values.empty()) return picture;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  const double low = at(kDarkest);
  const double range = std::max(at(kBrightest) - low, 1e-9);
  for (std::int64_t i = 0; i < grey.size(); ++i) {
    const double value = grey.data()[i];
    if (std::isfinite(value))
      picture.data()[i] = static_cast<std::uint8_t>(std::clamp(255 * (value - low) / range, 0.0, 255.0));
  }
  return picture;
}

}  // namespace organon::storage
