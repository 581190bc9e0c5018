#include "organon/stages/training/live_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "organon/base/cancellation.h"
#include "organon/base/files.h"
#include "organon/base/json.h"

namespace organon::stages {
namespace {

using storage::Rgb8;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxSteps = 24;
constexpr std::size_t kNewestSteps = 8;
constexpr std::int64_t kMaxPatches = 4;
constexpr std::int64_t kCandidates = 24;
constexpr std::size_t kPatchesAtOnce = 2;  // nn::Network::predict() takes little longer for two than for one
constexpr std::int64_t kMaxTileEdge = 256;
constexpr std::int64_t kMaxPixels = 1 << 20;  // of a picture, where it has more than one patch
constexpr int kLeastTimes = 50;               // training takes so much longer than its pictures
constexpr std::chrono::seconds kFreeTime(5);
constexpr char kFormat[] = "organon-training-samples/1";

// Patches as they are, near voxels of all classes.
SampleOptions as_drawn(SampleOptions options) {
  options.augment = AugmentOptions::none();
  options.foreground_share = 1;
  options.rare_classes.clear();
  return options;
}

Box tile_of(const MiddleSlice& slice) {
  const Shape3 predicted = slice.predicted().shape();
  const Shape3 shape{1, std::min(predicted.y, kMaxTileEdge), std::min(predicted.x, kMaxTileEdge)};
  return Box::at(
      slice.predicted().begin + Index3{0, (predicted.y - shape.y) / 2, (predicted.x - shape.x) / 2}, shape);
}

template <class Visit>  // (y, x)
void for_each_voxel(const Box& tile, const Visit& visit) {
  for (std::int64_t y = tile.begin.y; y < tile.end.y; ++y)
    for (std::int64_t x = tile.begin.x; x < tile.end.x; ++x) visit(y, x);
}

LivePatch shares_on(const TrainingSample& sample, std::int64_t number, const MiddleSlice& slice,
                    const Box& tile) {
  LivePatch patch{number, {}, {}};
  const auto num_voxels = static_cast<double>(tile.volume());
  for (std::size_t c = 0; c < sample.targets.size(); ++c) {
    std::int64_t known = 0;
    std::int64_t positive = 0;
    for_each_voxel(tile, [&](std::int64_t y, std::int64_t x) {
      if (!slice.is_known(sample, c, y, x)) return;
      ++known;
      positive += slice.of(sample.targets[c], y, x) > 0;
    });
    patch.known.push_back(static_cast<double>(known) / num_voxels);
    patch.positive.push_back(static_cast<double>(positive) / num_voxels);
  }
  return patch;
}

// A grid of tiles without gaps.
class Picture {
 public:
  Picture(const Box& tile, std::size_t num_rows, std::size_t num_columns)
      : tile_(tile),
        pixels_({1, tile.shape().y * static_cast<std::int64_t>(num_rows),
                 tile.shape().x * static_cast<std::int64_t>(num_columns)}) {}

  template <class ColorAt>  // (y, x) of the slice
  void draw(std::size_t row, std::size_t column, const ColorAt& color_at) {
    const std::int64_t down = static_cast<std::int64_t>(row) * tile_.shape().y - tile_.begin.y;
    const std::int64_t right = static_cast<std::int64_t>(column) * tile_.shape().x - tile_.begin.x;
    for_each_voxel(tile_,
                   [&](std::int64_t y, std::int64_t x) { pixels_(0, down + y, right + x) = color_at(y, x); });
  }
  std::vector<std::byte> png() const { return storage::encode_png(pixels_.view()); }

 private:
  Box tile_;
  Array<Rgb8> pixels_;
};

// Of a name step_<step>.png; -1 of another.
std::int64_t step_of(const std::string& name) {
  constexpr std::string_view kBegin = "step_";
  constexpr std::string_view kEnd = ".png";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return -1;
  std::int64_t step = -1;
  const char* end = name.data() + name.size() - kEnd.size();
  const auto [stopped, error] = std::from_chars(name.data() + kBegin.size(), end, step);
  return error == std::errc() && stopped == end ? step : -1;
}

}  // namespace

std::vector<std::int64_t> kept_steps(std::vector<std::int64_t> steps) {
  while (steps.size() > kMaxSteps) {
    // The one whose neighbours are nearest to each other leaves the smallest gap.
    std::size_t least = 1;
    for (std::size_t i = 1; i < steps.size() - kNewestSteps; ++i)
      if (steps[i + 1] - steps[i - 1] < steps[least + 1] - steps[least - 1]) least = i;
    steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(least));
  }
  return steps;
}

std::vector<LivePatch> choose_patches(std::vector<LivePatch> candidates, std::size_t count) {
  std::vector<LivePatch> chosen;
  if (candidates.empty()) return chosen;
  const std::size_t num_classes = candidates.front().known.size();
  // What a patch shows of a class's boundary, beside the best patch for it: thin classes count as much.
  const auto boundary = [](const LivePatch& patch, std::size_t c) {
    return patch.positive[c] * (patch.known[c] - patch.positive[c]);
  };
  std::vector<double> most_shown(num_classes, 0);
  for (const LivePatch& patch : candidates)
    for (std::size_t c = 0; c < num_classes; ++c) most_shown[c] = std::max(most_shown[c], boundary(patch, c));
  const auto adds = [&](const LivePatch& patch, std::size_t c) {
    return most_shown[c] > 0 ? boundary(patch, c) / most_shown[c] : 0;
  };
  std::vector<double> seen(num_classes, 0);
  while (chosen.size() < count) {
    std::size_t best = 0;
    double most = -1;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      // The root makes the first sight of a class worth more than a second one of another.
      double gain = 0;
      for (std::size_t c = 0; c < num_classes; ++c)
        gain += std::sqrt(seen[c] + adds(candidates[i], c)) - std::sqrt(seen[c]);
      if (gain > most) {
        most = gain;
        best = i;
      }
    }
    for (std::size_t c = 0; c < num_classes; ++c) seen[c] += adds(candidates[best], c);
    chosen.push_back(std::move(candidates[best]));
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return chosen;
}

