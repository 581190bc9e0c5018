#include "organon/storage/zarr/consolidated_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/zarr/ngff_labels.h"

namespace organon::storage {
namespace {

constexpr const char* kFileOfVersion2 = ".zmetadata";
constexpr const char* kFileOfVersion3 = "zarr.json";
constexpr std::string_view kArrayFile = ".zarray";

ConsolidatedArray array_from(std::string_view path, const Json& node, const char* type_key) {
  ConsolidatedArray array;
  array.path = path;
  if (const Json* shape = optional_field(node, "shape"); shape != nullptr && shape->is_array()) {
    for (const Json& size : *shape) {
      const bool is_size = size.is_number_unsigned() && size.get<std::uint64_t>() <= INT64_MAX;
      array.shape.push_back(is_size ? size.get<std::int64_t>() : -1);
    }
    if (std::ranges::count(array.shape, -1) > 0) array.shape.clear();
  }
  // Structured types have no short name; a hostile one must not reach a terminal.
  const Json* type = optional_field(node, type_key);
  if (type != nullptr && type->is_string() && is_safe_node_path(type->get_ref<const std::string&>()))
    array.type = type->get<std::string>();
  return array;
}

// In version 2 the files of a node by their names, in version 3 nodes.
void add_arrays(const Json& metadata, bool is_version_3, std::vector<ConsolidatedArray>& arrays) {
  for (const auto& [key, node] : metadata.items()) {
    std::string_view path = key;
    if (is_version_3) {
      const Json* kind = optional_field(node, "node_type");
      if (kind == nullptr || *kind != "array") continue;
    } else {
      if (!path.ends_with(kArrayFile)) continue;
      path.remove_suffix(kArrayFile.size());
      if (!path.ends_with('/')) continue;
      path.remove_suffix(1);
    }
    if (is_safe_node_path(path))
      arrays.push_back(array_from(path, node, is_version_3 ? "data_type" : "dtype"));
  }
}

// Without the lock where the caller holds it.
void drop_in(const Place& folder, bool is_locked) {
  const Place old = folder / kFileOfVersion2;
  if (old.exists()) old.store->remove(old.key);
  const Place file = folder / kFileOfVersion3;
  auto node = read_json_object(file);
  if (!node || !node->contains(kConsolidatedKey)) return;
  if (is_locked) {
    node->erase(kConsolidatedKey);
    return write_json(file, *node);
  }
  const FolderLock lock(folder);
  node = read_json_object(file);
  if (node && node->erase(kConsolidatedKey) > 0) write_json(file, *node);
}

}  // namespace

std::vector<ConsolidatedArray> consolidated_arrays_of(const Json& json, std::string_view where) {
  const Json* copy = optional_field(json, kConsolidatedKey);
  const bool is_version_3 = copy != nullptr;
  const Json* metadata = optional_field(is_version_3 ? *copy : json, "metadata");
  std::vector<ConsolidatedArray> arrays;
  if (metadata == nullptr && !is_version_3) return arrays;
  if (metadata == nullptr || !metadata->is_object())
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected an object 'metadata' of nodes", where));
  add_arrays(*metadata, is_version_3, arrays);
  std::ranges::sort(arrays, {}, &ConsolidatedArray::path);
  return arrays;
}

std::vector<ConsolidatedArray> read_consolidated_arrays(const Place& group) {
  for (const char* name : {kFileOfVersion2, kFileOfVersion3}) {
    const Place file = group / name;
    const auto json = read_json_object(file);
    if (!json) continue;
    if (name == kFileOfVersion3 && !json->contains(kConsolidatedKey)) continue;
    return consolidated_arrays_of(*json, file.describe());
  }
  return {};
}

void drop_consolidated_metadata(const Place& node) {
  drop_in(node, true);
  // Up to the top of the hierarchy, or of the store where no name tells it.
  std::filesystem::path folder = node.path();
  while (folder.extension() != ".zarr") {
    folder = folder.parent_path();
    if (!folder.has_relative_path()) break;
    drop_in(node.at(folder), false);
  }
}

}  // namespace organon::storage
