#include "organon/stages/training/sample_source.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/stages/training/patch_warp.h"
#include "organon/stages/training/vary_intensity.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kMaxForeground = 20000;
constexpr std::uint8_t kForegroundValue = 128;  // targets above 127 are inside
constexpr int kMaxTries = 50;

}  // namespace

void find_places(TrainingCrop& crop) {
  crop.foreground.clear();
  crop.num_voxels.clear();
  crop.annotated = {};
  for (const Array<std::uint8_t>& target : crop.targets) {
    const Shape3 shape = target.shape();
    std::array<std::int64_t, 256> num_voxels{};
    for (std::int64_t i = 0; i < target.size(); ++i) ++num_voxels[target.data()[i]];
    const std::int64_t count =
        std::accumulate(num_voxels.begin() + kForegroundValue, num_voxels.end(), std::int64_t{0});
    const std::int64_t every = std::max<std::int64_t>(1, (count + kMaxForeground - 1) / kMaxForeground);
    std::vector<Index3> places;
    std::int64_t seen = 0;
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const std::uint8_t* row = target.view().row(z, y);
        std::int64_t first = shape.x;
        std::int64_t last = -1;
        for (std::int64_t x = 0; x < shape.x; ++x) {
          if (row[x] == 0) continue;
          first = std::min(first, x);
          last = x;
          if (row[x] >= kForegroundValue && seen++ % every == 0) places.push_back({z, y, x});
        }
        if (last >= 0) crop.annotated = crop.annotated.unite({{z, y, first}, {z + 1, y + 1, last + 1}});
      }
    }
    crop.foreground.push_back(std::move(places));
    crop.num_voxels.push_back(num_voxels);
  }
}

SampleSource::SampleSource(const std::vector<TrainingCrop>& crops, const SampleOptions& options)
    : crops_(crops), options_(options) {
  double rare = 0;
  double common = 0;
  for (const TrainingCrop& crop : crops) {
    const bool has_rare = std::any_of(options.rare_classes.begin(), options.rare_classes.end(),
                                      [&](std::size_t number) { return !crop.foreground[number].empty(); });
    (has_rare ? rare : common) += static_cast<double>(crop.annotated.volume());
    rare_voxels_.push_back(rare);
    common_voxels_.push_back(common);
  }
  if (rare + common == 0) {
    throw Error(ErrorKind::kInvalidArgument,
                "training: no crop has an annotated voxel; look at its box and labels");
  }
}

const TrainingCrop& SampleSource::choose_crop(Random& random) const {
  const bool wants_rare = random.uniform() < options_.rare_share;
  const bool takes_rare = common_voxels_.back() == 0 || (wants_rare && rare_voxels_.back() > 0);
  const std::vector<double>& voxels = takes_rare ? rare_voxels_ : common_voxels_;
  const double at = random.uniform() * voxels.back();
  std::size_t i = 0;
  while (i + 1 < crops_.size() && voxels[i] <= at) ++i;
  return crops_[i];
}

Box SampleSource::choose_window(const TrainingCrop& crop, Random& random) const {
  const Box& box = crop.annotated;
  const Shape3& output = options_.output_shape;
  Index3 centre;
  const auto& places = crop.foreground[random.below(crop.foreground.size())];
  if (random.uniform() < options_.foreground_share && !places.empty()) {
    const auto jitter = [&](std::int64_t edge) {
      return static_cast<std::int64_t>(random.uniform(-0.35, 0.35) * static_cast<double>(edge));
    };
    centre = places[random.below(places.size())];
    centre.z += jitter(output.z);
    centre.y += jitter(output.y);
    centre.x += jitter(output.x);
  } else {
    const auto anywhere = [&](std::int64_t begin, std::int64_t end) {
      return begin + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end - begin)));
    };
    centre.z = anywhere(box.begin.z, box.end.z);
    centre.y = anywhere(box.begin.y, box.end.y);
    centre.x = anywhere(box.begin.x, box.end.x);
  }
  // Patches stay inside what is annotated where they fit, so that few voxels have no say or are mirrored.
  const auto begin_of = [&](std::int64_t value, std::int64_t begin, std::int64_t end, std::int64_t edge,
                            std::int64_t raw_edge) {
    const std::int64_t inside = end - begin <= edge
                                    ? (begin + end) / 2
                                    : std::clamp(value, begin + edge / 2, end - (edge - edge / 2));
    const std::int64_t margin = (raw_edge * options_.target_scale - edge) / 2;
    return floor_divide(inside - edge / 2 - margin, options_.target_scale);
  };
  const Shape3& shape = options_.shape;
  return Box::at({begin_of(centre.z, box.begin.z, box.end.z, output.z, shape.z),
                  begin_of(centre.y, box.begin.y, box.end.y, output.y, shape.y),
                  begin_of(centre.x, box.begin.x, box.end.x, output.x, shape.x)},
                 shape);
}

bool SampleSource::is_known_enough(const TrainingSample& sample) const {
  const std::int64_t count = options_.output_shape.product();
  std::int64_t known = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    known += std::any_of(sample.masks.begin(), sample.masks.end(),
                         [i](const Array<std::uint8_t>& mask) { return mask.data()[i] != 0; });
  }
  return static_cast<double>(known) > options_.least_known_share * static_cast<double>(count);
}

TrainingSample SampleSource::sample(std::int64_t step, std::int64_t place) const {
  Random random(mix64(options_.seed) + static_cast<std::uint64_t>(place), static_cast<std::uint64_t>(step));
  for (int tries = 1;; ++tries) {
    const TrainingCrop& crop = choose_crop(random);
    const Box window = choose_window(crop, random);
    const PatchWarp warp(options_.augment, window, options_.voxel_size_nm, random);
    const Array<float>& raw = crop.raw[random.below(crop.raw.size())];
    TrainingSample sample;
    for (std::size_t c = 0; c < crop.targets.size(); ++c) {
      sample.targets.push_back(Array<float>::uninitialized(options_.output_shape));
      sample.masks.push_back(Array<std::uint8_t>::uninitialized(options_.output_shape));
    }
    warp.take_targets(crop.targets, options_.target_scale, sample.targets, sample.masks);
    if (tries < kMaxTries && !is_known_enough(sample)) continue;
    sample.raw = Array<float>::uninitialized(options_.shape);
    warp.take_raw(raw, sample.raw);
    vary_intensity(options_.augment, warp.slice_axis(), random, sample.raw);
    return sample;
  }
}

}  // namespace organon::stages
