#include "organon/stages/training/boundary_levels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/error.h"

namespace organon::stages {
namespace {

constexpr float kLevelsPerUnit = 128;
constexpr double kLeastInside = 100;
constexpr double kLeastF1 = 0.1;
constexpr double kLeastGain = 1.1;  // over the F1 of all voxels

constexpr std::size_t kInside = 0, kNear = 1, kFar = 2;
std::size_t stratum_of(float target) { return target > 0 ? kInside : target > -0.9F ? kNear : kFar; }

}  // namespace

void BoundaryLevel::add(const Array<float>& prediction, const Array<float>& target,
                        const Array<std::uint8_t>& mask) {
  ORGANON_CHECK(prediction.shape() == target.shape() && mask.shape() == target.shape());
  for (std::int64_t i = 0; i < target.size(); ++i) {
    if (mask.data()[i] == 0) continue;
    const float first = std::floor(-prediction.data()[i] * kLevelsPerUnit) + 1;
    const std::size_t level =
        first < static_cast<float>(kNumLevels) ? static_cast<std::size_t>(std::max(first, 0.0F)) : kNumLevels;
    ++counts_[stratum_of(target.data()[i])][level];
  }
}

double BoundaryLevel::best(const std::array<std::int64_t, 256>& num_voxels) const {
  std::array<double, 3> totals{}, sampled{}, weights{};
  // As load_crop() stores targets; 0 has no say.
  for (std::size_t value = 1; value < num_voxels.size(); ++value)
    totals[stratum_of((static_cast<float>(value) - 127) / 128)] += static_cast<double>(num_voxels[value]);
  for (std::size_t s = 0; s < weights.size(); ++s) {
    sampled[s] = static_cast<double>(std::accumulate(counts_[s].begin(), counts_[s].end(), std::int64_t{0}));
    weights[s] = sampled[s] == 0 ? 0 : totals[s] / sampled[s];
  }
  if (sampled[kInside] < kLeastInside) return 0;
  const double f1_of_all = 2 * totals[kInside] / (2 * totals[kInside] + totals[kNear] + totals[kFar]);
  std::array<double, 3> found{};  // above the level
  double best_f1 = std::max(kLeastF1, kLeastGain * f1_of_all);
  std::size_t best = 0;
  for (std::size_t level = 0; level < kNumLevels; ++level) {
    for (std::size_t s = 0; s < found.size(); ++s)
      found[s] += weights[s] * static_cast<double>(counts_[s][level]);
    const double all = found[kInside] + found[kNear] + found[kFar] + totals[kInside];
    const double f1 = all == 0 ? 0 : 2 * found[kInside] / all;
    if (f1 > best_f1) {
      best_f1 = f1;
      best = level;
    }
  }
  return best == 0 ? 0 : -static_cast<double>(best) / kLevelsPerUnit;
}

std::vector<std::array<std::int64_t, 256>> sum_num_voxels(const std::vector<TrainingCrop>& crops) {
  auto sums = crops.at(0).num_voxels;
  for (std::size_t i = 1; i < crops.size(); ++i) {
    for (std::size_t c = 0; c < sums.size(); ++c) {
      for (std::size_t value = 0; value < 256; ++value) sums[c][value] += crops[i].num_voxels[c][value];
    }
  }
  return sums;
}

}  // namespace organon::stages
