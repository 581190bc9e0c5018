#pragma once

#include <concepts>
#include <utility>

#include "organon/array/voxel_memory.h"
#include "organon/base/check.h"

namespace organon::voxel {

/// Disjoint sets of the numbers 0 .. size-1; the root of a set is its smallest member, so the roots do not
/// depend on the order in which pairs arrive.
///
/// Id is an unsigned integer wide enough for all members. Cost: 1 Id a member; amortised O(log n) an
/// operation, near O(1) in practice, by path halving (Tarjan & van Leeuwen 1984). `find` shortens paths: one
/// thread at a time.
template <std::unsigned_integral Id>
class UnionFind {
 public:
  UnionFind() = default;
  explicit UnionFind(Id size) {
    parents_.reserve(static_cast<std::size_t>(size));
    for (Id i = 0; i < size; ++i) parents_.push_back(i);
  }

  Id size() const { return static_cast<Id>(parents_.size()); }
  /// A new set of one; returns its member.
  Id add() {
    const Id member = size();
    parents_.push_back(member);
    return member;
  }
  void reserve(Id size) { parents_.reserve(static_cast<std::size_t>(size)); }

  /// The smallest member of the set of `member`.
  Id find(Id member) {
    ORGANON_DCHECK(member < size());
    while (parents_[member] != member) {
      parents_[member] = parents_[parents_[member]];
      member = parents_[member];
    }
    return member;
  }

  /// Makes one set of both; returns its root.
  Id unite(Id a, Id b) {
    a = find(a);
    b = find(b);
    if (a == b) return a;
    if (b < a) std::swap(a, b);
    parents_[b] = a;
    return a;
  }

  bool is_root(Id member) const { return parents_[member] == member; }

  /// Per member the number of its set, 1 .. num_sets in order of their roots.
  VoxelVector<Id> numbered(Id& num_sets) && {
    num_sets = 0;
    // A parent is no larger than its member, so it has its number already.
    for (Id member = 0; member < size(); ++member) {
      parents_[member] = is_root(member) ? ++num_sets : parents_[parents_[member]];
    }
    return std::move(parents_);
  }

 private:
  VoxelVector<Id> parents_;
};

}  // namespace organon::voxel
