#include "organon/storage/zarr/zarr_dataset.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/zarr/consolidated_metadata.h"
#include "organon/storage/zarr/zarr_chunk.h"
#include "organon/storage/zarr/zarr_hierarchy.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"transform", "dimension_units", "_ARRAY_DIMENSIONS"};

class ZarrDataset : public Dataset {
 public:
  ZarrDataset(std::string address, Place place, ZarrArray array)
      : Dataset(std::move(address), std::move(place), array.spec), array_(std::move(array)) {}

  Json attributes() const override {
    return without_keys(read_zarr_attributes(place()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(place());
    drop_consolidated_metadata(place());
    Json attributes = read_zarr_attributes(place()).value_or(Json::object());
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    write_json(place() / ".zattrs", attributes);
  }

 protected:
  std::string chunk_key(const Index3& position) const override {
    std::string name;
    for (const std::int64_t channel : spec().channels.chunk_position())
      name += fmt::format("{}{}", channel, array_.separator);
    name += fmt::format("{1}{0}{2}{0}{3}", array_.separator, position.z, position.y, position.x);
    return (place() / name).key;
  }
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    return decode_zarr_chunk(bytes, array_, shape);
  }
  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    return encode_zarr_chunk(voxels, array_);
  }

 private:
  ZarrArray array_;
};

// Own COSEM `transform`; else the OME-NGFF entry of this array in a group above; else daisy's `resolution`;
// else voxels of 1 nm.
VoxelGrid find_grid(const Place& place) {
  const std::string file = (place / ".zattrs").describe();
  const Json own = read_zarr_attributes(place).value_or(Json::object());
  if (const auto grid = grid_of_transform(own, file)) return *grid;
  const auto levels_in = [](const Place& group) -> std::vector<NgffLevel> {
    const auto attributes = read_zarr_attributes(group);
    if (!attributes) return {};
    return ngff_levels_of(*attributes, (group / ".zattrs").describe());
  };
  if (const auto grid = grid_in_groups_above(place, levels_in)) return *grid;
  return grid_of_resolution(own, file).value_or(VoxelGrid{});
}

void make_group(const Place& folder) {
  const Place file = folder / ".zgroup";
  if (file.exists() || is_zarr_dataset(folder)) return;
  write_json(file, {{"zarr_format", 2}});
}

}  // namespace

bool is_zarr_dataset(const Place& place) { return (place / ".zarray").exists(); }

std::optional<Json> read_zarr_attributes(const Place& folder) { return read_json_object(folder / ".zattrs"); }

void change_zarr_group_attributes(const Place& folder, const std::function<void(Json&)>& change) {
  const FolderLock lock(folder);
  drop_consolidated_metadata(folder);
  make_group(folder);
  Json attributes = read_zarr_attributes(folder).value_or(Json::object());
  change(attributes);
  write_json(folder / ".zattrs", attributes);
}

std::shared_ptr<Dataset> open_zarr(const std::string& address, const Place& place,
                                   std::optional<std::int64_t> channel) {
  const Place file = place / ".zarray";
  const auto bytes = file.store->read(file.key);
  if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{}: no Zarr array there", address));
  ZarrArray array =
      parse_zarray({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.describe());
  const Json attributes = read_zarr_attributes(place).value_or(Json::object());
  if (const Json* names = optional_field(attributes, "_ARRAY_DIMENSIONS");
      names != nullptr && names->is_array() && names->size() == array.spec.channels.shape.size() + 3) {
    std::vector<std::string> axes;
    for (const Json& name : *names) axes.push_back(name.is_string() ? name.get<std::string>() : "");
    refuse_other_axes(axes, (place / ".zattrs").describe());
  }
  array.spec.grid = find_grid(place);
  if (const std::string problem = find_spec_problem(array.spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  }
  choose_channel(array.spec.channels, channel, address);
  return std::make_shared<ZarrDataset>(address, place, std::move(array));
}

std::shared_ptr<Dataset> create_zarr(const std::string& address, const Place& place,
                                     const DatasetSpec& spec) {
  const FolderLock lock(place);
  if (is_zarr_dataset(place)) {
    std::shared_ptr<Dataset> dataset = open_zarr(address, place);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty()) {
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    }
    return dataset;
  }
  drop_consolidated_metadata(place);
  for (const Place& group : zarr_groups_above(place)) make_group(group);
  Json attributes = read_zarr_attributes(place).value_or(Json::object());
  attributes["_ARRAY_DIMENSIONS"] = axis_names(spec.channels.shape.size());
  attributes["transform"] = cosem_transform_of(spec.grid);
  attributes["dimension_units"] = dimension_units_of(spec.grid, spec.channels.shape.size());
  write_json(place / ".zattrs", attributes);
  // Last, for it makes the dataset exist.
  write_json(place / ".zarray", zarray_of(spec));
  return open_zarr(address, place);
}

}  // namespace organon::storage
