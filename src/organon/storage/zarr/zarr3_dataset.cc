#include "organon/storage/zarr/zarr3_dataset.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <tuple>

#include "organon/base/error.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/zarr/consolidated_metadata.h"
#include "organon/storage/zarr/zarr3_chunk.h"
#include "organon/storage/zarr/zarr3_metadata.h"
#include "organon/storage/zarr/zarr_hierarchy.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"transform", "dimension_units"};

Place metadata_file(const Place& folder) { return folder / "zarr.json"; }

Json attributes_in(const Json& node) {
  const Json* attributes = optional_field(node, "attributes");
  return attributes != nullptr && attributes->is_object() ? *attributes : Json::object();
}

class Zarr3Dataset : public Dataset {
 public:
  Zarr3Dataset(std::string address, Place place, Zarr3Array array)
      : Dataset(std::move(address), std::move(place), array.spec), array_(std::move(array)) {}

  Json attributes() const override {
    return without_keys(read_zarr3_attributes(place()).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(place());
    drop_consolidated_metadata(place());
    auto node = read_json_object(metadata_file(place()));
    if (!node) throw Error(ErrorKind::kNotFound, fmt::format("{}: its zarr.json is gone", address()));
    Json attributes = attributes_in(*node);
    merge_attributes(attributes, keys_and_values, kReservedKeys, address());
    (*node)["attributes"] = std::move(attributes);
    write_json(metadata_file(place()), *node);
  }

 protected:
  std::string chunk_key(const Index3& position) const override {
    return (place() / zarr3_key(array_, position)).key;
  }
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    return decode_zarr3_unit(bytes, array_, shape);
  }
  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    return encode_zarr3_unit(voxels, array_);
  }

  std::string why_read_only() const override {
    if (!array_.chain.shards.empty() && spec().channels.count() > 1)
      return "shards of several channels are read only here";
    return {};
  }

  std::optional<AnyArray> read_in_shard(const Index3& shard, const Index3& chunk,
                                        const Shape3& shape) const override {
    const auto index = index_of(shard);
    if (!index) return std::nullopt;
    const std::string key = chunk_key(shard);
    return read_inner_chunk(array_, *index, chunk, shape, [&](std::uint64_t begin, std::size_t num_bytes) {
      return place().store->read_range(key, begin, num_bytes);
    });
  }

 private:
  // Kept, as neighbouring chunks share it; nothing where there is no such shard. A shard that was written
  // anew since has another index: then the voxels' checksums tell.
  std::shared_ptr<const ShardIndex> index_of(const Index3& shard) const {
    const std::tuple key(shard.z, shard.y, shard.x);
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = indices_.find(key); found != indices_.end()) return found->second;
    }
    const ShardLayout& layout = array_.chain.shards.front();
    const std::size_t num_bytes = shard_index_bytes(layout, chunks_per_shard(array_));
    const auto bytes = layout.is_index_at_start ? place().store->read_range(chunk_key(shard), 0, num_bytes)
                                                : place().store->read_end(chunk_key(shard), num_bytes);
    if (!bytes) return nullptr;
    auto index = std::make_shared<const ShardIndex>(decode_zarr3_index(*bytes, array_));
    const std::lock_guard lock(mutex_);
    if (indices_.size() >= kMostIndices) indices_.clear();
    indices_[key] = index;
    return index;
  }
  void forget(const Index3& shard) const override {
    const std::lock_guard lock(mutex_);
    indices_.erase({shard.z, shard.y, shard.x});
  }

  static constexpr std::size_t kMostIndices = 32;

  Zarr3Array array_;
  mutable std::mutex mutex_;
  mutable std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::shared_ptr<const ShardIndex>>
      indices_;
};

// As of Zarr 2, the OME-NGFF entry in a group above being that of version 0.5.
VoxelGrid find_grid(const Place& place, const Json& attributes) {
  const std::string file = metadata_file(place).describe();
  if (const auto grid = grid_of_transform(attributes, file)) return *grid;
  const auto levels_in = [](const Place& group) -> std::vector<NgffLevel> {
    const auto of_group = read_zarr3_attributes(group);
    const Json* ome = of_group ? optional_field(*of_group, "ome") : nullptr;
    if (ome == nullptr) return {};
    return ngff_levels_of(*ome, metadata_file(group).describe());
  };
  if (const auto grid = grid_in_groups_above(place, levels_in)) return *grid;
  return grid_of_resolution(attributes, file).value_or(VoxelGrid{});
}

void make_group(const Place& folder) {
  if (is_zarr3_node(folder)) return;
  write_json(metadata_file(folder),
             {{"zarr_format", 3}, {"node_type", "group"}, {"attributes", Json::object()}});
}

}  // namespace

bool is_zarr3_node(const Place& place) { return metadata_file(place).exists(); }

bool is_zarr3_dataset(const Place& place) {
  const auto node = read_json_object(metadata_file(place));
  return node && is_zarr3_array(*node);
}

std::optional<Json> read_zarr3_attributes(const Place& folder) {
  const auto node = read_json_object(metadata_file(folder));
  if (!node) return std::nullopt;
  return attributes_in(*node);
}

void change_zarr3_group_attributes(const Place& folder, const std::function<void(Json&)>& change) {
  const FolderLock lock(folder);
  drop_consolidated_metadata(folder);
  make_group(folder);
  Json node = read_json_object(metadata_file(folder)).value_or(Json::object());
  Json attributes = attributes_in(node);
  change(attributes);
  node["attributes"] = std::move(attributes);
  write_json(metadata_file(folder), node);
}

std::shared_ptr<Dataset> open_zarr3(const std::string& address, const Place& place,
                                    std::optional<std::int64_t> channel) {
  const auto node = read_json_object(metadata_file(place));
  if (!node || !is_zarr3_array(*node))
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no array of Zarr 3 there", address));
  Zarr3Array array = zarr3_array_from(*node, metadata_file(place).describe());
  array.spec.grid = find_grid(place, attributes_in(*node));
  if (const std::string problem = find_spec_problem(array.spec); !problem.empty())
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", address, problem));
  choose_channel(array.spec.channels, channel, address);
  return std::make_shared<Zarr3Dataset>(address, place, std::move(array));
}

std::shared_ptr<Dataset> create_zarr3(const std::string& address, const Place& place,
                                      const DatasetSpec& spec) {
  const FolderLock lock(place);
  if (is_zarr3_dataset(place)) {
    std::shared_ptr<Dataset> dataset = open_zarr3(address, place);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty())
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    return dataset;
  }
  // Groups and arrays are told by the same file: a group would be lost, with all that it describes.
  if (is_zarr3_node(place))
    throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: a group is there; name an array in it", address));
  drop_consolidated_metadata(place);
  for (const Place& group : zarr_groups_above(place)) make_group(group);
  Json node = zarr3_array_of(spec);
  Json attributes;
  attributes["transform"] = cosem_transform_of(spec.grid);
  attributes["dimension_units"] = dimension_units_of(spec.grid, spec.channels.shape.size());
  node["attributes"] = std::move(attributes);
  write_json(metadata_file(place), node);
  return open_zarr3(address, place);
}

}  // namespace organon::storage
