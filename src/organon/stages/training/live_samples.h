#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/nn/network.h"
#include "organon/stages/training/sample_slice.h"
#include "organon/stages/training/sample_source.h"

namespace organon::stages {

/// Which of the steps with pictures are kept, rising: the first, the newest ones, and of those between as
/// many as there is room for, evenly thinned. Requires: rising steps.
std::vector<std::int64_t> kept_steps(std::vector<std::int64_t> steps);

/// Where classes are seen best on the slice in the middle: a few of the first samples of a source. Per class
/// the shares of the drawn voxels that have a say, and that are inside.
struct LivePatch {
  std::int64_t number = 0;  ///< SampleSource::sample(number, 0)
  std::vector<double> known;
  std::vector<double> positive;
};

/// Of `candidates`, `count` patches on which all classes are seen as well as can be: each in turn is the one
/// that adds most. A class is seen by its boundary, so that a slice half inside tells most of it.
/// Requires: as many candidates. Cost: count x candidates x classes.
std::vector<LivePatch> choose_patches(std::vector<LivePatch> candidates, std::size_t count);

/// What a training has learned so far, as pictures of the same few patches at several steps, in its folder:
///
///     samples/index.json          schemas/training_samples.schema.json: classes, patches, kept steps
///     samples/raw.png             one row of tiles: a patch each, the slice in its middle
///     samples/truth.png           a row per class: its targets there, hatched where it has no say
///     samples/step_<step>.png     the same rows: what the network predicts at that step
///
/// Colours are those of preview_samples.h. A tile is the part of the slice that is predicted, a pixel per
/// voxel of targets, cut to 256 about its middle; of many classes or large tiles fewer patches are drawn.
/// Nothing that is learned depends on them. At every moment index.json names only files that are whole, but
/// of a step that was just thinned out.
class LiveSamples {
 public:
  /// Draws raw and truth. Pictures up to `last_step` of a training that goes on are kept where they show the
  /// same patches, all others are removed. `options`: as samples are drawn; they are not varied here.
  /// Requires: crops as SampleSource. Memory: the raw of four patches, and a picture.
  LiveSamples(const std::filesystem::path& training_folder, std::vector<std::string> classes,
              const std::vector<TrainingCrop>& crops, const SampleOptions& options, std::int64_t last_step);

  /// Adds the picture of the network's step, where it has none yet.
  void write(const nn::Network& network);
  /// The same, unless pictures would take more than a fiftieth of the time since the beginning, and five
  /// seconds.
  void write_if_affordable(const nn::Network& network);

 private:
  std::filesystem::path path_of(std::int64_t step) const;
  void write_index() const;

  std::filesystem::path folder_;
  std::vector<std::string> classes_;
  MiddleSlice slice_;
  Box tile_;  ///< of the slice, z: 0
  std::vector<LivePatch> patches_;
  std::vector<std::vector<Array<float>>> batches_;  ///< raw of the patches, in order
  std::vector<std::int64_t> steps_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::duration spent_{};
};

}  // namespace organon::stages
