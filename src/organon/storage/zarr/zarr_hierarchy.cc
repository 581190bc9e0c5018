#include "organon/storage/zarr/zarr_hierarchy.h"

#include <fmt/format.h>

#include <cstdlib>

#include "organon/storage/json_fields.h"
#include "organon/storage/n5/n5_metadata.h"

namespace organon::storage {

namespace {

std::optional<VoxelGrid> grid_of_dimension_units(const Json& attributes, const std::string& where) {
  const Json* units = optional_field(attributes, "dimension_units");
  if (units == nullptr || !units->is_array() || units->size() < 3) return std::nullopt;
  double nm[3];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Json& unit = (*units)[units->size() - 3 + axis];
    // What has no length, or another's form of it, is no size.
    if (!unit.is_string()) return std::nullopt;
    const auto text = unit.get<std::string>();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    while (*end == ' ') ++end;
    nm[axis] = (end == text.c_str() ? 1 : number) * nm_per_unit(end, where + ": 'dimension_units'");
  }
  return VoxelGrid{{nm[0], nm[1], nm[2]}, {}};
}

}  // namespace

Json dimension_units_of(const VoxelGrid& grid, std::size_t num_channel_axes) {
  Json units = Json::array();
  units.insert(units.begin(), num_channel_axes, nullptr);
  const SizeNm& size = grid.voxel_size_nm;
  for (const double nm : {size.z, size.y, size.x}) units.push_back(fmt::format("{} nm", nm));
  return units;
}

std::vector<Place> zarr_groups_above(const Place& array) {
  std::vector<Place> groups;
  for (std::filesystem::path folder = array.path().parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    groups.push_back(array.at(folder));
    if (folder.extension() == ".zarr") return groups;
  }
  return {};
}

std::optional<VoxelGrid> grid_in_groups_above(
    const Place& array, const std::function<std::vector<NgffLevel>(const Place& group)>& levels_in) {
  constexpr int kMaxFoldersUp = 3;
  const std::filesystem::path path = array.path();
  std::filesystem::path group = path.parent_path();
  for (int i = 0; i < kMaxFoldersUp && !group.empty(); ++i, group = group.parent_path()) {
    const std::string name = path.lexically_relative(group).generic_string();
    for (const NgffLevel& level : levels_in(array.at(group)))
      if (level.path == name) return level.grid;
    if (group == group.parent_path()) break;
  }
  return std::nullopt;
}

std::optional<VoxelGrid> grid_of_transform(const Json& attributes, const std::string& where) {
  const Json* transform = optional_field(attributes, "transform");
  if (transform == nullptr || !transform->contains("scale")) return std::nullopt;
  return grid_of_cosem_transform(*transform, where);
}

std::optional<VoxelGrid> grid_of_resolution(const Json& attributes, const std::string& where) {
  const Json* resolution = optional_field(attributes, "resolution");
  if (resolution == nullptr) return grid_of_dimension_units(attributes, where);
  const SizeNm size = size_of_voxel(*resolution, AxisOrder::kZyx, where);
  const Json* offset = optional_field(attributes, "offset");
  const SizeNm corner = offset != nullptr ? size_of_voxel(*offset, AxisOrder::kZyx, where) : SizeNm{0, 0, 0};
  return VoxelGrid{size, {corner.z + size.z / 2, corner.y + size.y / 2, corner.x + size.x / 2}};
}

}  // namespace organon::storage
