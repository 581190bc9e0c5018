#include "organon/voxel/measure_objects.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

#include "organon/base/check.h"

namespace organon::voxel {
namespace {

/// Voxels [begin, end), in global x, of one slot. Slot 0 is background.
struct Run {
  std::int64_t begin;
  std::int64_t end;
  std::uint32_t slot;
};

/// Ids in order of appearance; a slot is a dense number for an id.
class Slots {
 public:
  Slots() { sums_.emplace_back(); }

  std::uint32_t of(std::uint64_t id) {
    if (id == 0) return 0;
    // Neighbouring runs ask for few ids again and again.
    Recent& recent = recent_[(id * 0x9E3779B97F4A7C15u) >> 56];
    if (recent.id != id) {
      const auto [place, is_new] = slots_.try_emplace(id, static_cast<std::uint32_t>(sums_.size()));
      if (is_new) {
        sums_.emplace_back();
        sums_.back().id = id;
      }
      recent = {id, place->second};
    }
    return recent.slot;
  }

  ObjectSums& sums(std::uint32_t slot) { return sums_[slot]; }

  /// Without background, and without ids that only the surroundings of the owned box hold.
  std::vector<ObjectSums> sorted() && {
    std::vector<ObjectSums> result(sums_.begin() + 1, sums_.end());
    std::erase_if(result, [](const ObjectSums& sums) {
      return sums.voxels == 0 &&
             std::all_of(sums.crossings.begin(), sums.crossings.end(), [](auto n) { return n == 0; });
    });
    std::sort(result.begin(), result.end(),
              [](const ObjectSums& a, const ObjectSums& b) { return a.id < b.id; });
    return result;
  }

 private:
  struct Recent {
    std::uint64_t id = 0;
    std::uint32_t slot = 0;
  };
  std::vector<ObjectSums> sums_;
  std::unordered_map<std::uint64_t, std::uint32_t> slots_;
  std::array<Recent, 256> recent_{};
};

/// The runs of the rows of one plane; row 0 is the lowest y that is looked at.
struct PlaneRuns {
  std::vector<Run> runs;
  std::vector<std::size_t> row_begins;

  std::span<const Run> row(std::int64_t y) const {
    const auto i = static_cast<std::size_t>(y);
    return {runs.data() + row_begins[i], row_begins[i + 1] - row_begins[i]};
  }
};

template <class Id>
void find_runs(const Id* row, std::int64_t width, std::int64_t first_x, Slots& slots,
               std::vector<Run>& runs) {
  std::int64_t x = 0;
  while (x < width) {
    const Id id = row[x];
    const std::int64_t begin = x;
    // Sixteen at a time while they agree.
    while (x + 16 <= width) {
      Id differing = 0;
      for (int i = 0; i < 16; ++i) differing |= row[x + i] ^ id;
      if (differing != 0) break;
      x += 16;
    }
    while (x < width && row[x] == id) ++x;
    runs.push_back({first_x + begin, first_x + x, slots.of(id)});
  }
}

void count(Slots& slots, const Run& a, const Run& b, std::size_t offset, std::int64_t pairs) {
  slots.sums(a.slot).crossings[offset] += pairs;
  slots.sums(b.slot).crossings[offset] += pairs;
}

/// Pairs (x in row a, x + dx in row b) of different slots, x within [begin, end).
void count_pairs(Slots& slots, std::span<const Run> row_a, std::span<const Run> row_b, std::int64_t dx,
                 std::size_t offset, std::int64_t begin, std::int64_t end) {
  std::size_t a = 0;
  std::size_t b = 0;
  while (a < row_a.size() && b < row_b.size()) {
    const std::int64_t end_a = row_a[a].end;
    const std::int64_t end_b = row_b[b].end - dx;
    if (row_a[a].slot != row_b[b].slot) {
      const std::int64_t pairs =
          std::min({end_a, end_b, end}) - std::max({row_a[a].begin, row_b[b].begin - dx, begin});
      if (pairs > 0) count(slots, row_a[a], row_b[b], offset, pairs);
    }
    a += end_a <= end_b;
    b += end_b <= end_a;
  }
}

void count_owned_row(Slots& slots, std::span<const Run> row, std::int64_t z, std::int64_t y,
                     std::int64_t begin, std::int64_t end) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::int64_t from = std::max(row[i].begin, begin);
    const std::int64_t to = std::min(row[i].end, end);
    if (from >= to) continue;
    if (row[i].slot != 0) {
      ObjectSums& sums = slots.sums(row[i].slot);
      const std::int64_t voxels = to - from;
      sums.voxels += voxels;
      sums.index_sum = sums.index_sum + Index3{z * voxels, y * voxels, (from + to - 1) * voxels / 2};
      sums.box = sums.box.unite({{z, y, from}, {z + 1, y + 1, to}});
    }
    if (to == row[i].end && i + 1 < row.size()) count(slots, row[i], row[i + 1], 2, 1);
  }
}

