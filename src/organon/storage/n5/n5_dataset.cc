#include "organon/storage/n5/n5_dataset.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/n5/n5_block.h"
#include "organon/storage/n5/n5_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {
    "dimensions",      "blockSize", "dataType",        "compression",
    "compressionType", "transform", "pixelResolution", "n5"};

Place attributes_file(const Place& folder) { return folder / "attributes.json"; }

class N5Dataset : public Dataset {
 public:
  N5Dataset(std::string address, Place place, DatasetSpec spec)
      : Dataset(std::move(address), std::move(place), std::move(spec)) {}

  Json attributes() const override {
    return without_keys(read_n5_attributes(place()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(place());
    Json attributes = read_n5_attributes(place()).value_or(Json::object());
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    write_json(attributes_file(place()), attributes);
  }

 protected:
  std::string chunk_key(const Index3& position) const override {
    std::string name = fmt::format("{}/{}/{}", position.x, position.y, position.z);
    const std::vector<std::int64_t> channels = spec().channels.chunk_position();
    for (std::size_t axis = channels.size(); axis-- > 0;) name += fmt::format("/{}", channels[axis]);
    return (place() / name).key;
  }
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    return decode_n5_block(bytes, spec(), shape);
  }
  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    return encode_n5_block(voxels, spec());
  }
};

// The folder ending in ".n5" is the container's root, where readers look for the version of the format.
void write_version_of_container(const Place& place) {
  for (std::filesystem::path folder = place.path();
       folder.has_relative_path() && folder != folder.parent_path(); folder = folder.parent_path()) {
    if (folder.extension() != ".n5") continue;
    const Place file = attributes_file(place.at(folder));
    if (!file.exists()) write_json(file, {{"n5", "4.0.0"}});
    return;
  }
}

}  // namespace

std::optional<Json> read_n5_attributes(const Place& folder) {
  return read_json_object(attributes_file(folder));
}

void set_n5_group_attributes(const Place& folder, const Json& keys_and_values) {
  const FolderLock lock(folder);
  Json attributes = read_n5_attributes(folder).value_or(Json::object());
  merge_attributes(attributes, keys_and_values, {}, folder.describe());
  write_json(attributes_file(folder), attributes);
}

std::shared_ptr<Dataset> open_n5(const std::string& address, const Place& place,
                                 std::optional<std::int64_t> channel) {
  const std::optional<Json> attributes = read_n5_attributes(place);
  if (!attributes || !is_n5_dataset(*attributes)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no N5 dataset there", address));
  }
  DatasetSpec spec = n5_spec_of(*attributes, attributes_file(place).describe());
  const std::filesystem::path parent = place.path().parent_path();
  if (!has_n5_grid(*attributes) && !parent.empty()) {
    if (const auto group = read_n5_attributes(place.at(parent))) {
      const std::string where = attributes_file(place.at(parent)).describe();
      const std::string name = place.path().filename().string();
      spec.grid = n5_grid_of_group(*group, *attributes, name, where).value_or(spec.grid);
    }
  }
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  }
  choose_channel(spec.channels, channel, address);
  return std::make_shared<N5Dataset>(address, place, std::move(spec));
}

std::shared_ptr<Dataset> create_n5(const std::string& address, const Place& place, const DatasetSpec& spec) {
  if (spec.fill_value != 0) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: the fill value of N5 is always 0", address));
  }
  const FolderLock lock(place);
  std::optional<Json> attributes = read_n5_attributes(place);
  if (attributes && is_n5_dataset(*attributes)) {
    std::shared_ptr<Dataset> dataset = open_n5(address, place);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty()) {
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    }
    return dataset;
  }
  write_version_of_container(place);
  Json all = n5_attributes_of(spec);
  if (attributes) {
    for (const auto& [key, value] : attributes->items()) {
      if (!all.contains(key)) all[key] = value;
    }
  }
  write_json(attributes_file(place), all);
  return open_n5(address, place);
}

}  // namespace organon::storage
