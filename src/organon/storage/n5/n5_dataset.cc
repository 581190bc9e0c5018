#include "organon/storage/n5/n5_dataset.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/n5/n5_block.h"
#include "organon/storage/n5/n5_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {
    "dimensions",      "blockSize", "dataType",        "compression",
    "compressionType", "transform", "pixelResolution", "n5"};

std::filesystem::path attributes_file(const std::filesystem::path& folder) {
  return folder / "attributes.json";
}

class N5Dataset : public Dataset {
 public:
  N5Dataset(std::string address, std::filesystem::path path, DatasetSpec spec)
      : Dataset(std::move(address), std::move(path), std::move(spec)) {}

  Json attributes() const override {
    return without_keys(read_n5_attributes(path()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(path());
    Json attributes = read_n5_attributes(path()).value_or(Json::object());
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    write_text_atomically(attributes_file(path()), to_text(attributes));
  }

 protected:
  std::filesystem::path chunk_path(const Index3& position) const override {
    return path() / std::to_string(position.x) / std::to_string(position.y) / std::to_string(position.z);
  }
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    return decode_n5_block(bytes, spec(), shape);
  }
  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    return encode_n5_block(voxels, spec());
  }
};

// The folder ending in ".n5" is the container's root, where readers look for the version of the format.
void write_version_of_container(const std::filesystem::path& path) {
  for (std::filesystem::path folder = path; folder.has_relative_path() && folder != folder.parent_path();
       folder = folder.parent_path()) {
    if (folder.extension() != ".n5") continue;
    if (!std::filesystem::exists(attributes_file(folder))) {
      write_text_atomically(attributes_file(folder), to_text(Json{{"n5", "4.0.0"}}));
    }
    return;
  }
}

}  // namespace

std::optional<Json> read_n5_attributes(const std::filesystem::path& folder) {
  const std::filesystem::path file = attributes_file(folder);
  const auto bytes = read_file_if_exists(file);
  if (!bytes) return std::nullopt;
  Json attributes = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.string());
  if (!attributes.is_object()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a JSON object", file.string()));
  }
  return attributes;
}

void set_n5_group_attributes(const std::filesystem::path& folder, const Json& keys_and_values) {
  const FolderLock lock(folder);
  Json attributes = read_n5_attributes(folder).value_or(Json::object());
  merge_attributes(attributes, keys_and_values, {}, folder.string());
  write_text_atomically(attributes_file(folder), to_text(attributes));
}

std::shared_ptr<Dataset> open_n5(const std::string& address, const std::filesystem::path& path) {
  const std::optional<Json> attributes = read_n5_attributes(path);
  if (!attributes || !is_n5_dataset(*attributes)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no N5 dataset there", address));
  }
  DatasetSpec spec = n5_spec_of(*attributes, attributes_file(path).string());
  const std::filesystem::path parent = path.parent_path();
  if (!has_n5_grid(*attributes) && !parent.empty()) {
    if (const auto group = read_n5_attributes(parent)) {
      const std::string where = attributes_file(parent).string();
      spec.grid = n5_grid_of_group(*group, *attributes, path.filename().string(), where).value_or(spec.grid);
    }
  }
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  }
  return std::make_shared<N5Dataset>(address, path, std::move(spec));
}

std::shared_ptr<Dataset> create_n5(const std::string& address, const std::filesystem::path& path,
                                   const DatasetSpec& spec) {
  if (spec.codec == Codec::kCompressedSegmentation) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: N5 has no codec compressed_segmentation", address));
  }
  if (spec.fill_value != 0) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: the fill value of N5 is always 0", address));
  }
  const FolderLock lock(path);
  std::optional<Json> attributes = read_n5_attributes(path);
  if (attributes && is_n5_dataset(*attributes)) {
    std::shared_ptr<Dataset> dataset = open_n5(address, path);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty()) {
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    }
    return dataset;
  }
  write_version_of_container(path);
  Json all = n5_attributes_of(spec);
  if (attributes) {
    for (const auto& [key, value] : attributes->items()) {
      if (!all.contains(key)) all[key] = value;
    }
  }
  write_text_atomically(attributes_file(path), to_text(all));
  return open_n5(address, path);
}

}  // namespace organon::storage
