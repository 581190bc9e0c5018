#include "organon/stages/evaluation/scored_volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/geometry/integer_division.h"
#include "organon/stages/evaluation/tell_prediction.h"
#include "organon/storage/multiscale.h"
#include "organon/tables/id_list.h"
#include "organon/voxel/distance_transform.h"

namespace organon::stages {
namespace {

// A hair more, as distances are rounded: what lies exactly as far as the option says is in.
constexpr double kRoundingShare = 1e-6;

// Planes of cells of the truth that are expanded at a time: at least as many as the halo adds.
std::int64_t planes_at_once(const storage::FittedDataset& truth, const Shape3& halo) {
  const std::int64_t voxels = std::max({truth.dataset->spec().chunk_shape.z, 2 * halo.z, truth.factor.z});
  return ceil_divide(voxels, truth.factor.z);
}

void require_whole_numbers(const storage::Dataset& dataset, const char* what) {
  if (!is_floating(dataset.spec().data_type)) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: expected {} of whole numbers, found {}", dataset.address(), what,
                          to_string(dataset.spec().data_type)));
}

// A pyramid stands for its finest level.
std::shared_ptr<storage::Dataset> open_finest(const std::string& address) {
  return storage::open_multiscale(address).levels.front();
}

Box voxels_in(const std::string& box_nm, const storage::DatasetSpec& spec) {
  // Chunks of one voxel: nothing is grown.
  return blockwise::domain_in(box_nm, spec.grid, spec.shape, {1, 1, 1});
}

}  // namespace

ScoredVolumes::ScoredVolumes(const blockwise::StageDescription& description) {
  options_ = options_from_json<EvaluateOptions>(description.options_json);
  wanted_ = voxel::WantedIds(tables::parse_id_list(options_.ids));
  if (options_.exclude_box_nm.size() % 6 != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("option exclude_box_nm: expected six numbers z0,y0,x0,z1,y1,x1 a box, found {}",
                            options_.exclude_box_nm.size()));
  }
  segmentation_ = open_finest(description.inputs.at(0));
  require_whole_numbers(*segmentation_, "labels or a prediction");
  is_prediction_ = tell_prediction(*segmentation_, options_.kind, "kind");
  if (is_prediction_ && options_.instances)
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("option instances: {} is a prediction, without objects", segmentation_->address()));
  if (options_.truth_expand_nm > 0 && options_.instances)
    throw Error(ErrorKind::kInvalidArgument,
                "options truth_expand_nm and instances: objects are not expanded; ask for one of the two");
  const VoxelGrid& grid = spec().grid;
  const storage::NamedGrid own{grid, "the segmentation"};
  truth_ = storage::fit_dataset(open_finest(description.inputs.at(1)), own, "truth");
  require_whole_numbers(*truth_.dataset, "truth");
  region_ = voxels_in(description.box_nm, spec()).intersect(truth_.coverage());
  if (description.inputs.size() > 2) {
    mask_ = storage::fit_dataset(open_finest(description.inputs[2]), own, "mask");
    require_whole_numbers(*mask_.dataset, "a mask");
    region_ = region_.intersect(mask_.coverage());
  }
  if (region_.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{} and {} have no voxel in common{}", segmentation_->address(),
                            truth_.dataset->address(),
                            description.box_nm.empty() ? "" : " in the box " + description.box_nm));
  }
  for (std::size_t i = 0; i < options_.exclude_box_nm.size(); i += 6) {
    const double* nm = options_.exclude_box_nm.data() + i;
    excluded_.push_back(grid.voxels_with_centres_in({nm[0], nm[1], nm[2]}, {nm[3], nm[4], nm[5]}));
  }
}

template <class Id, class Reduce>
void ScoredVolumes::read_cells(const storage::FittedDataset& fitted, const Box& box, ArrayView<Id> cells,
                               Reduce reduce) const {
  // Slab by slab, so that truth on a finer grid needs little more memory than the result.
  const std::int64_t planes =
      std::max<std::int64_t>(1, fitted.dataset->spec().chunk_shape.z / fitted.factor.z);
  for (std::int64_t z = box.begin.z; z < box.end.z;) {
    // Ends where chunks end, so that each is decoded once.
    const std::int64_t chunk_end =
        floor_divide(fitted.first.z + z * fitted.factor.z, planes * fitted.factor.z) + 1;
    const std::int64_t end_z =
        std::clamp(floor_divide(chunk_end * planes * fitted.factor.z - fitted.first.z, fitted.factor.z),
                   z + 1, box.end.z);
    Box slab = box;
    slab.begin.z = z;
    slab.end.z = end_z;
    const AnyArray voxels = fitted.dataset->read(fitted.cells_of(slab));
    with_ids(voxels, [&](auto ids) { reduce(ids, cells.part(slab.translate(box.begin * -1))); });
    z = end_z;
  }
}

