#include "organon/storage/zarr/zarr_hierarchy.h"

#include "organon/storage/json_fields.h"
#include "organon/storage/n5/n5_metadata.h"

namespace organon::storage {

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
  if (resolution == nullptr) return std::nullopt;
  const SizeNm size = size_of_voxel(*resolution, AxisOrder::kZyx, where);
  const Json* offset = optional_field(attributes, "offset");
  const SizeNm corner = offset != nullptr ? size_of_voxel(*offset, AxisOrder::kZyx, where) : SizeNm{0, 0, 0};
  return VoxelGrid{size, {corner.z + size.z / 2, corner.y + size.y / 2, corner.x + size.x / 2}};
}

}  // namespace organon::storage
