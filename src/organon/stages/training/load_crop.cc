#include "organon/stages/training/load_crop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/normalize_intensity.h"

namespace organon::stages {
namespace {

constexpr double kVoxelSizeTolerance = 0.02;
constexpr std::int64_t kSlab = 64;  // slices read together: a chunk's

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::kInvalidArgument, message); }

std::vector<double> contrast_of(const CropRequest& request, const storage::Multiscale& raw) {
  if (request.contrast_limits.size() == 2) return request.contrast_limits;
  if (const auto contrast = storage::contrast_of(raw)) return {contrast->low, contrast->high};
  refuse(
      fmt::format("{}: no contrast limits are stored; give them as the option contrast_limits", request.raw));
}

// Bounding box of the voxels with a say, from the stored chunks alone.
Box annotated_box(const std::vector<std::shared_ptr<storage::Dataset>>& targets) {
  Box box;
  for (const auto& dataset : targets) {
    const BlockGrid chunks = dataset->chunk_grid();
    for (std::int64_t id = 0; id < chunks.count(); ++id) {
      const Box chunk_box = chunks.box_of(id);
      if (!dataset->chunk_exists(chunks.position_of(id)) || box.contains(chunk_box)) continue;
      TrainingCrop chunk;
      chunk.targets.push_back(dataset->read_as<std::uint8_t>(chunk_box));
      find_places(chunk);
      if (!chunk.annotated.empty()) box = box.unite(chunk.annotated.translate(chunk_box.begin));
    }
  }
  return box;
}

// A level of raw that can stand on the grid of the targets.
struct RawLevel {
  std::shared_ptr<storage::Dataset> dataset;
  std::int64_t factor = 1;  ///< raw voxels per target voxel and axis
  Index3 shift;             ///< raw voxel at the low corner of target voxel 0
};

RawLevel level_for(const storage::Multiscale& raw, const VoxelGrid& grid) {
  RawLevel best;
  for (const auto& level : raw.levels) {
    const VoxelGrid& own = level->spec().grid;
    const double ratio = grid.voxel_size_nm.x / own.voxel_size_nm.x;
    const double factor = std::round(ratio);
    const auto fits = [&](double coarse, double fine) {
      return factor >= 1 && std::abs(coarse / fine - factor) <= kVoxelSizeTolerance * factor;
    };
    if (!fits(grid.voxel_size_nm.z, own.voxel_size_nm.z) ||
        !fits(grid.voxel_size_nm.y, own.voxel_size_nm.y) ||
        !fits(grid.voxel_size_nm.x, own.voxel_size_nm.x)) {
      continue;
    }
    if (best.dataset && static_cast<double>(best.factor) <= factor) continue;
    best.dataset = level;
    best.factor = std::llround(factor);
    const auto corner = [&](double target_offset, double offset, double size) {
      return std::llround((target_offset - offset) / size - (factor - 1) / 2);
    };
    best.shift = {corner(grid.offset_nm.z, own.offset_nm.z, own.voxel_size_nm.z),
                  corner(grid.offset_nm.y, own.offset_nm.y, own.voxel_size_nm.y),
                  corner(grid.offset_nm.x, own.offset_nm.x, own.voxel_size_nm.x)};
  }
  if (!best.dataset) {
    refuse(fmt::format(
        "{}: no level has the voxel size of the targets, {} nm, or a whole fraction of it; the "
        "finest has {} nm",
        raw.address, to_string(grid.voxel_size_nm), to_string(raw.levels.at(0)->spec().grid.voxel_size_nm)));
  }
  return best;
}

}  // namespace

LoadedCrop load_crop(const CropRequest& request) {
  std::vector<std::shared_ptr<storage::Dataset>> targets;
  for (const std::string& name : request.classes) {
    targets.push_back(storage::open_dataset(request.targets + "/" + name));
    if (targets.back()->spec().shape != targets.front()->spec().shape ||
        targets.back()->spec().grid != targets.front()->spec().grid) {
      refuse(fmt::format("{}: the classes' targets lie on different grids", request.targets));
    }
  }
  const VoxelGrid& grid = targets.front()->spec().grid;
  const Box annotated = annotated_box(targets);
  if (annotated.empty()) refuse(fmt::format("{}: no voxel has a say in the loss", request.targets));

  LoadedCrop loaded;
  loaded.voxel_size_nm = grid.voxel_size_nm.x;
  const storage::Multiscale pyramid = storage::open_multiscale(request.raw);
  const RawLevel level = level_for(pyramid, grid);
  loaded.note = fmt::format("{} ({} nm{})", level.dataset->address(),
                            to_string(level.dataset->spec().grid.voxel_size_nm),
                            level.factor == 1 ? "" : fmt::format(", reduced by {}", level.factor));
  const std::int64_t f = level.factor;
  const auto to_raw = [&](const Box& box) {
    return Box{box.begin * f + level.shift, box.end * f + level.shift};
  };
  const Box raw_domain = level.dataset->spec().domain();
  if (!raw_domain.contains(to_raw(annotated))) {
    refuse(fmt::format("{}: what is annotated, {}, reaches beyond raw {}", request.targets,
                       to_string(annotated), request.raw));
  }
  // Context as far as raw reaches.
  Box box = annotated.grow(request.context);
  const auto clip = [&](std::int64_t value, std::int64_t shift, std::int64_t size, bool is_end) {
    return is_end ? std::min(value, floor_divide(size - shift, f)) : std::max(value, ceil_divide(-shift, f));
  };
  box.begin = {clip(box.begin.z, level.shift.z, raw_domain.end.z, false),
               clip(box.begin.y, level.shift.y, raw_domain.end.y, false),
               clip(box.begin.x, level.shift.x, raw_domain.end.x, false)};
  box.end = {clip(box.end.z, level.shift.z, raw_domain.end.z, true),
             clip(box.end.y, level.shift.y, raw_domain.end.y, true),
             clip(box.end.x, level.shift.x, raw_domain.end.x, true)};

  const auto limits = contrast_of(request, pyramid);
  TrainingCrop& crop = loaded.crop;
  crop.raw = Array<float>::uninitialized(box.shape());
  // Slab by slab, so that raw of any type and factor needs little memory beside the result.
  for (std::int64_t z = box.begin.z; z < box.end.z; z += kSlab) {
    const Box slab{{z, box.begin.y, box.begin.x}, {std::min(z + kSlab, box.end.z), box.end.y, box.end.x}};
    const AnyArray voxels = level.dataset->read(to_raw(slab));
    const ArrayView<float> out = crop.raw.view().part(slab.translate(Index3{} - box.begin));
    dispatch(voxels.type(), [&](auto zero) {
      voxel::normalize_intensity(voxels.view<decltype(zero)>(), f, limits[0], limits[1], out);
    });
  }
  const Box inside = box.intersect(targets.front()->spec().domain());
  for (const auto& dataset : targets) {
    Array<std::uint8_t> target(box.shape());
    copy_overlap<std::uint8_t>(dataset->read_as<std::uint8_t>(inside), inside, target, box);
    crop.targets.push_back(std::move(target));
  }
  find_places(crop);
  return loaded;
}

}  // namespace organon::stages
