#include "organon/voxel/watershed.h"

#include <algorithm>
#include <array>

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

constexpr auto kUnknown = static_cast<std::uint32_t>(PlateauVoxel::kNoExit);

// Across faces, in raster order.
constexpr std::array<Index3, 6> kSteps = {
    {{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}}};

std::uint64_t raster_index(const Index3& index, const Shape3& shape) {
  return static_cast<std::uint64_t>((index.z * shape.y + index.y) * shape.x + index.x);
}

Index3 index_of_raster(std::uint64_t raster, const Shape3& shape) {
  const auto i = static_cast<std::int64_t>(raster);
  return {i / shape.x / shape.y, i / shape.x % shape.y, i % shape.x};
}

// Walks over a block by raster index of its own, with the values around it at hand.
class Walk {
 public:
  explicit Walk(const AscentBlock& block) : block_(block), shape_(block.box.shape()) {
    ORGANON_CHECK(block.values.shape() == block.read_box.shape() && block.read_box.contains(block.box));
    ORGANON_CHECK(block.values.stride().x == 1 && shape_.product() < kUnknown);
    for (std::size_t i = 0; i < 6; ++i) {
      const Index3& step = kSteps[i];
      own_[i] = (step.z * shape_.y + step.y) * shape_.x + step.x;
      values_[i] = step.z * block.values.stride().z + step.y * block.values.stride().y + step.x;
    }
  }

  const Shape3& shape() const { return shape_; }
  std::int64_t own_step(std::size_t step) const { return own_[step]; }

  // Calls use(i, value, sides): own raster index, pointer to the value, bit per step whose voxel is in the
  // volume, and bit per step whose voxel is in the block.
  template <class Use>
  void for_each(const Use& use) const {
    for (std::int64_t z = 0; z < shape_.z; ++z) {
      for (std::int64_t y = 0; y < shape_.y; ++y) {
        const std::uint16_t* row = value_at({z, y, 0});
        const std::int64_t first = (z * shape_.y + y) * shape_.x;
        const unsigned in_volume = sides_of_row(z, y, block_.read_box);
        const unsigned in_block = sides_of_row(z, y, block_.box);
        for (std::int64_t x = 0; x < shape_.x; ++x) {
          if (row[x] == 0) continue;
          use(first + x, row + x, in_volume | sides_of_x(x, block_.read_box),
              in_block | sides_of_x(x, block_.box));
        }
      }
    }
  }

  const std::uint16_t* value_of(std::int64_t own) const { return value_at(own_index(own)); }
  unsigned sides_in(const Index3& own, const Box& box) const {
    return sides_of_row(own.z, own.y, box) | sides_of_x(own.x, box);
  }
  Index3 own_index(std::int64_t own) const {
    return index_of_raster(static_cast<std::uint64_t>(own), shape_);
  }
  std::int64_t value_step(std::size_t step) const { return values_[step]; }
  std::uint64_t volume_raster(std::int64_t own, std::size_t step) const {
    return raster_index(own_index(own) + block_.box.begin + kSteps[step], block_.volume_shape);
  }

 private:
  const std::uint16_t* value_at(const Index3& own) const {
    const Index3 at = own + block_.box.begin - block_.read_box.begin;
    return block_.values.row(at.z, at.y) + at.x;
  }
  // Bits 0, 1, 4, 5 and 2, 3 of kSteps that stay in `box`.
  unsigned sides_of_row(std::int64_t own_z, std::int64_t own_y, const Box& box) const {
    const std::int64_t z = own_z + block_.box.begin.z;
    const std::int64_t y = own_y + block_.box.begin.y;
    return (z > box.begin.z ? 1U : 0U) | (y > box.begin.y ? 2U : 0U) | (y + 1 < box.end.y ? 16U : 0U) |
           (z + 1 < box.end.z ? 32U : 0U);
  }
  unsigned sides_of_x(std::int64_t own_x, const Box& box) const {
    const std::int64_t x = own_x + block_.box.begin.x;
    return (x > box.begin.x ? 4U : 0U) | (x + 1 < box.end.x ? 8U : 0U);
  }

  const AscentBlock& block_;
  Shape3 shape_;
  std::array<std::int64_t, 6> own_{};
  std::array<std::int64_t, 6> values_{};
};

template <class T>
void check_contiguous(ArrayView<const T> view, const Shape3& shape) {
  ORGANON_CHECK(view.shape() == shape);
  ORGANON_CHECK(view.stride() == (Stride3{shape.y * shape.x, shape.x, 1}));
}

const PlateauVoxel* find(std::span<const PlateauVoxel> sorted, std::uint64_t voxel) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), voxel,
                                   [](const PlateauVoxel& a, std::uint64_t b) { return a.voxel < b; });
  return at != sorted.end() && at->voxel == voxel ? &*at : nullptr;
}

}  // namespace

