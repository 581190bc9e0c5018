#pragma once

#include <cstdint>
#include <vector>

#include "organon/tables/overlap_table.h"

namespace organon::tables {

/// A segmented and a true object that match.
struct ObjectPair {
  ObjectId segmented = 0;
  ObjectId truth = 0;

  friend bool operator==(const ObjectPair&, const ObjectPair&) = default;
};

/// Objects found and missed.
struct ObjectMatches {
  std::uint64_t true_positives = 0;   ///< pairs of a segmented and a true object that match
  std::uint64_t false_positives = 0;  ///< segmented objects that match none
  std::uint64_t false_negatives = 0;  ///< true objects that match none
  double sum_of_matched_iou = 0;      ///< in order of segmented id
  std::vector<ObjectPair> pairs;      ///< those that match, ascending by segmented id

  /// 2 tp / (2 tp + fp + fn); NaN where there are no objects at all.
  double f1() const;
  /// Mean of the intersection over union of matched pairs; NaN where none match.
  double mean_matched_iou() const;
};

/// Matches objects of the first labels (segmented) with those of the second (true): a pair matches where its
/// intersection is more than half of its union. Two pairs with that cannot share an object, so the matching
/// is the only one and needs no optimization. Id 0 is background in both.
///
/// Source: [caicedo2019dsb].
ObjectMatches match_objects(const OverlapTable& overlaps);

}  // namespace organon::tables
