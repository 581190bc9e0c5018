#include "organon/storage/zarr/zarr_dataset.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/zarr/zarr_chunk.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"transform", "_ARRAY_DIMENSIONS"};

class ZarrDataset : public Dataset {
 public:
  ZarrDataset(std::string address, Place place, ZarrArray array)
      : Dataset(std::move(address), std::move(place), array.spec), array_(std::move(array)) {}

  Json attributes() const override {
    return without_keys(read_zarr_attributes(place()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(place());
    Json attributes = read_zarr_attributes(place()).value_or(Json::object());
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    write_json(place() / ".zattrs", attributes);
  }

 protected:
  std::string chunk_key(const Index3& position) const override {
    return (place() / fmt::format("{1}{0}{2}{0}{3}", array_.separator, position.z, position.y, position.x))
        .key;
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

// Own COSEM `transform`; else the OME-NGFF entry of this array in a group above; else daisy's `resolution`
// (zyx in Zarr) and `offset`, a corner; else voxels of 1 nm.
VoxelGrid find_grid(const Place& place) {
  const std::string file = (place / ".zattrs").describe();
  const std::filesystem::path path = place.path();
  const std::optional<Json> own = read_zarr_attributes(place);
  if (own) {
    if (const Json* transform = optional_field(*own, "transform");
        transform && transform->contains("scale")) {
      return grid_of_cosem_transform(*transform, file);
    }
  }
  // A level may lie several folders below its group, as in "scale0/image".
  constexpr int kMaxFoldersUp = 3;
  std::filesystem::path group = path.parent_path();
  for (int i = 0; i < kMaxFoldersUp && !group.empty(); ++i, group = group.parent_path()) {
    const std::optional<Json> attributes = read_zarr_attributes(place.at(group));
    if (attributes && attributes->contains("multiscales")) {
      const std::string name = path.lexically_relative(group).generic_string();
      for (const NgffLevel& level : ngff_levels_of(*attributes, (place.at(group) / ".zattrs").describe())) {
        if (level.path == name) return level.grid;
      }
    }
    if (group == group.parent_path()) break;
  }
  if (own) {
    if (const Json* resolution = optional_field(*own, "resolution")) {
      const SizeNm size = size_of_voxel(*resolution, AxisOrder::kZyx, file);
      const Json* offset = optional_field(*own, "offset");
      const SizeNm corner =
          offset != nullptr ? size_of_voxel(*offset, AxisOrder::kZyx, file) : SizeNm{0, 0, 0};
      return {size, {corner.z + size.z / 2, corner.y + size.y / 2, corner.x + size.x / 2}};
    }
  }
  return {};
}

void make_group(const Place& folder) {
  const Place file = folder / ".zgroup";
  if (file.exists() || is_zarr_dataset(folder)) return;
  write_json(file, {{"zarr_format", 2}});
}

// Every folder from the one ending in ".zarr" down to the array's parent is a group.
void make_groups_above(const Place& place) {
  std::vector<std::filesystem::path> folders;
  for (std::filesystem::path folder = place.path().parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    folders.push_back(folder);
    if (folder.extension() == ".zarr") {
      for (const std::filesystem::path& group : folders) make_group(place.at(group));
      return;
    }
  }
}

}  // namespace

bool is_zarr_dataset(const Place& place) { return (place / ".zarray").exists(); }

std::optional<Json> read_zarr_attributes(const Place& folder) { return read_json_object(folder / ".zattrs"); }

void set_zarr_group_attributes(const Place& folder, const Json& keys_and_values) {
  const FolderLock lock(folder);
  make_group(folder);
  Json attributes = read_zarr_attributes(folder).value_or(Json::object());
  merge_attributes(attributes, keys_and_values, {}, folder.describe());
  write_json(folder / ".zattrs", attributes);
}

std::shared_ptr<Dataset> open_zarr(const std::string& address, const Place& place) {
  const Place file = place / ".zarray";
  const auto bytes = file.store->read(file.key);
  if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{}: no Zarr array there", address));
  ZarrArray array =
      parse_zarray({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.describe());
  array.spec.grid = find_grid(place);
  if (const std::string problem = find_spec_problem(array.spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  }
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
  make_groups_above(place);
  Json attributes = read_zarr_attributes(place).value_or(Json::object());
  attributes["_ARRAY_DIMENSIONS"] = {"z", "y", "x"};
  attributes["transform"] = cosem_transform_of(spec.grid);
  write_json(place / ".zattrs", attributes);
  // Last, for it makes the dataset exist.
  write_json(place / ".zarray", zarray_of(spec));
  return open_zarr(address, place);
}

}  // namespace organon::storage
