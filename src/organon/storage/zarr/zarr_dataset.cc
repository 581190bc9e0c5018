#include "organon/storage/zarr/zarr_dataset.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/zarr/zarr_chunk.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"transform", "_ARRAY_DIMENSIONS"};

std::optional<Json> read_json_object(const std::filesystem::path& file) {
  const auto bytes = read_file_if_exists(file);
  if (!bytes) return std::nullopt;
  Json json = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.string());
  if (!json.is_object()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a JSON object", file.string()));
  }
  return json;
}

class ZarrDataset : public Dataset {
 public:
  ZarrDataset(std::string address, std::filesystem::path path, ZarrArray array)
      : Dataset(std::move(address), std::move(path), array.spec), array_(std::move(array)) {}

  Json attributes() const override {
    return without_keys(read_zarr_attributes(path()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(path());
    Json attributes = read_zarr_attributes(path()).value_or(Json::object());
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    write_text_atomically(path() / ".zattrs", to_text(attributes));
  }

 protected:
  std::filesystem::path chunk_path(const Index3& position) const override {
    return path() / fmt::format("{1}{0}{2}{0}{3}", array_.separator, position.z, position.y, position.x);
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
VoxelGrid find_grid(const std::filesystem::path& path) {
  const std::string file = (path / ".zattrs").string();
  const std::optional<Json> own = read_zarr_attributes(path);
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
    const std::optional<Json> attributes = read_zarr_attributes(group);
    if (attributes && attributes->contains("multiscales")) {
      const std::string name = path.lexically_relative(group).generic_string();
      for (const NgffLevel& level : ngff_levels_of(*attributes, (group / ".zattrs").string())) {
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

void make_group(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / ".zgroup") || is_zarr_dataset(folder)) return;
  write_text_atomically(folder / ".zgroup", to_text(Json{{"zarr_format", 2}}));
}

// Every folder from the one ending in ".zarr" down to the array's parent is a group.
void make_groups_above(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> folders;
  for (std::filesystem::path folder = path.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    folders.push_back(folder);
    if (folder.extension() == ".zarr") {
      for (const std::filesystem::path& group : folders) make_group(group);
      return;
    }
  }
}

}  // namespace

bool is_zarr_dataset(const std::filesystem::path& path) { return std::filesystem::exists(path / ".zarray"); }

std::optional<Json> read_zarr_attributes(const std::filesystem::path& folder) {
  return read_json_object(folder / ".zattrs");
}

void set_zarr_group_attributes(const std::filesystem::path& folder, const Json& keys_and_values) {
  const FolderLock lock(folder);
  make_group(folder);
  Json attributes = read_zarr_attributes(folder).value_or(Json::object());
  merge_attributes(attributes, keys_and_values, {}, folder.string());
  write_text_atomically(folder / ".zattrs", to_text(attributes));
}

std::shared_ptr<Dataset> open_zarr(const std::string& address, const std::filesystem::path& path) {
  const std::filesystem::path file = path / ".zarray";
  const auto bytes = read_file_if_exists(file);
  if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{}: no Zarr array there", address));
  ZarrArray array =
      parse_zarray({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.string());
  array.spec.grid = find_grid(path);
  if (const std::string problem = find_spec_problem(array.spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  }
  return std::make_shared<ZarrDataset>(address, path, std::move(array));
}

std::shared_ptr<Dataset> create_zarr(const std::string& address, const std::filesystem::path& path,
                                     const DatasetSpec& spec) {
  if (spec.codec == Codec::kCompressedSegmentation) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: Zarr has no codec compressed_segmentation", address));
  }
  const FolderLock lock(path);
  if (is_zarr_dataset(path)) {
    std::shared_ptr<Dataset> dataset = open_zarr(address, path);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty()) {
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    }
    return dataset;
  }
  make_groups_above(path);
  Json attributes = read_zarr_attributes(path).value_or(Json::object());
  attributes["_ARRAY_DIMENSIONS"] = {"z", "y", "x"};
  attributes["transform"] = cosem_transform_of(spec.grid);
  write_text_atomically(path / ".zattrs", to_text(attributes));
  // Last, for it makes the dataset exist.
  write_text_atomically(path / ".zarray", to_text(zarray_of(spec)));
  return open_zarr(address, path);
}

}  // namespace organon::storage