bool is_one_slot(std::span<const Run> a, std::span<const Run> b) {
  return a.size() == 1 && b.size() == 1 && a[0].slot == b[0].slot;
}

/// Index in kPairOffsets of (dz, dy, dx).
constexpr std::size_t offset_index(const Index3& offset) {
  for (std::size_t k = 0; k < kPairOffsets.size(); ++k) {
    if (kPairOffsets[k] == offset) return k;
  }
  check_failed("offset is one of kPairOffsets", __FILE__, __LINE__);
}

constexpr std::size_t kOffsetOf[4][3] = {
    {offset_index({0, 1, -1}), offset_index({0, 1, 0}), offset_index({0, 1, 1})},
    {offset_index({1, -1, -1}), offset_index({1, -1, 0}), offset_index({1, -1, 1})},
    {offset_index({1, 0, -1}), offset_index({1, 0, 0}), offset_index({1, 0, 1})},
    {offset_index({1, 1, -1}), offset_index({1, 1, 0}), offset_index({1, 1, 1})}};

// The sum of all indices must fit 63 bits whatever the object.
bool sums_fit(const Box& domain) {
  const Index3 far = max(max(domain.begin * -1, domain.end), Index3{1, 1, 1});
  return static_cast<long double>(domain.volume()) * static_cast<long double>(far.largest()) < 9.2e18L;
}

}  // namespace

template <class Id>
std::vector<ObjectSums> measure_block(ArrayView<const Id> labels, const Box& view_box, const Box& owned_box,
                                      const Box& domain) {
  ORGANON_CHECK(labels.shape() == view_box.shape() && labels.stride().x == 1);
  ORGANON_CHECK(domain.contains(owned_box) && sums_fit(domain));
  if (owned_box.empty()) return {};
  const Box seen = owned_box.grow({0, 1, 1}, {1, 1, 1}).intersect(domain);
  ORGANON_CHECK(view_box.contains(seen));

  Slots slots;
  const auto runs_of_plane = [&](std::int64_t z, PlaneRuns& plane) {
    plane.runs.clear();
    plane.row_begins.assign(1, 0);
    for (std::int64_t y = seen.begin.y; y < seen.end.y; ++y) {
      const Id* row =
          labels.row(z - view_box.begin.z, y - view_box.begin.y) + (seen.begin.x - view_box.begin.x);
      find_runs(row, seen.end.x - seen.begin.x, seen.begin.x, slots, plane.runs);
      plane.row_begins.push_back(plane.runs.size());
    }
  };

  PlaneRuns plane;
  PlaneRuns next;
  runs_of_plane(owned_box.begin.z, plane);
  for (std::int64_t z = owned_box.begin.z; z < owned_box.end.z; ++z) {
    const bool has_next = z + 1 < seen.end.z;
    if (has_next) runs_of_plane(z + 1, next);
    for (std::int64_t y = owned_box.begin.y; y < owned_box.end.y; ++y) {
      const auto row = plane.row(y - seen.begin.y);
      count_owned_row(slots, row, z, y, owned_box.begin.x, owned_box.end.x);
      const auto count_against = [&](const PlaneRuns& other, std::int64_t other_y,
                                     const std::size_t(&offsets)[3]) {
        if (other_y < seen.begin.y || other_y >= seen.end.y) return;
        const auto other_row = other.row(other_y - seen.begin.y);
        if (is_one_slot(row, other_row)) return;
        for (int dx = -1; dx <= 1; ++dx) {
          count_pairs(slots, row, other_row, dx, offsets[dx + 1], owned_box.begin.x, owned_box.end.x);
        }
      };
      count_against(plane, y + 1, kOffsetOf[0]);
      if (has_next) {
        count_against(next, y - 1, kOffsetOf[1]);
        count_against(next, y, kOffsetOf[2]);
        count_against(next, y + 1, kOffsetOf[3]);
      }
    }
    std::swap(plane, next);
  }
  return std::move(slots).sorted();
}

void add_sums(ObjectSums& into, const ObjectSums& from) {
  ORGANON_CHECK(into.id == from.id);
  into.voxels += from.voxels;
  into.index_sum = into.index_sum + from.index_sum;
  into.box = into.box.unite(from.box);
  for (std::size_t k = 0; k < into.crossings.size(); ++k) into.crossings[k] += from.crossings[k];
}

