#include "organon/stages/training/load_crop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

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

// A level of raw that can stand under the targets, and how the grids lie on each other:
//
//     targets (scale 2)      | 0 | 1 | 2 | 3 | 4 |      voxel 0 is the second of its cell: lead = 1
//     raw as learned from  |   0   |   1   |   2   |
//     level (factor 2)     | a |a+1|a+2| ...            shift = a
struct RawLevel {
  std::shared_ptr<storage::Dataset> dataset;
  std::int64_t factor = 1;  ///< its voxels per voxel of raw and axis
  Index3 shift;             ///< its voxel at the low corner of raw voxel 0
  Index3 lead;              ///< target voxels of raw voxel 0 before the first
};

// Of one axis: the least lead with which cells meet voxels best. (Where the level is finer than raw, any
// does.)
struct AxisFit {
  std::int64_t lead = 0;
  std::int64_t shift = 0;
};
AxisFit fit_axis(double target_offset_nm, double target_size_nm, std::int64_t scale, double offset_nm,
                 double size_nm, std::int64_t factor) {
  AxisFit best;
  double least = 2;
  for (std::int64_t lead = 0; lead < scale; ++lead) {
    const double cell_centre_nm =
        target_offset_nm + (static_cast<double>(scale - 1) / 2 - static_cast<double>(lead)) * target_size_nm;
    const double place = (cell_centre_nm - offset_nm) / size_nm - static_cast<double>(factor - 1) / 2;
    const double error = std::abs(place - std::round(place));
    if (error < least - 1e-6) {
      least = error;
      best = {lead, std::llround(place)};
    }
  }
  return best;
}

RawLevel level_for(const storage::Multiscale& raw, const VoxelGrid& targets, std::int64_t scale) {
  RawLevel best;
  const SizeNm wanted = targets.voxel_size_nm * static_cast<double>(scale);
  for (const auto& level : raw.levels) {
    const VoxelGrid& own = level->spec().grid;
    const double factor = std::round(wanted.x / own.voxel_size_nm.x);
    const auto fits = [&](double coarse, double fine) {
      return factor >= 1 && std::abs(coarse / fine - factor) <= kVoxelSizeTolerance * factor;
    };
    if (!fits(wanted.z, own.voxel_size_nm.z) || !fits(wanted.y, own.voxel_size_nm.y) ||
        !fits(wanted.x, own.voxel_size_nm.x)) {
      continue;
    }
    if (best.dataset && static_cast<double>(best.factor) <= factor) continue;
    best.dataset = level;
    best.factor = std::llround(factor);
    const auto axis = [&](double offset, double size, double own_offset, double own_size) {
      return fit_axis(offset, size, scale, own_offset, own_size, best.factor);
    };
    const SizeNm& size = targets.voxel_size_nm;
    const AxisFit z = axis(targets.offset_nm.z, size.z, own.offset_nm.z, own.voxel_size_nm.z);
    const AxisFit y = axis(targets.offset_nm.y, size.y, own.offset_nm.y, own.voxel_size_nm.y);
    const AxisFit x = axis(targets.offset_nm.x, size.x, own.offset_nm.x, own.voxel_size_nm.x);
    best.shift = {z.shift, y.shift, x.shift};
    best.lead = {z.lead, y.lead, x.lead};
  }
  if (!best.dataset) {
    refuse(fmt::format(
        "{}: no level has the voxel size of what is learned from, {} nm, or a whole fraction of it; "
        "the finest has {} nm",
        raw.address, to_string(wanted), to_string(raw.levels.at(0)->spec().grid.voxel_size_nm)));
  }
  return best;
}

Box coarsened(const Box& box, std::int64_t scale) {
  return {
      {floor_divide(box.begin.z, scale), floor_divide(box.begin.y, scale), floor_divide(box.begin.x, scale)},
      {ceil_divide(box.end.z, scale), ceil_divide(box.end.y, scale), ceil_divide(box.end.x, scale)}};
}

