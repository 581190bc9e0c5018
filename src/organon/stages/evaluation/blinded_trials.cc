#include "organon/stages/evaluation/blinded_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/base/random.h"

namespace organon::stages {
namespace {

constexpr std::array<std::string_view, 4> kVerdicts = {"left", "right", "both_good", "both_bad"};

// Streams of the seed, so that no decision tells anything of another.
constexpr std::uint64_t kSides = 0x73696465;
constexpr std::uint64_t kDealing = 0x6465616c;
constexpr std::uint64_t kPlaces = 0x706c6163;

Random stream(std::uint64_t seed, std::uint64_t purpose, std::uint64_t trial) {
  return Random(mix64(seed) ^ mix64(purpose), trial);
}

Contender other(Contender one) { return one == Contender::kA ? Contender::kB : Contender::kA; }

}  // namespace

std::string_view to_string(Verdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

Verdict verdict_of(std::string_view text) {
  const auto* const at = std::find(kVerdicts.begin(), kVerdicts.end(), text);
  if (at == kVerdicts.end()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("answer: expected one of {}, found '{}'",
                                                     fmt::join(kVerdicts, ", "), text.substr(0, 40)));
  }
  return static_cast<Verdict>(at - kVerdicts.begin());
}

Contender BlindedTrials::left_of(std::uint64_t trial) const {
  return stream(seed_, kSides, trial).below(2) == 0 ? Contender::kA : Contender::kB;
}

Contender BlindedTrials::counted_for(std::uint64_t trial, Verdict verdict) const {
  switch (verdict) {
    case Verdict::kLeft:
      return left_of(trial);
    case Verdict::kRight:
      return other(left_of(trial));
    case Verdict::kBothGood:
    case Verdict::kBothBad:
      break;
  }
  return stream(seed_, kDealing, trial).below(2) == 0 ? Contender::kA : Contender::kB;
}

Box BlindedTrials::draw_box(std::uint64_t trial, const Box& domain, const Shape3& shape,
                            std::int64_t max_attempts,
                            const std::function<bool(const Box&)>& is_taken) const {
  const Index3 room = domain.end - domain.begin - Index3(shape);
  if (room.z < 0 || room.y < 0 || room.x < 0) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("boxes of {} voxels (z,y,x) do not fit into the {} voxels that all volumes cover; "
                    "ask for a smaller edge",
                    to_string(shape), to_string(domain.shape())));
  }
  Random random = stream(seed_, kPlaces, trial);
  const auto below = [&](std::int64_t most) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most) + 1));
  };
  for (std::int64_t attempt = 0; attempt < max_attempts; ++attempt) {
    const std::int64_t z = below(room.z);
    const std::int64_t y = below(room.y);
    const std::int64_t x = below(room.x);
    const Box box = Box::at(domain.begin + Index3{z, y, x}, shape);
    if (is_taken(box)) return box;
  }
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("trial {}: of {} random boxes of {} voxels none holds enough of the mask and a voxel "
                  "of either candidate; ask for a larger edge, or a smaller share of the mask",
                  trial + 1, max_attempts, to_string(shape)));
}

Shape3 cube_shape(std::int64_t edge_voxels, const SizeNm& voxel_size_nm) {
  const double edge_nm =
      static_cast<double>(edge_voxels) * std::min({voxel_size_nm.z, voxel_size_nm.y, voxel_size_nm.x});
  const auto voxels = [&](double voxel_nm) {
    return std::max<std::int64_t>(1, std::llround(edge_nm / voxel_nm));
  };
  return {voxels(voxel_size_nm.z), voxels(voxel_size_nm.y), voxels(voxel_size_nm.x)};
}

double two_sided_binomial(std::int64_t a, std::int64_t b) {
  ORGANON_CHECK(a >= 0 && b >= 0);
  const std::int64_t n = a + b;
  const std::int64_t k = std::min(a, b);
  // Ways to throw, sum over 0 .. k of n over i: whole numbers, exact below 2^53. Where they would leave the
  // range of doubles, powers of two go to the exponent.
  constexpr double kLarge = 0x1p900;
  double ways = 1;
  double sum = 1;
  std::int64_t exponent = 1 - n;
  for (std::int64_t i = 1; i <= k; ++i) {
    ways = ways * static_cast<double>(n - i + 1) / static_cast<double>(i);
    sum += ways;
    if (sum < kLarge) continue;
    ways /= kLarge;
    sum /= kLarge;
    exponent += 900;
  }
  return std::min(1.0, std::ldexp(sum, static_cast<int>(exponent)));
}

}  // namespace organon::stages
