#include "organon/stages/evaluation/score_objects.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "organon/array/array.h"
#include "organon/base/check.h"
#include "organon/voxel/score_masks.h"

namespace organon::stages {
namespace {

constexpr double kDecay = 1.01;

Array<std::uint8_t> mask_of(ArrayView<const std::uint64_t> objects, std::uint64_t id) {
  const Shape3 shape = objects.shape();
  Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x)
        mask(z, y, x) = static_cast<std::uint8_t>(objects(z, y, x) == id);
  return mask;
}

}  // namespace

std::vector<ObjectBox> boxes_of(ArrayView<const std::uint64_t> objects, const Box& place, bool is_truth) {
  ORGANON_CHECK(objects.shape() == place.shape());
  std::map<std::uint64_t, Box> boxes;
  const Shape3 shape = objects.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x;) {
        const std::uint64_t id = objects(z, y, x);
        const std::int64_t begin = x;
        while (x < shape.x && objects(z, y, x) == id) ++x;
        if (id == 0) continue;
        const Box run = Box{{z, y, begin}, {z + 1, y + 1, x}}.translate(place.begin);
        const auto [at, is_new] = boxes.try_emplace(id, run);
        if (!is_new) at->second = at->second.unite(run);
      }
    }
  }
  std::vector<ObjectBox> result;
  result.reserve(boxes.size());
  for (const auto& [id, box] : boxes) result.push_back({id, is_truth ? 1U : 0U, box});
  return result;
}

double hausdorff_nm(ArrayView<const std::uint64_t> segmented, ArrayView<const std::uint64_t> truth,
                    const tables::ObjectPair& pair, const SizeNm& voxel_size_nm) {
  const Array<std::uint8_t> a = mask_of(segmented, pair.segmented);
  const Array<std::uint8_t> b = mask_of(truth, pair.truth);
  const Box all = Box::of_shape(a.shape());
  const voxel::ScoreOptions whole{std::numeric_limits<double>::infinity(), 0};
  const voxel::FalseVoxels there = voxel::measure_false_voxels(a, b, all, voxel_size_nm, whole);
  const voxel::FalseVoxels back = voxel::measure_false_voxels(b, a, all, voxel_size_nm, whole);
  return static_cast<double>(std::max(there.distance_max, back.distance_max)) * voxel::kDistanceUnitNm;
}

double hausdorff_score(const tables::ObjectMatches& matches, std::span<const double> matched_nm,
                       const SizeNm& region_nm, const SizeNm& voxel_size_nm) {
  ORGANON_CHECK(matched_nm.size() == matches.true_positives);
  const std::uint64_t unmatched = matches.false_positives + matches.false_negatives;
  const auto objects = static_cast<double>(matches.true_positives + unmatched);
  if (objects == 0) return std::numeric_limits<double>::quiet_NaN();
  const SizeNm& v = voxel_size_nm;
  const double diagonal_nm = std::sqrt(v.z * v.z + v.y * v.y + v.x * v.x);
  const double largest_nm = std::min({region_nm.z, region_nm.y, region_nm.x}) / 2;
  const auto score = [&](double distance_nm) {
    return std::pow(kDecay, -std::min(distance_nm, largest_nm) / diagonal_nm);
  };
  double sum = static_cast<double>(unmatched) * score(largest_nm);
  for (const double distance_nm : matched_nm) sum += score(distance_nm);
  return sum / objects;
}

}  // namespace organon::stages