LiveSamples::LiveSamples(const std::filesystem::path& training_folder, std::vector<std::string> classes,
                         const std::vector<TrainingCrop>& crops, const SampleOptions& options,
                         std::int64_t last_step)
    : folder_(training_folder / "samples"),
      classes_(std::move(classes)),
      slice_(options),
      tile_(tile_of(slice_)) {
  const SampleSource source(crops, as_drawn(options));
  std::vector<LivePatch> candidates;
  for (std::int64_t i = 0; i < kCandidates; ++i) {
    throw_if_cancelled();
    candidates.push_back(shares_on(source.sample(i, 0), i, slice_, tile_));
  }
  const std::int64_t row_pixels = tile_.volume() * static_cast<std::int64_t>(classes_.size());
  const std::int64_t num_patches = std::clamp<std::int64_t>(kMaxPixels / row_pixels, 1, kMaxPatches);
  patches_ = choose_patches(std::move(candidates), static_cast<std::size_t>(num_patches));

  Picture raw(tile_, 1, patches_.size());
  Picture truth(tile_, classes_.size(), patches_.size());
  for (std::size_t p = 0; p < patches_.size(); ++p) {
    TrainingSample sample = source.sample(patches_[p].number, 0);
    raw.draw(0, p, [&](std::int64_t y, std::int64_t x) { return grey_of_raw(slice_.raw(sample, y, x), 1); });
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      truth.draw(c, p, [&](std::int64_t y, std::int64_t x) {
        return slice_.is_known(sample, c, y, x) ? color_of_target(slice_.of(sample.targets[c], y, x))
                                                : color_of_unknown(y, x);
      });
    }
    if (p % kPatchesAtOnce == 0) batches_.emplace_back();
    batches_.back().push_back(std::move(sample.raw));
  }

  const std::vector<std::byte> raw_png = raw.png();
  const std::vector<std::byte> truth_png = truth.png();
  const bool are_same = read_file_if_exists(folder_ / "raw.png") == raw_png &&
                        read_file_if_exists(folder_ / "truth.png") == truth_png;
  std::error_code missing;
  std::vector<std::filesystem::path> others;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, missing)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (are_same && step > 0 && step <= last_step) {
      steps_.push_back(step);
    } else if (step >= 0) {
      others.push_back(entry.path());
    }
  }
  std::ranges::sort(steps_);
  write_file_atomically(folder_ / "raw.png", raw_png, Fsync::kNo);
  write_file_atomically(folder_ / "truth.png", truth_png, Fsync::kNo);
  write_index();
  for (const std::filesystem::path& path : others) std::filesystem::remove(path);
  begin_ = Clock::now();
}

std::filesystem::path LiveSamples::path_of(std::int64_t step) const {
  return folder_ / fmt::format("step_{:06}.png", step);
}

void LiveSamples::write_index() const {
  Json patches = Json::array();
  for (const LivePatch& patch : patches_)
    patches.push_back({{"known", patch.known}, {"positive", patch.positive}});
  Json steps = Json::array();
  for (const std::int64_t step : steps_)
    steps.push_back({{"step", step}, {"file", path_of(step).filename().string()}});
  write_text_atomically(folder_ / "index.json",
                        to_text({{"format", kFormat},
                                 {"classes", classes_},
                                 {"tile_pixels", {tile_.shape().y, tile_.shape().x}},
                                 {"patches", patches},
                                 {"raw", "raw.png"},
                                 {"truth", "truth.png"},
                                 {"steps", steps}}),
                        Fsync::kNo);
}

void LiveSamples::write(const nn::Network& network) {
  const std::int64_t step = network.step();
  if (!steps_.empty() && steps_.back() >= step) return;
  const Clock::time_point begin = Clock::now();
  Picture picture(tile_, classes_.size(), patches_.size());
  std::size_t column = 0;
  for (const std::vector<Array<float>>& batch : batches_) {
    for (const std::vector<Array<float>>& prediction : network.predict(batch)) {
      for (std::size_t c = 0; c < classes_.size(); ++c) {
        picture.draw(c, column, [&](std::int64_t y, std::int64_t x) {
          return color_of_target(slice_.of(prediction[c], y, x));
        });
      }
      ++column;
    }
  }
  write_file_atomically(path_of(step), picture.png(), Fsync::kNo);
  std::vector<std::int64_t> all = steps_;
  all.push_back(step);
  steps_ = kept_steps(all);
  write_index();
  for (const std::int64_t one : all)
    if (!std::ranges::binary_search(steps_, one)) std::filesystem::remove(path_of(one));
  spent_ += Clock::now() - begin;
}

void LiveSamples::write_if_affordable(const nn::Network& network) {
  if (kLeastTimes * (spent_ - kFreeTime) <= Clock::now() - begin_) write(network);
}

}  // namespace organon::stages
