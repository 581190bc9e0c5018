#include "organon/tables/variation_of_information.h"

#include <cmath>
#include <limits>
#include <unordered_map>

namespace organon::tables {

VariationOfInformation variation_of_information(const OverlapTable& table) {
  const std::vector<Overlap> overlaps = table.overlaps();
  std::unordered_map<ObjectId, std::uint64_t> segmented;
  std::unordered_map<ObjectId, std::uint64_t> truth;
  std::uint64_t all = 0;
  for (const Overlap& overlap : overlaps) {
    if (overlap.second == 0) continue;
    segmented[overlap.first] += overlap.count;
    truth[overlap.second] += overlap.count;
    all += overlap.count;
  }
  if (all == 0) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  VariationOfInformation result;
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  // In the order of the pairs, so that the sums are the same for all blocks.
  for (const Overlap& overlap : overlaps) {
    if (overlap.second == 0) continue;
    const double share = ratio(overlap.count, all);
    result.split_bits += share * std::log2(ratio(truth[overlap.second], overlap.count));
    result.merge_bits += share * std::log2(ratio(segmented[overlap.first], overlap.count));
  }
  return result;
}

}  // namespace organon::tables