Array<std::uint8_t> ScoredVolumes::read_counted(const Box& box) const {
  Array<std::uint8_t> counted(box.shape(), 1);
  if (has_mask()) {
    read_cells<std::uint8_t>(mask_, box, counted.view(), [&](auto values, ArrayView<std::uint8_t> cells) {
      voxel::foreground_of_cells(values, mask_.factor, voxel::WantedIds(), cells);
    });
  }
  for (const Box& excluded : excluded_) {
    const Box part = excluded.intersect(box);
    if (!part.empty())
      fill_voxels<std::uint8_t>(counted.view().part(part.translate(box.begin * -1)), std::uint8_t{0});
  }
  return counted;
}

Array<std::uint8_t> ScoredVolumes::read_truth(const Box& box) const {
  Array<std::uint8_t> truth = Array<std::uint8_t>::uninitialized(box.shape());
  read_cells<std::uint8_t>(truth_, box, truth.view(), [&](auto ids, ArrayView<std::uint8_t> cells) {
    voxel::foreground_of_cells(ids, truth_.factor, wanted_, cells);
  });
  return truth;
}

// Voxels of the truth's own grid on which a voxel depends, on each side.
Shape3 ScoredVolumes::truth_halo() const {
  const storage::DatasetSpec& fine = truth_.dataset->spec();
  const auto voxels = [&](double voxel_nm, std::int64_t extent) {
    const double reach = std::floor(options_.truth_expand_nm * (1 + kRoundingShare) / voxel_nm);
    return static_cast<std::int64_t>(std::min(reach, static_cast<double>(extent)));
  };
  const SizeNm& size = fine.grid.voxel_size_nm;
  return {voxels(size.z, fine.shape.z), voxels(size.y, fine.shape.y), voxels(size.x, fine.shape.x)};
}

Array<std::uint8_t> ScoredVolumes::read_expanded_truth(const Box& box) const {
  Array<std::uint8_t> truth = Array<std::uint8_t>::uninitialized(box.shape());
  const Box domain = truth_.dataset->spec().domain();
  const SizeNm& size_nm = truth_.dataset->spec().grid.voxel_size_nm;
  const Shape3 halo = truth_halo();
  const double squared_reach = options_.truth_expand_nm * options_.truth_expand_nm * (1 + kRoundingShare);
  // As many planes at a time as the halo has anyway, so that no voxel is measured more than about thrice.
  const std::int64_t planes = planes_at_once(truth_, halo);
  for (std::int64_t z = box.begin.z; z < box.end.z; z += planes) {
    Box slab = box;
    slab.begin.z = z;
    slab.end.z = std::min(z + planes, box.end.z);
    const Box cells = truth_.cells_of(slab);
    const Box seen = cells.grow(halo, halo).intersect(domain);
    const AnyArray voxels = truth_.dataset->read(seen);
    Array<std::uint8_t> inside = Array<std::uint8_t>::uninitialized(seen.shape());
    with_ids(voxels, [&](auto ids) { voxel::foreground_of_cells(ids, {1, 1, 1}, wanted_, inside.view()); });
    Array<float> squared_nm2 = Array<float>::uninitialized(seen.shape());
    voxel::squared_distance_transform(
        inside, size_nm, {voxel::DistanceTo::kForeground, options_.truth_expand_nm}, squared_nm2);
    Array<std::uint8_t> expanded = Array<std::uint8_t>::uninitialized(cells.shape());
    const auto distances = std::as_const(squared_nm2).view().part(cells.translate(seen.begin * -1));
    std::int64_t i = 0;
    for (std::int64_t cz = 0; cz < cells.shape().z; ++cz)
      for (std::int64_t cy = 0; cy < cells.shape().y; ++cy)
        for (std::int64_t cx = 0; cx < cells.shape().x; ++cx, ++i)
          expanded.data()[i] =
              static_cast<std::uint8_t>(static_cast<double>(distances(cz, cy, cx)) <= squared_reach);
    voxel::foreground_of_cells<std::uint8_t>(expanded, truth_.factor, voxel::WantedIds(),
                                             truth.view().part(slab.translate(box.begin * -1)));
  }
  return truth;
}

