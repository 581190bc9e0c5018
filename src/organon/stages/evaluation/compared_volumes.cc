#include "organon/stages/evaluation/compared_volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "organon/base/error.h"
#include "organon/stages/evaluation/tell_prediction.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/reduce_to_cells.h"

namespace organon::stages {
namespace {

// A pyramid stands for its finest level.
std::shared_ptr<storage::Dataset> open_finest(const std::string& address) {
  return storage::open_multiscale(address).levels.front();
}

void require_whole_numbers(const storage::Dataset& dataset, const char* what) {
  if (!is_floating(dataset.spec().data_type)) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: expected {} of whole numbers, found {}", dataset.address(), what,
                          to_string(dataset.spec().data_type)));
}

// Mean of each cell of `factor` voxels.
template <class T>
Array<double> mean_of_cells(ArrayView<const T> voxels, const Shape3& factor, const Shape3& shape) {
  Array<double> means = Array<double>::uninitialized(shape);
  const auto num_voxels = static_cast<double>(factor.product());
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x) {
        double sum = 0;
        for (std::int64_t dz = 0; dz < factor.z; ++dz)
          for (std::int64_t dy = 0; dy < factor.y; ++dy)
            for (std::int64_t dx = 0; dx < factor.x; ++dx)
              sum += static_cast<double>(voxels(z * factor.z + dz, y * factor.y + dy, x * factor.x + dx));
        means(z, y, x) = sum / num_voxels;
      }
  return means;
}

storage::ContrastWindow range_of(const Array<double>& values) {
  storage::ContrastWindow range{std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity()};
  for (std::int64_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values.data()[i])) continue;
    range.low = std::min(range.low, values.data()[i]);
    range.high = std::max(range.high, values.data()[i]);
  }
  return range;
}

}  // namespace

ComparedVolumes::ComparedVolumes(const ComparedAddresses& addresses, const ComparisonOptions& options)
    : threshold_(options.threshold) {
  auto a = open_finest(addresses.a);
  auto b = open_finest(addresses.b);
  auto raw = open_finest(addresses.raw);
  storage::NamedGrid coarsest{a->spec().grid, a->address()};
  for (const auto& dataset : {b, raw}) {
    const VoxelGrid& grid = dataset->spec().grid;
    if (grid.voxel_volume_nm3() > coarsest.grid.voxel_volume_nm3()) coarsest = {grid, dataset->address()};
  }
  grid_ = coarsest.grid;
  const auto fit_candidate = [&](std::shared_ptr<storage::Dataset> dataset, const std::string& kind,
                                 const char* option) {
    require_whole_numbers(*dataset, "a prediction or labels");
    CandidateVolume candidate;
    candidate.is_prediction = tell_prediction(*dataset, kind, option);
    candidate.fitted = storage::fit_dataset(std::move(dataset), coarsest, "candidate");
    return candidate;
  };
  a_ = fit_candidate(std::move(a), options.kind_a, "kind-a");
  b_ = fit_candidate(std::move(b), options.kind_b, "kind-b");
  raw_ = storage::fit_dataset(std::move(raw), coarsest, "raw");
  contrast_ = storage::contrast_of(storage::open_multiscale(addresses.raw));
  if (!contrast_ && raw_.dataset->spec().data_type == DataType::kUint8)
    contrast_ = storage::ContrastWindow{0, 255};
  domain_ = a_.fitted.coverage().intersect(b_.fitted.coverage()).intersect(raw_.coverage());
  if (domain_.empty()) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}, {} and {} have no voxel in common", addresses.a,
                                                         addresses.b, addresses.raw));
  }
  if (!addresses.mask.empty()) {
    mask_ = open_finest(addresses.mask);
    require_whole_numbers(*mask_, "a mask");
  }
}

Array<std::uint8_t> ComparedVolumes::read_foreground(const CandidateVolume& candidate, const Box& box) const {
  const AnyArray voxels = candidate.fitted.dataset->read(candidate.fitted.cells_of(box));
  Array<std::uint8_t> inside = Array<std::uint8_t>::uninitialized(voxels.shape());
  const double least = candidate.is_prediction ? threshold_ : 1;
  with_ids(voxels, [&](auto values) {
    std::transform(values.data(), values.data() + values.size(), inside.data(), [&](auto value) {
      return static_cast<std::uint8_t>(static_cast<double>(value) >= least);
    });
  });
  Array<std::uint8_t> cells = Array<std::uint8_t>::uninitialized(box.shape());
  voxel::foreground_of_cells<std::uint8_t>(inside, candidate.fitted.factor, voxel::WantedIds(), cells);
  return cells;
}

Array<std::uint8_t> ComparedVolumes::read_raw(const Box& box) const {
  const AnyArray voxels = raw_.dataset->read(raw_.cells_of(box));
  const Array<double> means = dispatch(voxels.type(), [&](auto zero) {
    return mean_of_cells(voxels.view<decltype(zero)>(), raw_.factor, box.shape());
  });
  const storage::ContrastWindow window = contrast_ ? *contrast_ : range_of(means);
  const double range = std::max(window.high - window.low, 1e-9);
  Array<std::uint8_t> grey(box.shape(), 0);
  for (std::int64_t i = 0; i < grey.size(); ++i) {
    const double share = (means.data()[i] - window.low) / range;
    if (std::isfinite(share))
      grey.data()[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
  }
  return grey;
}

TrialVoxels ComparedVolumes::read(const Box& box) const {
  return {read_raw(box), read_foreground(a_, box), read_foreground(b_, box)};
}

double ComparedVolumes::mask_share(const Box& box) const {
  if (!mask_) return 1;
  const VoxelGrid& own = mask_->spec().grid;
  const Index3 first = own.voxel_containing(grid_.to_nm(box.begin));
  const Index3 last = own.voxel_containing(grid_.to_nm(box.end - Index3{1, 1, 1}));
  const Box needed = Box{first, last + Index3{1, 1, 1}}.intersect(mask_->spec().domain());
  if (needed.empty()) return 0;
  const AnyArray voxels = mask_->read(needed);
  std::int64_t num_inside = 0;
  with_ids(voxels, [&](auto values) {
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
          const Index3 place = own.voxel_containing(grid_.to_nm({z, y, x}));
          if (needed.contains(place) && values(place - needed.begin) != 0) ++num_inside;
        }
  });
  return static_cast<double>(num_inside) / static_cast<double>(box.volume());
}

bool ComparedVolumes::has_foreground(const Box& box) const {
  return std::ranges::any_of(std::array{&a_, &b_}, [&](const CandidateVolume* candidate) {
    const Array<std::uint8_t> inside = read_foreground(*candidate, box);
    return std::any_of(inside.data(), inside.data() + inside.size(), [](auto value) { return value != 0; });
  });
}

}  // namespace organon::stages