void distances_to_exits(const AscentBlock& block, std::span<const PlateauVoxel> around,
                        ArrayView<std::uint32_t> distance_voxels) {
  const Walk walk(block);
  check_contiguous<std::uint32_t>(distance_voxels, walk.shape());
  std::uint32_t* const distance = distance_voxels.data();
  std::fill_n(distance, walk.shape().product(), kUnknown);
  walk.for_each([&](std::int64_t i, const std::uint16_t* value, unsigned in_volume, unsigned) {
    for (std::size_t step = 0; step < 6; ++step) {
      if ((in_volume >> step & 1U) == 0 || value[walk.value_step(step)] <= *value) continue;
      distance[i] = 0;
      return;
    }
  });

  // Where plateaus of other blocks lead in: voxel of the block and its distance then.
  struct Entry {
    std::uint32_t distance;
    std::int64_t own;
  };
  std::vector<Entry> entries;
  for (const PlateauVoxel& other : around) {
    if (other.distance_voxels == PlateauVoxel::kNoExit) continue;
    const Index3 index = index_of_raster(other.voxel, block.volume_shape);
    if (!block.read_box.contains(index)) continue;
    const Index3 at = index - block.read_box.begin;
    const std::uint16_t value = block.values(at);
    for (const Index3& step : kSteps) {
      const Index3 near = index + step;
      if (!block.box.contains(near) || block.values(near - block.read_box.begin) != value) continue;
      entries.push_back({static_cast<std::uint32_t>(other.distance_voxels) + 1,
                         static_cast<std::int64_t>(raster_index(near - block.box.begin, walk.shape()))});
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.distance < b.distance; });

  // Breadth first from all exits at once; entries join when their distance comes.
  std::vector<std::int64_t> level;
  walk.for_each([&](std::int64_t i, const std::uint16_t* value, unsigned, unsigned in_block) {
    if (distance[i] != kUnknown) return;
    for (std::size_t step = 0; step < 6; ++step) {
      if ((in_block >> step & 1U) == 0 || value[walk.value_step(step)] != *value) continue;
      if (distance[i + walk.own_step(step)] != 0) continue;
      level.push_back(i);
      return;
    }
  });
  std::vector<std::int64_t> next;
  std::size_t entry = 0;
  for (std::uint32_t d = 1;; ++d) {
    if (level.empty()) {
      if (entry == entries.size()) break;
      d = entries[entry].distance;
    }
    for (; entry < entries.size() && entries[entry].distance == d; ++entry)
      level.push_back(entries[entry].own);
    next.clear();
    for (const std::int64_t i : level)
      if (distance[i] > d) distance[i] = d;
    for (const std::int64_t i : level) {
      if (distance[i] != d) continue;
      const std::uint16_t* value = walk.value_of(i);
      const unsigned in_block = walk.sides_in(walk.own_index(i), block.box);
      for (std::size_t step = 0; step < 6; ++step) {
        if ((in_block >> step & 1U) == 0 || value[walk.value_step(step)] != *value) continue;
        const std::int64_t near = i + walk.own_step(step);
        if (distance[near] != kUnknown) continue;
        // Marked, so that it is queued once.
        distance[near] = d + 1;
        next.push_back(near);
      }
    }
    level.swap(next);
  }
}

std::vector<PlateauVoxel> plateau_voxels_at_faces(const AscentBlock& block,
                                                  ArrayView<const std::uint32_t> distance_voxels) {
  const Walk walk(block);
  std::vector<PlateauVoxel> voxels;
  walk.for_each([&](std::int64_t i, const std::uint16_t* value, unsigned in_volume, unsigned in_block) {
    const unsigned outside = in_volume & ~in_block;
    if (outside == 0) return;
    for (std::size_t step = 0; step < 6; ++step) {
      if ((outside >> step & 1U) == 0 || value[walk.value_step(step)] != *value) continue;
      voxels.push_back(
          {raster_index(walk.own_index(i) + block.box.begin, block.volume_shape), distance_voxels.data()[i]});
      return;
    }
  });
  return voxels;
}

