#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "organon/tables/object_table.h"

namespace organon::tables {

/// A fragment: its size, and the highest level inside it.
struct Region {
  ObjectId id = 0;
  std::uint64_t voxels = 0;
  std::uint64_t peak_level = 0;  ///< 0 .. 255

  friend bool operator==(const Region&, const Region&) = default;
};

/// How many voxel faces of an interface have this level.
struct LevelCount {
  std::uint32_t level = 0;  ///< 0 .. 255
  std::uint32_t faces = 0;

  friend bool operator==(const LevelCount&, const LevelCount&) = default;
};

/// Where two fragments touch: smaller id first.
struct Interface {
  ObjectId a = 0;
  ObjectId b = 0;
  std::uint64_t first_count = 0;  ///< index of its first entry in RegionGraph::counts

  friend bool operator==(const Interface&, const Interface&) = default;
};

/// Fragments and how deep their interfaces lie: all that an agglomeration needs of a volume. Graphs of parts
/// of a volume merge to the graph of the whole, exactly, in any order.
///
///     regions     ascending by id
///     interfaces  ascending by (a, b)
///     counts      of interface i: counts[interfaces[i].first_count .. interfaces[i + 1].first_count), by
///                 ascending level; the last interface's reach to the end
struct RegionGraph {
  std::vector<Region> regions;
  std::vector<Interface> interfaces;
  std::vector<LevelCount> counts;

  std::span<const LevelCount> counts_of(std::size_t interface) const;
  void add_interface(ObjectId a, ObjectId b) { interfaces.push_back({a, b, counts.size()}); }

  std::vector<std::byte> encode() const;
  /// Inverse of encode(). Errors: kCorruptData for bytes that are no graph, or break the rules above.
  static RegionGraph decode(std::span<const std::byte> bytes);

  friend bool operator==(const RegionGraph&, const RegionGraph&) = default;
};

/// Adds up sizes and faces, takes the higher peaks. Errors: kResourceExhausted beyond 2^32 - 1 faces of one
/// level at one interface. Cost: linear.
RegionGraph merge(const RegionGraph& a, const RegionGraph& b);

}  // namespace organon::tables