std::vector<ObjectSums> merge_sums(const std::vector<ObjectSums>& a, const std::vector<ObjectSums>& b) {
  std::vector<ObjectSums> result;
  result.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result),
             [](const ObjectSums& x, const ObjectSums& y) { return x.id < y.id; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < result.size(); ++i) {
    if (result[i].id == result[kept].id) {
      add_sums(result[kept], result[i]);
    } else {
      result[++kept] = result[i];
    }
  }
  if (!result.empty()) result.resize(kept + 1);
  return result;
}

SurfaceWeights surface_weights(const SizeNm& voxel_size_nm) {
  // Lengths of the offsets, by which axes they use: 1 = z, 2 = y, 4 = x.
  std::array<SizeNm, 8> steps{};
  std::array<double, 8> lengths{};
  for (std::size_t axes = 1; axes < 8; ++axes) {
    steps[axes] = {axes & 1 ? voxel_size_nm.z : 0, axes & 2 ? voxel_size_nm.y : 0,
                   axes & 4 ? voxel_size_nm.x : 0};
    lengths[axes] = std::sqrt(steps[axes].z * steps[axes].z + steps[axes].y * steps[axes].y +
                              steps[axes].x * steps[axes].x);
  }
  // All octants are alike, so one serves: its directions are taken on the three faces of a cube, each point
  // with the solid angle of its square.
  constexpr int kPoints = 256;
  std::array<double, 8> shares{};
  double total = 0;
  const auto add = [&](const SizeNm& direction, double solid_angle) {
    std::size_t nearest = 1;
    double best = -1;
    for (std::size_t axes = 1; axes < 8; ++axes) {
      const double cosine =
          (direction.z * steps[axes].z + direction.y * steps[axes].y + direction.x * steps[axes].x) /
          lengths[axes];
      if (cosine > best) {
        best = cosine;
        nearest = axes;
      }
    }
    shares[nearest] += solid_angle;
    total += solid_angle;
  };
  for (int i = 0; i < kPoints; ++i) {
    for (int j = 0; j < kPoints; ++j) {
      const double u = (i + 0.5) / kPoints;
      const double v = (j + 0.5) / kPoints;
      const double square = 1 + u * u + v * v;
      const double solid_angle = 1 / (square * std::sqrt(square));
      add({1, u, v}, solid_angle);
      add({v, 1, u}, solid_angle);
      add({u, v, 1}, solid_angle);
    }
  }
  SurfaceWeights weights;
  for (std::size_t k = 0; k < kPairOffsets.size(); ++k) {
    const Index3& offset = kPairOffsets[k];
    const std::size_t axes = (offset.z != 0 ? 1 : 0) | (offset.y != 0 ? 2 : 0) | (offset.x != 0 ? 4 : 0);
    const int num_axes = (offset.z != 0) + (offset.y != 0) + (offset.x != 0);
    const int num_alike = 1 << (num_axes - 1);
    weights.nm2_per_crossing[k] =
        2 * shares[axes] / total / num_alike * voxel_size_nm.product() / lengths[axes];
  }
  return weights;
}

ObjectMeasures finish_measures(const ObjectSums& sums, const VoxelGrid& grid, const SurfaceWeights& weights) {
  ORGANON_CHECK(sums.voxels > 0);
  const SizeNm& size = grid.voxel_size_nm;
  const auto voxels = static_cast<double>(sums.voxels);
  ObjectMeasures measures;
  measures.id = sums.id;
  measures.voxels = sums.voxels;
  measures.volume_nm3 = voxels * grid.voxel_volume_nm3();
  measures.surface_faces_nm2 = static_cast<double>(sums.crossings[0]) * size.y * size.x +
                               static_cast<double>(sums.crossings[1]) * size.z * size.x +
                               static_cast<double>(sums.crossings[2]) * size.z * size.y;
  for (std::size_t k = 0; k < sums.crossings.size(); ++k) {
    measures.surface_nm2 += static_cast<double>(sums.crossings[k]) * weights.nm2_per_crossing[k];
  }
  measures.centroid_nm = {grid.offset_nm.z + static_cast<double>(sums.index_sum.z) / voxels * size.z,
                          grid.offset_nm.y + static_cast<double>(sums.index_sum.y) / voxels * size.y,
                          grid.offset_nm.x + static_cast<double>(sums.index_sum.x) / voxels * size.x};
  const PointNm half{size.z / 2, size.y / 2, size.x / 2};
  measures.begin_nm = grid.to_nm(sums.box.begin) - half;
  measures.end_nm = grid.to_nm(sums.box.end) - half;
  return measures;
}

#define ORGANON_INSTANTIATE(Id) \
  template std::vector<ObjectSums> measure_block<Id>(ArrayView<const Id>, const Box&, const Box&, const Box&);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
