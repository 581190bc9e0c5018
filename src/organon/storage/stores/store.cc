#include "organon/storage/stores/store.h"

#include <algorithm>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// Of the formats: names of files that make a dataset or group exist.
bool is_metadata(const std::string& name) {
  return name == "attributes.json" || name == "zarr.json" || name == "info" || name.starts_with(".z");
}

void remove_below(const Place& folder) {
  std::vector<std::string> names = folder.store->list(folder.key);
  std::stable_partition(names.begin(), names.end(), is_metadata);
  for (const std::string& name : names) {
    if (name.ends_with('/'))
      remove_below(folder / name.substr(0, name.size() - 1));
    else
      folder.store->remove((folder / name).key);
  }
}

}  // namespace

bool has_anything(const Place& place) {
  if (const auto local = place.store->local_path(place.key)) return std::filesystem::exists(*local);
  if (place.exists()) return true;
  try {
    return !place.store->list(place.key).empty();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnsupported) throw;
    return false;  // a web server does not tell
  }
}

void remove_all(const Place& folder) {
  if (const auto local = folder.store->local_path(folder.key)) {
    const std::filesystem::path grave = local->parent_path() / (".deleted-" + local->filename().string());
    std::filesystem::remove_all(grave);
    if (std::filesystem::exists(*local)) std::filesystem::rename(*local, grave);
    std::filesystem::remove_all(grave);
    return;
  }
  remove_below(folder);
  folder.store->remove(folder.key);
}

}  // namespace organon::storage
