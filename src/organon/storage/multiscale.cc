#include "organon/storage/multiscale.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/n5/n5_dataset.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/precomputed/precomputed_dataset.h"
#include "organon/storage/zarr/ngff_group.h"
#include "organon/storage/zarr/zarr3_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

bool is_n5_dataset_folder(const Place& place) {
  const auto attributes = read_n5_attributes(place);
  return attributes && is_n5_dataset(*attributes);
}

bool is_plain_dataset(const Address& address) {
  const bool may_be_n5 = !address.format || *address.format == Format::kN5;
  const bool may_be_zarr = !address.format || *address.format == Format::kZarr2;
  const bool may_be_zarr3 = may_be_zarr || *address.format == Format::kZarr3;
  return (may_be_n5 && is_n5_dataset_folder(address.place())) ||
         (may_be_zarr && is_zarr_dataset(address.place())) ||
         (may_be_zarr3 && is_zarr3_dataset(address.place()));
}

// Folders of the levels below the group, from its metadata; empty where it says nothing of them.
std::vector<std::string> level_paths_of(const Address& address) {
  const Place place = address.place();
  if (!address.format || *address.format == Format::kPrecomputed) {
    if (auto keys = precomputed_keys(place)) return *keys;
  }
  std::vector<std::string> paths;
  if (!address.format || *address.format == Format::kZarr2) {
    if (const auto attributes = read_zarr_attributes(place)) {
      for (const NgffLevel& level : ngff_levels_of(*attributes, (place / ".zattrs").describe())) {
        paths.push_back(level.path);
      }
      if (!paths.empty()) return paths;
    }
  }
  if (!address.format || *address.format == Format::kZarr2 || *address.format == Format::kZarr3) {
    const auto attributes = read_zarr3_attributes(place);
    const Json* ome = attributes ? optional_field(*attributes, "ome") : nullptr;
    if (ome != nullptr) {
      for (const NgffLevel& level : ngff_levels_of(*ome, (place / "zarr.json").describe()))
        paths.push_back(level.path);
      if (!paths.empty()) return paths;
    }
  }
  if (!address.format || *address.format == Format::kN5) {
    if (const auto attributes = read_n5_attributes(place)) paths = cosem_level_paths(*attributes);
  }
  return paths;
}

bool holds_level(const Address& address, const std::string& name) {
  return is_plain_dataset({address.format, address.store, address.path / name, std::nullopt});
}

std::vector<std::string> numbered_levels(const Address& address) {
  std::vector<std::string> names;
  while (holds_level(address, fmt::format("s{}", names.size())))
    names.push_back(fmt::format("s{}", names.size()));
  return names;
}

bool is_precomputed_group(const Address& address) {
  if (address.format) return *address.format == Format::kPrecomputed;
  if (precomputed_keys(address.place())) return true;
  if (address.is_local() && std::filesystem::exists(address.path)) return false;
  return address.path.extension() == ".precomputed";
}

Json ratio_to_first(const SizeNm& size, const SizeNm& first) {
  return to_json(SizeNm{size.z / first.z, size.y / first.y, size.x / first.x}, AxisOrder::kXyz);
}

void write_n5_group(const Place& place, const Multiscale& pyramid) {
  const VoxelGrid& first = pyramid.levels.front()->spec().grid;
  Json group;
  group["axes"] = {"x", "y", "z"};
  group["units"] = {"nm", "nm", "nm"};
  group["scales"] = Json::array();
  group["pixelResolution"] = pixel_resolution_of(first);
  Json datasets = Json::array();
  for (const auto& level : pyramid.levels) {
    const VoxelGrid& grid = level->spec().grid;
    group["scales"].push_back(ratio_to_first(grid.voxel_size_nm, first.voxel_size_nm));
    Json dataset;
    dataset["path"] = level->path().filename().string();
    dataset["transform"] = cosem_transform_of(grid);
    datasets.push_back(dataset);
  }
  Json multiscale;
  multiscale["name"] = place.path().filename().string();
  multiscale["datasets"] = datasets;
  group["multiscales"] = Json::array({multiscale});
  set_n5_group_attributes(place, group);
}

// OME-NGFF 0.4, or 0.5 in a hierarchy of version 3.
void write_zarr_group(const Place& place, NgffVersion version, const Multiscale& pyramid,
                      const GroupDisplay& display) {
  std::vector<NgffLevel> levels;
  for (const auto& level : pyramid.levels)
    levels.push_back({level->path().filename().string(), level->spec().grid});
  const Dataset& first = *pyramid.levels.front();
  const Json attributes = first.attributes();
  NgffContent content;
  content.multiscales =
      ngff_multiscales_of(place.path().filename().string(), levels, first.spec().channels.shape.size());
  content.type = first.spec().data_type;
  if (const Json* role = optional_field(attributes, "role"); role != nullptr && role->is_string())
    content.role = role->get<std::string>();
  // One window does not speak for several channels.
  if (const Json* limits = optional_field(attributes, kContrastLimitsKey);
      limits != nullptr && first.spec().channels.count() == 1)
    content.contrast = contrast_window_of(*limits);
  content.image_label = display.image_label;
  content.omero = display.omero;
  write_ngff_group(place, version, content);
}

}  // namespace

Multiscale open_multiscale(const std::string& address) {
  const Address parsed = parse_address(address);
  Multiscale pyramid;
  pyramid.address = address;
  if (is_plain_dataset(parsed)) {
    pyramid.levels.push_back(open_dataset(address));
    return pyramid;
  }
  std::vector<std::string> names = level_paths_of(parsed);
  if (names.empty()) names = numbered_levels(parsed);
  if (names.empty()) {
    // One scale of a precomputed volume, or nothing: then the error says so.
    pyramid.levels.push_back(open_dataset(address));
    return pyramid;
  }
  for (const std::string& name : names) {
    pyramid.levels.push_back(open_dataset(address_below(address, name)));
  }
  return pyramid;
}

bool is_volume_of_scales(const std::string& address) {
  const Address parsed = parse_address(address);
  if (parsed.format && *parsed.format != Format::kPrecomputed) return false;
  return precomputed_keys(parsed.place()).has_value();
}

std::string level_address(const std::string& group, int index) {
  const Address parsed = parse_address(group);
  std::string name = fmt::format("s{}", index);
  if (is_precomputed_group(parsed)) {
    const auto keys = precomputed_keys(parsed.place());
    if (keys && static_cast<std::size_t>(index) < keys->size())
      name = (*keys)[static_cast<std::size_t>(index)];
  }
  return address_below(group, name);
}

void write_multiscale_metadata(const std::string& group, const GroupDisplay& display) {
  const Address parsed = parse_address(group);
  if (is_precomputed_group(parsed)) return;
  if (is_plain_dataset(parsed)) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: a dataset cannot be the group of a pyramid too", group));
  }
  Multiscale pyramid;
  for (const std::string& name : numbered_levels(parsed)) {
    pyramid.levels.push_back(open_dataset(address_below(group, name)));
  }
  if (pyramid.levels.empty()) throw Error(ErrorKind::kNotFound, fmt::format("{}: no level s0 there", group));
  if (is_zarr_dataset(pyramid.levels.front()->place())) {
    write_zarr_group(parsed.place(), NgffVersion::k04, pyramid, display);
  } else if (is_zarr3_dataset(pyramid.levels.front()->place())) {
    write_zarr_group(parsed.place(), NgffVersion::k05, pyramid, display);
  } else {
    write_n5_group(parsed.place(), pyramid);
  }
}

}  // namespace organon::storage
