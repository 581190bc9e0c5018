#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/tables/object_table.h"

namespace organon::tables {

/// `count` voxels have id `first` in one labels dataset and `second` in the other.
struct Overlap {
  ObjectId first = 0;
  ObjectId second = 0;
  std::uint64_t count = 0;

  friend bool operator==(const Overlap&, const Overlap&) = default;
};

/// How often each pair of ids meets: the contingency table of two label volumes. Background (0) counts as an
/// id. Tables of parts of a volume merge to the table of the whole, in any order.
class OverlapTable {
 public:
  void add(ObjectId first, ObjectId second, std::uint64_t count = 1);
  /// Every voxel of two views of equal shape. Cost: one hash look-up per run of equal pairs along x.
  void add_voxels(ArrayView<const ObjectId> first, ArrayView<const ObjectId> second);
  void merge(const OverlapTable& other);

  std::size_t num_pairs() const { return counts_.size(); }
  std::uint64_t total() const;
  /// Ascending by (first, second): the same for the same contents.
  std::vector<Overlap> overlaps() const;

  /// 24 bytes a pair, ascending.
  std::vector<std::byte> encode() const;
  /// Inverse of encode(). Errors: kCorruptData.
  static OverlapTable decode(std::span<const std::byte> bytes);

 private:
  struct Pair {
    ObjectId first;
    ObjectId second;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  struct PairHash {
    std::size_t operator()(const Pair& pair) const;
  };
  std::unordered_map<Pair, std::uint64_t, PairHash> counts_;
};

}  // namespace organon::tables