BlockBasins label_basins(const AscentBlock& block, std::span<const PlateauVoxel> around,
                         ArrayView<const std::uint32_t> distance_voxels, ArrayView<std::uint32_t> labels) {
  const Walk walk(block);
  check_contiguous<std::uint32_t>(distance_voxels, walk.shape());
  check_contiguous<std::uint32_t>(labels, walk.shape());
  const std::uint32_t* const distance = distance_voxels.data();
  std::uint32_t* const label = labels.data();
  BlockBasins basins;
  std::vector<Component>& components = basins.components.components;

  // The step of every voxel; 6 at a top.
  std::vector<std::uint8_t> step_of(static_cast<std::size_t>(walk.shape().product()), 7);
  walk.for_each([&](std::int64_t i, const std::uint16_t* value, unsigned in_volume, unsigned in_block) {
    std::uint8_t best = 6;
    if (distance[i] == 0) {
      std::uint16_t highest = *value;
      for (std::size_t step = 0; step < 6; ++step) {
        if ((in_volume >> step & 1U) == 0 || value[walk.value_step(step)] <= highest) continue;
        highest = value[walk.value_step(step)];
        best = static_cast<std::uint8_t>(step);
      }
    } else if (distance[i] != kUnknown) {
      for (std::size_t step = 0; step < 6; ++step) {
        if ((in_volume >> step & 1U) == 0 || value[walk.value_step(step)] != *value) continue;
        std::uint64_t there = PlateauVoxel::kNoExit;
        if ((in_block >> step & 1U) != 0) {
          there = distance[i + walk.own_step(step)];
        } else if (const PlateauVoxel* other = find(around, walk.volume_raster(i, step))) {
          there = other->distance_voxels;
        }
        if (there + 1 != distance[i]) continue;
        best = static_cast<std::uint8_t>(step);
        break;
      }
      ORGANON_CHECK(best < 6);
    }
    step_of[static_cast<std::size_t>(i)] = best;
  });

  std::fill_n(label, walk.shape().product(), 0U);
  std::vector<std::int64_t> way;
  const auto give = [&](std::int64_t own, std::uint32_t number) {
    label[own] = number;
    ++components[number - 1].voxels;
  };
  walk.for_each([&](std::int64_t start, const std::uint16_t*, unsigned, unsigned) {
    if (label[start] != 0) return;
    way.clear();
    std::int64_t at = start;
    std::uint32_t number = 0;
    while (true) {
      way.push_back(at);
      const std::uint8_t step = step_of[static_cast<std::size_t>(at)];
      const bool is_top = step == 6;
      const bool leaves = !is_top && (walk.sides_in(walk.own_index(at), block.box) >> step & 1U) == 0;
      if (!is_top && !leaves) {
        at += walk.own_step(step);
        number = label[at];
        if (number == 0) continue;
        break;
      }
      components.push_back({start, 0, {}});
      number = static_cast<std::uint32_t>(components.size());
      if (leaves) {
        basins.exits.push_back({walk.volume_raster(at, step), number, 0});
        break;
      }
      // All of the top, by flooding it.
      way.pop_back();
      std::vector<std::int64_t> top = {at};
      give(at, number);
      while (!top.empty()) {
        const std::int64_t i = top.back();
        top.pop_back();
        const std::uint16_t* value = walk.value_of(i);
        const unsigned in_block = walk.sides_in(walk.own_index(i), block.box);
        for (std::size_t s = 0; s < 6; ++s) {
          if ((in_block >> s & 1U) == 0 || value[walk.value_step(s)] != *value) continue;
          const std::int64_t near = i + walk.own_step(s);
          if (label[near] != 0) continue;
          give(near, number);
          top.push_back(near);
        }
      }
      break;
    }
    for (const std::int64_t i : way) give(i, number);
  });

  // Tops that go on in later blocks. Neighbours that say the same are left out.
  walk.for_each([&](std::int64_t i, const std::uint16_t* value, unsigned in_volume, unsigned in_block) {
    const unsigned outside = in_volume & ~in_block;
    if ((outside & 0x38U) == 0 || step_of[static_cast<std::size_t>(i)] != 6) return;
    for (const std::size_t step : {3, 4, 5}) {
      const std::uint16_t* const beyond = value + walk.value_step(step);
      if ((outside >> step & 1U) == 0 || *beyond != *value) continue;
      const auto is_said = [&](std::size_t back) {
        return (in_block >> back & 1U) != 0 && value[walk.value_step(back)] == *value &&
               beyond[walk.value_step(back)] == *value;
      };
      // Back along the two axes of this face.
      const bool is_repeated = step == 3   ? is_said(0) || is_said(1)
                               : step == 4 ? is_said(0) || is_said(2)
                                           : is_said(1) || is_said(2);
      if (!is_repeated) basins.exits.push_back({walk.volume_raster(i, step), label[i], 0});
    }
  });
  return basins;
}

Components watershed(ArrayView<const std::uint16_t> values, ArrayView<std::uint32_t> labels) {
  const Box whole = Box::of_shape(values.shape());
  const AscentBlock block{values, whole, whole, values.shape()};
  Array<std::uint32_t> distance = Array<std::uint32_t>::uninitialized(values.shape());
  distances_to_exits(block, {}, distance);
  return label_basins(block, {}, distance, labels).components;
}

}  // namespace organon::voxel