MaskArrays ScoredVolumes::read_masks(const Box& box) const {
  ORGANON_CHECK(region_.contains(box));
  MaskArrays arrays;
  arrays.counted = read_counted(box);
  arrays.truth = options_.truth_expand_nm > 0 ? read_expanded_truth(box) : read_truth(box);
  arrays.predicted = Array<std::uint8_t>::uninitialized(box.shape());
  const storage::FittedDataset own{segmentation_, {1, 1, 1}, {}};
  const double threshold = is_prediction_ ? options_.threshold : 1;
  read_cells<std::uint8_t>(
      own, box, arrays.predicted.view(), [&](auto values, ArrayView<std::uint8_t> cells) {
        // `cells` has whole rows and planes of the box: contiguous.
        for (std::int64_t i = 0; i < values.size(); ++i)
          cells.data()[i] = static_cast<std::uint8_t>(static_cast<double>(values.data()[i]) >= threshold);
      });
  for (std::int64_t i = 0; i < arrays.counted.size(); ++i) {
    arrays.truth.data()[i] &= arrays.counted.data()[i];
    arrays.predicted.data()[i] &= arrays.counted.data()[i];
  }
  return arrays;
}

ObjectArrays ScoredVolumes::read_objects(const Box& box) const {
  ORGANON_CHECK(region_.contains(box));
  const Array<std::uint8_t> counted = read_counted(box);
  ObjectArrays arrays{Array<std::uint64_t>::uninitialized(box.shape()),
                      Array<std::uint64_t>::uninitialized(box.shape())};
  const auto read = [&](const storage::FittedDataset& fitted, const voxel::WantedIds& wanted,
                        Array<std::uint64_t>& objects) {
    read_cells<std::uint64_t>(fitted, box, objects.view(), [&](auto ids, ArrayView<std::uint64_t> cells) {
      voxel::objects_of_cells(ids, fitted.factor, wanted, cells);
    });
    for (std::int64_t i = 0; i < counted.size(); ++i)
      if (counted.data()[i] == 0) objects.data()[i] = 0;
  };
  read({segmentation_, {1, 1, 1}, {}}, voxel::WantedIds(), arrays.segmented);
  read(truth_, wanted_, arrays.truth);
  return arrays;
}

std::int64_t ScoredVolumes::reading_bytes(const Shape3& shape) const {
  const auto slab_bytes = [&](const storage::FittedDataset& fitted) {
    const storage::DatasetSpec& fine = fitted.dataset->spec();
    const std::int64_t planes = std::max(fine.chunk_shape.z, fitted.factor.z);
    return (planes * shape.y * fitted.factor.y * shape.x * fitted.factor.x + fine.chunk_shape.product()) *
           static_cast<std::int64_t>(size_of(fine.data_type));
  };
  std::int64_t slab = std::max(slab_bytes(truth_), slab_bytes({segmentation_, {1, 1, 1}, {}}));
  if (has_mask()) slab = std::max(slab, slab_bytes(mask_));
  if (options_.truth_expand_nm > 0) {
    const Shape3 halo = truth_halo();
    const std::int64_t voxels = (planes_at_once(truth_, halo) * truth_.factor.z + 2 * halo.z) *
                                (shape.y * truth_.factor.y + 2 * halo.y) *
                                (shape.x * truth_.factor.x + 2 * halo.x);
    // Ids, two masks and the distance.
    slab =
        std::max(slab, voxels * (6 + static_cast<std::int64_t>(size_of(truth_.dataset->spec().data_type))));
  }
  return 3 * shape.product() + slab;
}

std::int64_t ScoredVolumes::bytes_per_voxel() const {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(spec().data_type));
  for (const storage::FittedDataset* fitted : {&truth_, &mask_}) {
    if (fitted->dataset)
      bytes +=
          fitted->factor.product() * static_cast<std::int64_t>(size_of(fitted->dataset->spec().data_type));
  }
  return bytes;
}

}  // namespace organon::stages
