#include "organon/voxel/measure_interfaces.h"

#include <algorithm>
#include <array>
#include <vector>

namespace organon::voxel {
namespace {

// A face packed into one number that sorts by fragments and level: 28 bits each, and 8.
constexpr int kLevelBits = 8;
constexpr int kRankBits = 28;

// Ids of the view to ranks 1, 2, .. in ascending order, 0 to 0.
template <class Id>
class Ranks {
 public:
  explicit Ranks(ArrayView<const Id> ids) {
    const Shape3 shape = ids.shape();
    Id last = 0;
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const Id* row = ids.row(z, y);
        for (std::int64_t x = 0; x < shape.x; ++x) {
          if (row[x] == last) continue;
          last = row[x];
          if (last != 0) ids_.push_back(last);
        }
      }
      compact();
    }
    ORGANON_CHECK(ids_.size() < (std::size_t{1} << kRankBits) - 1);
  }

  const std::vector<Id>& ids() const { return ids_; }
  std::uint64_t operator()(Id id) {
    if (id == 0) return 0;
    Recent& recent = recent_[static_cast<std::size_t>(id % kNumRecent)];
    if (recent.id != id) recent = {id, std::lower_bound(ids_.begin(), ids_.end(), id) - ids_.begin() + 1};
    return static_cast<std::uint64_t>(recent.rank);
  }

 private:
  void compact() {
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  }

  // Faces come between few fragments at a time, which a search would find again and again.
  static constexpr std::uint64_t kNumRecent = 1024;
  struct Recent {
    Id id = 0;
    std::ptrdiff_t rank = 0;
  };

  std::vector<Id> ids_;
  std::vector<Recent> recent_ = std::vector<Recent>(kNumRecent);
};

}  // namespace

template <class Id>
tables::RegionGraph measure_interfaces(ArrayView<const Id> fragments, ArrayView<const std::uint8_t> levels,
                                       const Box& view_box, const Box& box, FaceLevel face_level) {
  ORGANON_CHECK(fragments.shape() == view_box.shape() && levels.shape() == view_box.shape());
  ORGANON_CHECK(fragments.stride().x == 1 && levels.stride().x == 1 && view_box.contains(box));
  Ranks<Id> ranks(fragments);
  tables::RegionGraph graph;
  for (const Id id : ranks.ids()) graph.regions.push_back({id, 0, 0});

  std::vector<std::uint64_t> faces;
  const auto add_face = [&](Id a, Id b, std::uint8_t level_a, std::uint8_t level_b) {
    const std::uint64_t rank_a = ranks(a);
    const std::uint64_t rank_b = ranks(b);
    const std::uint64_t level = face_level == FaceLevel::kLower ? std::min(level_a, level_b) : level_b;
    faces.push_back((std::min(rank_a, rank_b) << kRankBits | std::max(rank_a, rank_b)) << kLevelBits | level);
  };
  const Box own = box.translate(Index3{} - view_box.begin);
  const Index3 end = Index3(fragments.shape());
  for (std::int64_t z = own.begin.z; z < own.end.z; ++z) {
    for (std::int64_t y = own.begin.y; y < own.end.y; ++y) {
      const Id* row = fragments.row(z, y);
      const std::uint8_t* level = levels.row(z, y);
      // The three neighbours of higher index; the row itself where there is none, which makes no face.
      const Id* below = z + 1 < end.z ? fragments.row(z + 1, y) : row;
      const Id* beside = y + 1 < end.y ? fragments.row(z, y + 1) : row;
      const std::uint8_t* level_below = z + 1 < end.z ? levels.row(z + 1, y) : level;
      const std::uint8_t* level_beside = y + 1 < end.y ? levels.row(z, y + 1) : level;
      for (std::int64_t x = own.begin.x; x < own.end.x; ++x) {
        const Id id = row[x];
        if (id == 0) continue;
        tables::Region& region = graph.regions[ranks(id) - 1];
        ++region.voxels;
        region.peak_level = std::max<std::uint64_t>(region.peak_level, level[x]);
        if (below[x] != id && below[x] != 0) add_face(id, below[x], level[x], level_below[x]);
        if (beside[x] != id && beside[x] != 0) add_face(id, beside[x], level[x], level_beside[x]);
        if (x + 1 < end.x && row[x + 1] != id && row[x + 1] != 0)
          add_face(id, row[x + 1], level[x], level[x + 1]);
      }
    }
  }

  std::sort(faces.begin(), faces.end());
  constexpr std::uint64_t kRankMask = (std::uint64_t{1} << kRankBits) - 1;
  for (std::size_t i = 0; i < faces.size();) {
    std::size_t next = i;
    while (next < faces.size() && faces[next] == faces[i]) ++next;
    const ObjectId a = ranks.ids()[(faces[i] >> kLevelBits >> kRankBits) - 1];
    const ObjectId b = ranks.ids()[(faces[i] >> kLevelBits & kRankMask) - 1];
    if (graph.interfaces.empty() || graph.interfaces.back().a != a || graph.interfaces.back().b != b)
      graph.add_interface(a, b);
    graph.counts.push_back(
        {static_cast<std::uint32_t>(faces[i] & 0xFF), static_cast<std::uint32_t>(next - i)});
    i = next;
  }
  // Fragments of the voxels around the block only: their own blocks tell of them. They stay, without voxels,
  // where an interface names them.
  std::vector<bool> is_named(graph.regions.size(), false);
  for (const std::uint64_t face : faces) {
    is_named[(face >> kLevelBits >> kRankBits) - 1] = true;
    is_named[(face >> kLevelBits & kRankMask) - 1] = true;
  }
  std::size_t num_kept = 0;
  for (std::size_t i = 0; i < graph.regions.size(); ++i)
    if (graph.regions[i].voxels > 0 || is_named[i]) graph.regions[num_kept++] = graph.regions[i];
  graph.regions.resize(num_kept);
  return graph;
}

template tables::RegionGraph measure_interfaces(ArrayView<const std::uint8_t>, ArrayView<const std::uint8_t>,
                                                const Box&, const Box&, FaceLevel);
template tables::RegionGraph measure_interfaces(ArrayView<const std::uint16_t>, ArrayView<const std::uint8_t>,
                                                const Box&, const Box&, FaceLevel);
template tables::RegionGraph measure_interfaces(ArrayView<const std::uint32_t>, ArrayView<const std::uint8_t>,
                                                const Box&, const Box&, FaceLevel);
template tables::RegionGraph measure_interfaces(ArrayView<const std::uint64_t>, ArrayView<const std::uint8_t>,
                                                const Box&, const Box&, FaceLevel);

}  // namespace organon::voxel
