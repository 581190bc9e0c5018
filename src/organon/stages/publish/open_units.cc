#include "organon/stages/publish/open_units.h"

#include <utility>

#include "organon/base/check.h"

namespace organon::stages {

OpenUnits::OpenUnits(const storage::DatasetSpec& spec, std::size_t number, std::int64_t most_open,
                     blockwise::BlockOutput& output)
    : spec_(spec),
      number_(number),
      most_open_(static_cast<std::size_t>(most_open)),
      output_(output),
      chunks_(spec.domain(), spec.chunk_shape),
      units_(spec.domain(), storage::stored_shape(spec)) {}

std::size_t OpenUnits::place_in_unit(const Index3& position, const Box& unit) const {
  const Box chunks = chunks_.positions_touching(unit);
  const Index3 place = position - chunks.begin;
  const Shape3 shape = chunks.shape();
  return static_cast<std::size_t>((place.z * shape.y + place.y) * shape.x + place.x);
}

bool OpenUnits::has(const Box& box) const {
  const Index3 position = units_.position_containing(box.begin);
  const std::int64_t id = units_.id_of(position);
  if (written_.contains(id)) return true;
  const auto unit = open_.find(id);
  return unit != open_.end() &&
         unit->second
             .has_chunk[place_in_unit(chunks_.position_containing(box.begin), units_.box_of(position))];
}

void OpenUnits::put(const Box& box, const AnyArray& voxels) {
  const Index3 position = units_.position_containing(box.begin);
  const std::int64_t id = units_.id_of(position);
  const Box unit_box = units_.box_of(position);
  if (unit_box == box) {
    output_.write(number_, box, voxels);
    written_.insert(id);
    return;
  }
  const auto [found, is_new] = open_.try_emplace(id);
  Unit& unit = found->second;
  if (is_new) {
    ORGANON_CHECK(open_.size() <= most_open_);
    unit.voxels = AnyArray(spec_.data_type, unit_box.shape());
    unit.num_missing = chunks_.positions_touching(unit_box).volume();
    unit.has_chunk.resize(static_cast<std::size_t>(unit.num_missing));
  }
  const std::size_t place = place_in_unit(chunks_.position_containing(box.begin), unit_box);
  ORGANON_CHECK(!unit.has_chunk[place]);
  dispatch(spec_.data_type, [&](auto zero) {
    using T = decltype(zero);
    copy_overlap<T>(voxels.view<T>(), box, unit.voxels.view<T>(), unit_box);
  });
  unit.has_chunk[place] = true;
  if (--unit.num_missing > 0) return;
  output_.write(number_, unit_box, unit.voxels);
  open_.erase(found);
  written_.insert(id);
}

}  // namespace organon::stages
