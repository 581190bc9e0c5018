#include "organon/voxel/label_components.h"

#include <algorithm>
namespace organon::voxel {
namespace {

// Fills [begin, end) of a row of `width` labels; what comes after `end` may be overwritten, so that a short
// run costs no step that is hard to foresee.
inline void fill(std::uint32_t* row, std::int64_t begin, std::int64_t end, std::int64_t width,
                 std::uint32_t label) {
  constexpr std::int64_t kStep = 32;
  if (end + kStep > width) {
    std::fill(row + begin, row + end, label);
    return;
  }
  std::int64_t x = begin;
  do {
    std::fill_n(row + x, kStep, label);
    x += kStep;
  } while (x < end);
}

}  // namespace

Components label_runs(const ConnectedRuns& found, ArrayView<std::uint32_t> labels) {
  const Shape3 shape = labels.shape();
  ORGANON_CHECK(labels.stride().x == 1);
  Components result;
  result.components.reserve(found.num_components);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      std::uint32_t* row = labels.row(z, y);
      std::int64_t filled = 0;
      const auto position = static_cast<std::size_t>(z * shape.y + y);
      for (std::uint32_t i = found.row_begins[position]; i < found.row_begins[position + 1]; ++i) {
        const Run& run = found.runs[i];
        const std::uint32_t label = found.components[i];
        if (label > result.components.size()) {
          result.components.push_back(
              {(z * shape.y + y) * shape.x + run.begin, 0, {{z, y, run.begin}, {z + 1, y + 1, run.end}}});
        }
        Component& component = result.components[label - 1];
        component.voxels += run.end - run.begin;
        // Never empty, and z only grows.
        Box& box = component.box;
        box.end.z = z + 1;
        box.begin.y = std::min(box.begin.y, y);
        box.end.y = std::max(box.end.y, y + 1);
        box.begin.x = std::min<std::int64_t>(box.begin.x, run.begin);
        box.end.x = std::max<std::int64_t>(box.end.x, run.end);
        if (filled < run.begin) fill(row, filled, run.begin, shape.x, 0);
        fill(row, run.begin, run.end, shape.x, label);
        filled = run.end;
      }
      std::fill(row + filled, row + shape.x, 0u);
    }
  }
  return result;
}

Components label_components(ArrayView<const std::uint8_t> mask, Connectivity connectivity,
                            ArrayView<std::uint32_t> labels) {
  ORGANON_CHECK(labels.shape() == mask.shape());
  return label_runs(connect_runs(mask, RunsOf::kNonzero, connectivity), labels);
}

template <class Id>
Components label_equal_ids(ArrayView<const Id> ids, Connectivity connectivity,
                           ArrayView<std::uint32_t> labels) {
  ORGANON_CHECK(labels.shape() == ids.shape());
  return label_runs(connect_runs(ids, RunsOf::kEqualIds, connectivity), labels);
}

#define ORGANON_INSTANTIATE(Id) \
  template Components label_equal_ids<Id>(ArrayView<const Id>, Connectivity, ArrayView<std::uint32_t>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