// Raw of `box` as networks see it, from a level finer by a whole factor: the mean of each cell, or its voxel
// at `phase`.
Array<float> read_raw(const RawLevel& level, const Box& box, const std::vector<double>& limits,
                      const std::optional<Index3>& phase) {
  Array<float> raw = Array<float>::uninitialized(box.shape());
  const std::int64_t f = level.factor;
  // Slab by slab, so that raw of any type and factor needs little memory beside the result.
  for (std::int64_t z = box.begin.z; z < box.end.z; z += kSlab) {
    const Box slab{{z, box.begin.y, box.begin.x}, {std::min(z + kSlab, box.end.z), box.end.y, box.end.x}};
    const AnyArray voxels = level.dataset->read({slab.begin * f + level.shift, slab.end * f + level.shift});
    const ArrayView<float> out = raw.view().part(slab.translate(Index3{} - box.begin));
    dispatch(voxels.type(), [&](auto zero) {
      using T = decltype(zero);
      const ArrayView<const T> all = voxels.view<T>();
      if (!phase) {
        voxel::normalize_intensity(all, f, limits[0], limits[1], out);
        return;
      }
      const Shape3 shape = slab.shape();
      Array<T> taken = Array<T>::uninitialized(shape);
      for (std::int64_t k = 0; k < shape.z; ++k) {
        for (std::int64_t y = 0; y < shape.y; ++y) {
          for (std::int64_t x = 0; x < shape.x; ++x) taken(k, y, x) = all(Index3{k, y, x} * f + *phase);
        }
      }
      voxel::normalize_intensity<T>(taken.view(), 1, limits[0], limits[1], out);
    });
  }
  return raw;
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
  const std::int64_t scale = request.target_scale;
  const storage::Multiscale pyramid = storage::open_multiscale(request.raw);
  const RawLevel level = level_for(pyramid, grid, scale);
  const std::int64_t f = level.factor;
  loaded.voxel_size_nm = grid.voxel_size_nm * static_cast<double>(scale);
  loaded.note = fmt::format("{} ({} nm{})", level.dataset->address(),
                            to_string(level.dataset->spec().grid.voxel_size_nm),
                            f == 1 ? "" : fmt::format(", reduced by {}", f));
  const Box raw_domain = level.dataset->spec().domain();
  // In voxels of raw, of which the level holds what it holds of whole ones.
  const Box needed = coarsened(annotated.translate(level.lead), scale);
  const auto first = [&](std::int64_t shift) { return ceil_divide(-shift, f); };
  const auto end = [&](std::int64_t shift, std::int64_t size) { return floor_divide(size - shift, f); };
  const Box there{{first(level.shift.z), first(level.shift.y), first(level.shift.x)},
                  {end(level.shift.z, raw_domain.end.z), end(level.shift.y, raw_domain.end.y),
                   end(level.shift.x, raw_domain.end.x)}};
  if (!there.contains(needed)) {
    refuse(fmt::format("{}: what is annotated, {}, reaches beyond raw {}", request.targets,
                       to_string(annotated), request.raw));
  }
  // Context as far as raw reaches.
  const Box box = needed.grow(request.context, request.context).intersect(there);
  const auto limits = contrast_of(request, pyramid);
  TrainingCrop& crop = loaded.crop;
  if (request.takes_phases && f > 1) {
    for (std::int64_t i = 0; i < f * f * f; ++i)
      crop.raw.push_back(read_raw(level, box, limits, Index3{i / (f * f), i / f % f, i % f}));
  } else {
    crop.raw.push_back(read_raw(level, box, limits, std::nullopt));
  }
  const Box target_box = Box{box.begin * scale, box.end * scale}.translate(Index3{} - level.lead);
  const Box inside = target_box.intersect(targets.front()->spec().domain());
  for (const auto& dataset : targets) {
    Array<std::uint8_t> target(target_box.shape());
    copy_overlap<std::uint8_t>(dataset->read_as<std::uint8_t>(inside), inside, target, target_box);
    crop.targets.push_back(std::move(target));
  }
  find_places(crop);
  return loaded;
}

}  // namespace organon::stages
