#include "organon/stages/training/boundary_levels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/error.h"

namespace organon::stages {
namespace {

constexpr float kLevelsPerUnit = 128;
constexpr float kFarTarget = -0.9F;
constexpr double kLeastF1 = 0.1;
// Values of stored targets: 128 t + 127; 0 has no say.
constexpr std::size_t kFirstNear = 12;
constexpr std::size_t kFirstInside = 128;

}  // namespace

void BoundaryLevel::add(const Array<float>& prediction, const Array<float>& target,
                        const Array<std::uint8_t>& mask) {
  ORGANON_CHECK(prediction.shape() == target.shape() && mask.shape() == target.shape());
  constexpr auto kMiddle = static_cast<float>(kNumLevels / 2);
  for (std::int64_t i = 0; i < target.size(); ++i) {
    if (mask.data()[i] == 0) continue;
    const float t = target.data()[i];
    const std::size_t stratum = t > 0 ? kInside : t > kFarTarget ? kNear : kFar;
    const float above = std::ceil(prediction.data()[i] * kLevelsPerUnit + kMiddle);
    ++counts_[stratum][static_cast<std::size_t>(std::clamp(above, 0.0F, static_cast<float>(kNumLevels)))];
  }
}

double BoundaryLevel::best(const std::array<std::int64_t, 256>& num_voxels) const {
  const auto voxels = [&](std::size_t begin, std::size_t end) {
    return static_cast<double>(std::accumulate(num_voxels.begin() + static_cast<std::ptrdiff_t>(begin),
                                               num_voxels.begin() + static_cast<std::ptrdiff_t>(end),
                                               std::int64_t{0}));
  };
  const std::array<double, 3> totals = {voxels(kFirstInside, 256), voxels(kFirstNear, kFirstInside),
                                        voxels(1, kFirstNear)};
  std::array<double, 3> weights{};
  for (std::size_t s = 0; s < weights.size(); ++s) {
    const auto sampled =
        static_cast<double>(std::accumulate(counts_[s].begin(), counts_[s].end(), std::int64_t{0}));
    weights[s] = sampled == 0 ? 0 : totals[s] / sampled;
  }
  constexpr auto kMiddle = static_cast<std::int64_t>(kNumLevels / 2);
  std::array<double, 3> found{};  // above the level
  double best_f1 = kLeastF1;
  std::int64_t best = kMiddle;
  for (std::int64_t level = kNumLevels - 1; level >= 0; --level) {
    for (std::size_t s = 0; s < found.size(); ++s)
      found[s] += weights[s] * static_cast<double>(counts_[s][static_cast<std::size_t>(level) + 1]);
    const double all = found[kInside] + found[kNear] + found[kFar] + totals[kInside];
    const double f1 = all == 0 ? 0 : 2 * found[kInside] / all;
    const bool is_nearer = std::abs(level - kMiddle) < std::abs(best - kMiddle);
    if (f1 > best_f1 || (f1 == best_f1 && is_nearer)) {
      best_f1 = f1;
      best = level;
    }
  }
  return static_cast<double>(best - kMiddle) / kLevelsPerUnit;
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
