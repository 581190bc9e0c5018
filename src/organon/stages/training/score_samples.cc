#include "organon/stages/training/score_samples.h"

#include <functional>

#include "organon/stages/training/batch_queue.h"
#include "organon/stages/training/boundary_levels.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kAtOnce = 2;  // see Network::predict

using Visit = std::function<void(std::size_t class_number, const Array<float>& prediction,
                                 const Array<float>& target, const Array<std::uint8_t>& mask)>;

// For each class of the first samples, an even number of them.
void predict_samples(const nn::Network& network, const std::vector<TrainingCrop>& crops,
                     const SampleOptions& options, std::int64_t num_patches, std::size_t num_makers,
                     const Visit& visit) {
  const SampleSource source(crops, options);
  const std::int64_t num_pairs = (num_patches + kAtOnce - 1) / kAtOnce;
  const auto make = [&](std::int64_t pair) {
    nn::TrainingBatch batch;
    for (std::int64_t place = 0; place < kAtOnce; ++place) {
      TrainingSample sample = source.sample(kAtOnce * pair, place);
      batch.raw.push_back(std::move(sample.raw));
      batch.targets.push_back(std::move(sample.targets));
      batch.masks.push_back(std::move(sample.masks));
    }
    return batch;
  };
  BatchQueue queue(make, 0, num_pairs, num_makers, num_makers);
  for (std::int64_t pair = 0; pair < num_pairs; ++pair) {
    const nn::TrainingBatch batch = queue.take();
    const auto predictions = network.predict(batch.raw);
    for (std::size_t s = 0; s < predictions.size(); ++s) {
      for (std::size_t c = 0; c < predictions[s].size(); ++c)
        visit(c, predictions[s][c], batch.targets[s][c], batch.masks[s][c]);
    }
  }
}

}  // namespace

std::vector<double> find_boundary_levels(const nn::Network& network, const std::vector<TrainingCrop>& crops,
                                         SampleOptions options, std::int64_t num_patches,
                                         std::size_t num_makers) {
  options.seed = mix64(options.seed);
  std::vector<BoundaryLevel> levels(network.info().classes.size());
  predict_samples(network, crops, options, num_patches, num_makers,
                  [&](std::size_t c, const Array<float>& prediction, const Array<float>& target,
                      const Array<std::uint8_t>& mask) { levels[c].add(prediction, target, mask); });
  const auto num_voxels = sum_num_voxels(crops);
  std::vector<double> best;
  for (std::size_t c = 0; c < levels.size(); ++c) best.push_back(levels[c].best(num_voxels[c]));
  return best;
}

std::vector<double> f1_on_samples(const nn::Network& network, const std::vector<TrainingCrop>& crops,
                                  SampleOptions options, std::int64_t num_patches, std::size_t num_makers) {
  options.augment = AugmentOptions::none();
  options.foreground_share = 0;
  options.rare_classes.clear();
  const std::size_t num_classes = network.info().classes.size();
  std::vector<double> both(num_classes, 0), either(num_classes, 0);
  predict_samples(network, crops, options, num_patches, num_makers,
                  [&](std::size_t c, const Array<float>& prediction, const Array<float>& target,
                      const Array<std::uint8_t>& mask) {
                    for (std::int64_t k = 0; k < target.size(); ++k) {
                      if (mask.data()[k] == 0) continue;
                      const bool is_true = target.data()[k] > 0;
                      const bool is_found = prediction.data()[k] > 0;
                      both[c] += is_true && is_found;
                      either[c] += static_cast<double>(is_true) + static_cast<double>(is_found);
                    }
                  });
  std::vector<double> scores;
  for (std::size_t c = 0; c < num_classes; ++c)
    scores.push_back(either[c] == 0 ? 1 : 2 * both[c] / either[c]);
  return scores;
}

}  // namespace organon::stages
