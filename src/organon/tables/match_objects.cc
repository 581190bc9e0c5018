#include "organon/tables/match_objects.h"

#include <limits>
#include <unordered_map>

namespace organon::tables {

double ObjectMatches::f1() const {
  const std::uint64_t all = 2 * true_positives + false_positives + false_negatives;
  return all == 0 ? std::numeric_limits<double>::quiet_NaN()
                  : 2 * static_cast<double>(true_positives) / static_cast<double>(all);
}

double ObjectMatches::mean_matched_iou() const {
  return true_positives == 0 ? std::numeric_limits<double>::quiet_NaN()
                             : sum_of_matched_iou / static_cast<double>(true_positives);
}

ObjectMatches match_objects(const OverlapTable& table) {
  const std::vector<Overlap> overlaps = table.overlaps();
  std::unordered_map<ObjectId, std::uint64_t> segmented;
  std::unordered_map<ObjectId, std::uint64_t> truth;
  for (const Overlap& overlap : overlaps) {
    if (overlap.first != 0) segmented[overlap.first] += overlap.count;
    if (overlap.second != 0) truth[overlap.second] += overlap.count;
  }
  ObjectMatches matches;
  for (const Overlap& overlap : overlaps) {
    if (overlap.first == 0 || overlap.second == 0) continue;
    const std::uint64_t either = segmented[overlap.first] + truth[overlap.second] - overlap.count;
    if (2 * overlap.count <= either) continue;
    ++matches.true_positives;
    matches.pairs.push_back({overlap.first, overlap.second});
    matches.sum_of_matched_iou += static_cast<double>(overlap.count) / static_cast<double>(either);
  }
  matches.false_positives = segmented.size() - matches.true_positives;
  matches.false_negatives = truth.size() - matches.true_positives;
  return matches;
}

}  // namespace organon::tables
