#include "organon/voxel/fill_holes.h"

#include <algorithm>

namespace organon::voxel {
namespace {

// Notes the ids of voxels beside a component.
template <class Id>
void meet(Surroundings& surroundings, const Id* begin, const Id* end) {
  const auto known = static_cast<Id>(surroundings.met_id);
  // Nearly always all are known: without a branch in the loop, so that it becomes vector code.
  bool any_new = false;
  for (const Id* id = begin; id != end; ++id) any_new |= (*id != 0) & (*id != known);
  if (!any_new) return;
  for (const Id* id = begin; id != end; ++id) {
    if (*id == 0 || *id == surroundings.met_id) continue;
    if (surroundings.met_id != 0) surroundings.meets_several = true;
    surroundings.met_id = surroundings.met_id == 0 ? *id : surroundings.met_id;
  }
}

// What lies around the components of `found`, the background of `part`.
template <class Id>
std::vector<Surroundings> surroundings_of(const ConnectedRuns& found, ArrayView<const Id> labels,
                                          const Box& part, const Box& volume) {
  std::vector<Surroundings> result(found.num_components);
  const Shape3 shape = part.shape();
  found.for_each(shape.y, [&](std::int64_t z, std::int64_t y, const Run& run, std::uint32_t component) {
    const Box voxels = Box{{z, y, run.begin}, {z + 1, y + 1, run.end}}.translate(part.begin);
    if (!volume.contains(voxels.grow(1))) result[component - 1].touches_edge = true;
  });
  const Box seen = Box::of_shape(labels.shape()).intersect(volume);
  found.for_each(shape.y, [&](std::int64_t z, std::int64_t y, const Run& run, std::uint32_t component) {
    Surroundings& surroundings = result[component - 1];
    if (surroundings.touches_edge || surroundings.meets_several) return;
    const Box around =
        Box{{z, y, run.begin}, {z + 1, y + 1, run.end}}.translate(part.begin).grow(1).intersect(seen);
    for (std::int64_t near_z = around.begin.z; near_z < around.end.z; ++near_z) {
      for (std::int64_t near_y = around.begin.y; near_y < around.end.y; ++near_y) {
        const Id* row = labels.row(near_z, near_y);
        meet(surroundings, row + around.begin.x, row + around.end.x);
      }
    }
  });
  return result;
}

}  // namespace

template <class Id>
std::int64_t fill_holes(ArrayView<Id> labels) {
  const Box volume = Box::of_shape(labels.shape());
  const ConnectedRuns found = connect_runs<Id>(labels, RunsOf::kZero, Connectivity::kFace);
  const auto surroundings = surroundings_of<Id>(found, labels, volume, volume);
  std::int64_t num_filled = 0;
  found.for_each(labels.shape().y,
                 [&](std::int64_t z, std::int64_t y, const Run& run, std::uint32_t component) {
                   const Surroundings& around = surroundings[component - 1];
                   if (!around.is_hole()) return;
                   Id* row = labels.row(z, y);
                   std::fill(row + run.begin, row + run.end, static_cast<Id>(around.met_id));
                   num_filled += run.end - run.begin;
                 });
  return num_filled;
}

template <class Id>
Background label_background(ArrayView<const Id> labels, const Box& part, const Box& volume,
                            ArrayView<std::uint32_t> components) {
  ORGANON_CHECK(components.shape() == part.shape());
  const ConnectedRuns found = connect_runs<Id>(labels.part(part), RunsOf::kZero, Connectivity::kFace);
  return {label_runs(found, components), surroundings_of<Id>(found, labels, part, volume)};
}

#define ORGANON_INSTANTIATE(Id)                                                         \
  template std::int64_t fill_holes<Id>(ArrayView<Id>);                                  \
  template Background label_background<Id>(ArrayView<const Id>, const Box&, const Box&, \
                                           ArrayView<std::uint32_t>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
