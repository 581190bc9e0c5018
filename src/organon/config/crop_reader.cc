#include "organon/config/crop_reader.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/dataset.h"

namespace organon::config {
namespace {

std::string resolve(const std::filesystem::path& folder, const std::string& address) {
  return address.empty() ? address : storage::address_in(folder, address);
}

std::map<std::string, std::string> read_volumes(const TomlReader& reader, const toml::table& crop,
                                                const std::string& key, const std::filesystem::path& folder) {
  std::map<std::string, std::string> volumes;
  const toml::table* table = reader.table(crop, key);
  if (table == nullptr) return volumes;
  for (const auto& [name, node] : *table)
    volumes[std::string(name.str())] = resolve(folder, reader.text(*table, std::string(name.str()), ""));
  return volumes;
}

}  // namespace

std::vector<CropConfig> read_crops(const TomlReader& reader, const toml::node& node,
                                   const CropSurroundings& where) {
  std::vector<CropConfig> crops;
  const toml::array* array = node.as_array();
  if (array == nullptr) reader.fail(node, "crops: expected [[crops]]");
  for (const toml::node& element : *array) {
    const toml::table* entry = element.as_table();
    if (entry == nullptr) reader.fail(element, "crops: expected [[crops]]");
    reader.check_keys(
        *entry, {"name", "raw", "labels", "voxel_size_nm", "labels_voxel_size_nm", "box_nm", "role",
                 "unlabelled_id", "present", "absent", "unannotated", "partial", "masks", "own_labels"});
    CropConfig crop;
    crop.name = reader.text(*entry, "name", fmt::format("crop{}", crops.size() + 1));
    reader.check_name(element, "crops", crop.name);
    for (const CropConfig& other : crops) {
      if (other.name == crop.name)
        reader.fail(element,
                    fmt::format("crops: two are named '{}'; each needs a name of its own", crop.name));
    }
    crop.raw = resolve(where.folder, reader.text(*entry, "raw", ""));
    crop.labels = resolve(where.folder, reader.text(*entry, "labels", ""));
    if (crop.labels.empty()) reader.fail(element, fmt::format("crop {}: labels are missing", crop.name));
    crop.voxel_size_nm = reader.voxel_size(*entry, "voxel_size_nm");
    crop.labels_voxel_size_nm = reader.voxel_size(*entry, "labels_voxel_size_nm");
    crop.box_nm = reader.box(*entry, "box_nm");
    crop.role = reader.text(*entry, "role", "train");
    if (crop.role != "train" && crop.role != "validate" && crop.role != "holdout") {
      reader.fail(*entry->get("role"),
                  fmt::format("role: expected train, validate or holdout, found '{}'", crop.role));
    }
    if (const auto ids = reader.whole_numbers(*entry, "unlabelled_id"); !ids.empty()) {
      if (ids.size() != 1 || ids[0] < -1)
        reader.fail(*entry->get("unlabelled_id"),
                    "unlabelled_id: expected one id, or -1 where there is none");
      crop.unlabelled_id = ids[0];
    }
    crop.present = reader.texts(*entry, "present");
    crop.absent = reader.texts(*entry, "absent");
    crop.unannotated = reader.texts(*entry, "unannotated");
    crop.partial = reader.texts(*entry, "partial");
    crop.masks = read_volumes(reader, *entry, "masks", where.folder);
    crop.own_labels = read_volumes(reader, *entry, "own_labels", where.folder);
    try {
      check_annotations(crop, where.classes, where.taxonomy);
    } catch (const Error& error) {
      reader.fail(element, error.message());
    }
    crops.push_back(std::move(crop));
  }
  return crops;
}

}  // namespace organon::config
