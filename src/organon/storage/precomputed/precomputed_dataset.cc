#include "organon/storage/precomputed/precomputed_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "organon/base/error.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/channel_stack.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/codecs/gzip.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/json_file.h"
#include "organon/storage/precomputed/compressed_segmentation.h"
#include "organon/storage/precomputed/image_chunks.h"
#include "organon/storage/precomputed/precomputed_info.h"
#include "organon/storage/precomputed/shard_boxes.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"@type", "data_type", "num_channels", "scales"};

constexpr const char* kGzipEnding = ".gz";
constexpr const char* kOrganonKey = "organon";
constexpr const char* kMadeKey = "made";  // in the scale's `organon`: what other formats have as `organon`

std::optional<Json> read_info(const Place& folder) {
  const Place file = folder / "info";
  return file.exists() ? read_json_object(file) : std::nullopt;
}

bool is_volume(const Json& info) {
  return info.is_object() && info.contains("scales") && info["scales"].is_array();
}

const Json* find_entry(const Json& info, const std::string& key) {
  for (const Json& entry : info["scales"]) {
    const Json* found = optional_field(entry, "key");
    if (found != nullptr && found->is_string() && found->get<std::string>() == key) return &entry;
  }
  return nullptr;
}

struct ScalePlace {
  Place folder;
  std::string key;  // empty where the path is the folder itself
};

// The nearest folder, from `place` upwards, with the info of a volume.
std::optional<ScalePlace> find_volume(const Place& place) {
  const std::filesystem::path path = place.path();
  for (std::filesystem::path folder = path; !folder.empty(); folder = folder.parent_path()) {
    // Further up, a file of that name may be anybody's.
    std::optional<Json> info;
    try {
      info = read_info(place.at(folder));
    } catch (const Error& error) {
      if (folder == path || error.kind() != ErrorKind::kCorruptData) throw;
    }
    if (info && is_volume(*info)) {
      return ScalePlace{place.at(folder),
                        folder == path ? "" : path.lexically_relative(folder).generic_string()};
    }
    if (folder == folder.parent_path()) break;
  }
  return std::nullopt;
}

class PrecomputedDataset : public Dataset {
 public:
  /// `is_gzipped`: files are kept gzipped, under names that end in .gz, at least some.
  PrecomputedDataset(std::string address, Place folder, PrecomputedScale scale, bool is_gzipped)
      : Dataset(std::move(address), folder / scale.key, scale.spec),
        folder_(std::move(folder)),
        scale_(std::move(scale)),
        is_gzipped_(is_gzipped),
        chunks_(scale_.spec.domain(), scale_.spec.chunk_shape) {}

  Json attributes() const override {
    const Json info = read_info(folder_).value_or(Json::object());
    Json attributes = without_keys(info, kReservedKeys);
    if (!is_volume(info)) return attributes;
    // Who made a scale says nothing of the others, so it stands in the scale's entry.
    if (info["scales"].size() > 1) attributes.erase(kOrganonKey);
    const Json* entry = find_entry(info, scale_.key);
    const Json* own = entry != nullptr ? optional_field(*entry, kOrganonKey) : nullptr;
    if (const Json* made = own != nullptr ? optional_field(*own, kMadeKey) : nullptr)
      attributes[kOrganonKey] = *made;
    return attributes;
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(folder_);
    std::optional<Json> info = read_info(folder_);
    if (!info || !is_volume(*info))
      throw Error(ErrorKind::kNotFound, fmt::format("{}: the info is gone", address()));
    Json changes = keys_and_values;
    if (changes.is_object() && changes.contains(kOrganonKey)) {
      for (Json& entry : (*info)["scales"]) {
        if (optional_field(entry, "key") == nullptr || entry["key"] != scale_.key) continue;
        if (!entry[kOrganonKey].is_object()) entry[kOrganonKey] = Json::object();
        entry[kOrganonKey][kMadeKey] = changes[kOrganonKey];
      }
      changes[kOrganonKey] = nullptr;
    }
    merge_attributes(*info, changes, kReservedKeys, address());
    write_json(folder_ / "info", *info);
  }

 protected:
  // Without shards that are boxes, `position` is a chunk's in what follows; with them it is a shard's.
  std::string chunk_key(const Index3& position) const override {
    if (scale_.sharding) return shard_key(id_of(first_chunk_at(position)));
    const Box box = chunk_grid().box_of(position).translate(scale_.voxel_offset);
    return (place() / fmt::format("{}-{}_{}-{}_{}-{}", box.begin.x, box.end.x, box.begin.y, box.end.y,
                                  box.begin.z, box.end.z))
        .key;
  }

  std::optional<std::vector<std::byte>> load_chunk(const Index3& position,
                                                   std::size_t max_bytes) const override {
    if (!scale_.sharding) {
      if (auto bytes = Dataset::load_chunk(position, max_bytes); bytes || !is_gzipped_) return bytes;
      const auto packed = place().store->read(chunk_key(position) + kGzipEnding, max_bytes);
      if (!packed) return std::nullopt;
      return decode_gzip_of_unknown_size(*packed, max_bytes);
    }
    if (!is_within_shards()) return Dataset::load_chunk(position, max_bytes);
    return load_in_shard(id_of(position), max_bytes);
  }
  bool has_chunk(const Index3& position) const override {
    if (is_within_shards()) return find_in_shard(id_of(position)).has_value();
    return Dataset::has_chunk(position) ||
           (is_gzipped_ && place().store->exists(chunk_key(position) + kGzipEnding));
  }
  std::optional<AnyArray> read_in_shard(const Index3& shard, const Index3& chunk,
                                        const Shape3& shape) const override {
    const auto bytes = load_in_shard(id_of(first_chunk_at(shard) + chunk), 2 * kMaxChunkBytes);
    if (!bytes) return std::nullopt;
    return decode_inner_chunk(*bytes, shape, chunk);
  }
  void forget(const Index3& position) const override {
    if (!scale_.sharding) return;
    const std::uint64_t shard = place_in_shards(*scale_.sharding, id_of(first_chunk_at(position))).shard;
    const std::lock_guard lock(mutex_);
    std::erase_if(minishards_, [&](const auto& entry) { return entry.first.first == shard; });
  }
  std::string why_read_only() const override {
    if (spec().codec == Codec::kPng && spec().channels.count() > 1)
      return "pictures of several channels are read only here";
    if (is_gzipped_) return "files that are kept gzipped are read only here";
    if (spec().codec == Codec::kJpeg) return "jpeg loses voxels: it is read only here";
    if (is_within_shards())
      return "shards of precomputed volumes are written where each is a box of at most 2 GiB alone";
    return {};
  }

  AnyArray decode_chunk_at(const Index3& position, std::span<const std::byte> bytes,
                           const Shape3& shape) const override {
    return has_shards(spec()) ? decode_shard(position, bytes, shape) : decode_chunk(bytes, shape);
  }
  std::vector<std::byte> encode_chunk_at(const Index3& position, const AnyArray& voxels) const override {
    return has_shards(spec()) ? encode_shard(position, voxels) : encode_chunk(voxels);
  }

  // Raw chunks are x fastest, little-endian: as in memory.
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    const std::int64_t num_channels = spec().channels.count();
    if (spec().codec == Codec::kCompressedSegmentation) {
      return wanted_channels(decode_compressed_segmentation(bytes, spec().data_type, shape,
                                                            scale_.segmentation_block, num_channels),
                             shape);
    }
    if (spec().codec == Codec::kJpeg)
      return wanted_channels(decode_jpeg_chunk(bytes, num_channels, shape), shape);
    if (spec().codec == Codec::kPng)
      return wanted_channels(decode_png_chunk(bytes, spec().data_type, num_channels, shape), shape);
    const Shape3 stored = stack_of(shape, num_channels);
    if (bytes.size() != static_cast<std::size_t>(stored.product()) * size_of(spec().data_type)) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{} bytes for {} voxels of {}", bytes.size(),
                                                       to_string(stored), to_string(spec().data_type)));
    }
    AnyArray voxels(spec().data_type, stored);
    decode(Codec::kRaw, bytes, voxels.bytes());
    return wanted_channels(std::move(voxels), shape);
  }

  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    if (spec().codec == Codec::kCompressedSegmentation) {
      return encode_compressed_segmentation(voxels, scale_.segmentation_block, spec().channels.count());
    }
    if (spec().codec == Codec::kPng) return encode_png_chunk(voxels);
    return {voxels.bytes().begin(), voxels.bytes().end()};
  }

 private:
  AnyArray wanted_channels(AnyArray stored, const Shape3& shape) const {
    const Channels& channels = spec().channels;
    return take_channels(std::move(stored), shape, channels.chosen.value_or(0), channels.in_stack(), shape);
  }

  using Minishard = std::map<std::uint64_t, ShardRange>;

  /// Chunks lie in shards that are not the spec's.
  bool is_within_shards() const { return scale_.sharding && !has_shards(spec()); }
  std::uint64_t id_of(const Index3& chunk) const {
    return compressed_morton_code(chunk, chunks_.num_cells());
  }
  Index3 first_chunk_at(const Index3& position) const {
    return chunks_.position_containing(chunk_grid().box_of(position).begin);
  }
  std::string shard_key(std::uint64_t id) const {
    return (place() / shard_name(*scale_.sharding, place_in_shards(*scale_.sharding, id).shard)).key;
  }

  AnyArray decode_inner_chunk(std::span<const std::byte> bytes, const Shape3& shape,
                              const Index3& chunk) const {
    try {
      return decode_chunk(bytes, shape);
    } catch (const Error& error) {
      throw error.within("inner chunk " + to_string(chunk));
    }
  }

  // Calls `use(id, box)` for the chunks of a shard that the volume has, in the order of their ids; the boxes
  // begin at the shard's first voxel.
  template <class Use>
  void for_each_chunk_in(const Index3& shard, Use use) const {
    const VolumeSharding& sharding = *scale_.sharding;
    const Box unit = chunk_grid().box_of(shard);
    const Index3 first_chunk = first_chunk_at(shard);
    const std::uint64_t first = id_of(first_chunk);
    const int num_bits =
        std::min(sharding.preshift_bits + sharding.minishard_bits, morton_bits(chunks_.num_cells()));
    const Box positions = Box::of_shape(chunks_.num_cells());
    for (std::uint64_t low = 0; low < std::uint64_t{1} << num_bits; ++low) {
      const Index3 position = position_of_code(first | low, chunks_.num_cells());
      if (!positions.contains(position)) continue;
      use(first | low, chunks_.box_of(position).translate(Index3{} - unit.begin));
    }
  }

  AnyArray decode_shard(const Index3& shard, std::span<const std::byte> bytes, const Shape3& shape) const {
    VolumeShardReader reader(*scale_.sharding, bytes);
    AnyArray voxels(spec().data_type, shape);
    dispatch(spec().data_type, [&](auto zero) {
      using T = decltype(zero);
      for_each_chunk_in(shard, [&](std::uint64_t id, const Box& box) {
        const ArrayView<T> target = voxels.view<T>().part(box);
        if (const auto stored = reader.find(id)) {
          const AnyArray chunk = decode_inner_chunk(
              decode_shard_value(*scale_.sharding, {stored->begin(), stored->end()}, max_value_bytes()),
              box.shape(), position_of_code(id, chunks_.num_cells()));
          copy_voxels<T>(chunk.view<T>(), target);
        } else {
          fill_voxels<T>(target, T{});
        }
      });
    });
    return voxels;
  }

  std::vector<std::byte> encode_shard(const Index3& shard, const AnyArray& voxels) const {
    VolumeShardWriter writer(*scale_.sharding);
    dispatch(spec().data_type, [&](auto zero) {
      using T = decltype(zero);
      for_each_chunk_in(shard, [&](std::uint64_t id, const Box& box) {
        AnyArray chunk(spec().data_type, box.shape());
        copy_voxels<T>(voxels.view<T>().part(box), chunk.view<T>());
        if (!is_all_fill(chunk, 0)) writer.add(id, encode_chunk(chunk));
      });
    });
    return writer.finish();
  }

  std::optional<std::vector<std::byte>> load_in_shard(std::uint64_t id, std::size_t max_bytes) const {
    const auto range = find_in_shard(id);
    if (!range) return std::nullopt;
    const std::uint64_t size = range->end - range->begin;
    if (size > max_bytes) throw Error(ErrorKind::kCorruptData, fmt::format("a chunk of {} bytes", size));
    auto bytes = place().store->read_range(shard_key(id), range->begin, static_cast<std::size_t>(size));
    if (!bytes || bytes->size() != size)
      throw Error(ErrorKind::kCorruptData, "the shard ends before the chunk that its index names");
    return decode_shard_value(*scale_.sharding, std::move(*bytes), max_value_bytes());
  }

  // Of a chunk as it is encoded: no more is unpacked.
  std::size_t max_value_bytes() const {
    return static_cast<std::size_t>(spec().codec == Codec::kRaw ? chunk_bytes(spec()) : 2 * kMaxChunkBytes);
  }

  std::optional<ShardRange> find_in_shard(std::uint64_t id) const {
    const auto minishard = minishard_of(id);
    const auto found = minishard->find(id);
    if (found == minishard->end()) return std::nullopt;
    return found->second;
  }

  // Kept, as neighbouring chunks share them. Two threads may read one at once. A shard that was written anew
  // since, by another process, has another index: then the checksums of gzip and png tell.
  std::shared_ptr<const Minishard> minishard_of(std::uint64_t id) const {
    const VolumeSharding& sharding = *scale_.sharding;
    const ShardPlace at = place_in_shards(sharding, id);
    const std::pair key(at.shard, at.minishard);
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = minishards_.find(key); found != minishards_.end()) return found->second;
    }
    const std::string file = shard_key(id);
    const auto minishard =
        std::make_shared<const Minishard>(read_minishard_index(sharding, at, [&](const ShardRange& range) {
          return place().store->read_range(file, range.begin,
                                           static_cast<std::size_t>(range.end - range.begin));
        }));
    const std::lock_guard lock(mutex_);
    if (minishards_.size() >= kMostMinishards) minishards_.clear();
    minishards_[key] = minishard;
    return minishard;
  }

  static constexpr std::size_t kMostMinishards = 64;

  Place folder_;
  PrecomputedScale scale_;
  bool is_gzipped_;
  BlockGrid chunks_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<const Minishard>> minishards_;
};

// Where a new scale belongs: into an existing volume above it, else into the folder ending in ".precomputed",
// else into its parent.
ScalePlace place_for_new_scale(const std::string& address, const Place& place) {
  if (const auto existing = find_volume(place); existing && !existing->key.empty()) return *existing;
  const std::filesystem::path path = place.path();
  for (std::filesystem::path folder = path.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.extension() == ".precomputed")
      return {place.at(folder), path.lexically_relative(folder).generic_string()};
  }
  if (path.extension() == ".precomputed" || path.parent_path().empty() || find_volume(place)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: name the scale too, such as {}/s0", address, path.string()));
  }
  return {place.at(path.parent_path()), path.filename().string()};
}

double voxel_volume(const Json& entry) {
  const std::vector<double> size = numbers_of(field(entry, "resolution", "info"), "info");
  double volume = 1;
  for (const double edge : size) volume *= edge;
  return volume;
}

// cloud-volume keeps files on disk compressed; servers say the same in their headers, and the client unpacks.
// The first of many tells. Errors: kUnsupported for another compression.
bool are_files_gzipped(const Place& folder, const std::string& address) {
  constexpr int kMostLookedAt = 1000;
  const auto path = folder.store->local_path(folder.key);
  if (!path) return false;
  std::error_code none;
  int looked_at = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*path, none)) {
    const std::string ending = entry.path().extension().string();
    if (ending == kGzipEnding) return true;
    for (const std::string_view other : {".br", ".zstd", ".xz", ".bz2"}) {
      if (ending == other) {
        throw Error(ErrorKind::kUnsupported,
                    fmt::format("{}: its files are kept compressed ({}); only .gz is read", address, ending));
      }
    }
    if (++looked_at == kMostLookedAt) return false;
  }
  return false;
}

std::shared_ptr<Dataset> open_scale(const std::string& address, const ScalePlace& place, const Json& info,
                                    const Json& entry, std::optional<std::int64_t> channel = std::nullopt) {
  PrecomputedScale scale = precomputed_scale_of(info, entry, (place.folder / "info").describe());
  choose_channel(scale.spec.channels, channel, address);
  const bool is_gzipped = !scale.sharding && are_files_gzipped(place.folder / scale.key, address);
  return std::make_shared<PrecomputedDataset>(address, place.folder, std::move(scale), is_gzipped);
}

}  // namespace

std::optional<std::vector<std::string>> precomputed_keys(const Place& folder) {
  const auto info = read_info(folder);
  if (!info || !is_volume(*info)) return std::nullopt;
  std::vector<std::string> keys;
  for (const Json& entry : (*info)["scales"])
    keys.push_back(string_field(entry, "key", (folder / "info").describe()));
  return keys;
}

bool is_precomputed(const Place& place) {
  const auto scale = find_volume(place);
  if (!scale) return false;
  return scale->key.empty() || find_entry(*read_info(scale->folder), scale->key) != nullptr;
}

void forget_precomputed_scale(const Place& at) {
  const auto place = find_volume(at);
  if (!place || place->key.empty()) return;
  const FolderLock lock(place->folder);
  Json info = *read_info(place->folder);
  auto& scales = info["scales"];
  for (std::size_t i = scales.size(); i-- > 0;) {
    const Json* key = optional_field(scales[i], "key");
    if (key != nullptr && *key == place->key) scales.erase(i);
  }
  write_json(place->folder / "info", info);
}

std::shared_ptr<Dataset> open_precomputed(const std::string& address, const Place& at,
                                          std::optional<std::int64_t> channel) {
  const auto place = find_volume(at);
  if (!place)
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no info of a precomputed volume there", address));
  const Json info = *read_info(place->folder);
  if (place->key.empty()) {
    if (info["scales"].size() != 1) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: a volume of {} scales; add the key of one to the path: {}", address,
                              info["scales"].size(), fmt::join(*precomputed_keys(place->folder), ", ")));
    }
    return open_scale(address, *place, info, info["scales"].front(), channel);
  }
  const Json* entry = find_entry(info, place->key);
  if (entry == nullptr) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: {} has no scale '{}'", address,
                                                  (place->folder / "info").describe(), place->key));
  }
  return open_scale(address, *place, info, *entry, channel);
}

std::shared_ptr<Dataset> create_precomputed(const std::string& address, const Place& at,
                                            const DatasetSpec& spec) {
  if (spec.fill_value != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: the fill value of precomputed is always 0", address));
  }
  if (!has_voxel_offset(spec.grid)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: offset {} nm is more than 2^40 voxels", address,
                                                         to_string(spec.grid.offset_nm)));
  }
  const ScalePlace place = place_for_new_scale(address, at);
  const FolderLock lock(place.folder);
  Json info = read_info(place.folder).value_or(precomputed_info_of(spec));
  if (!is_volume(info)) {
    throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: the info there is of something else", address));
  }
  if (const Json* entry = find_entry(info, place.key)) {
    std::shared_ptr<Dataset> dataset = open_scale(address, place, info, *entry);
    if (const std::string difference = describe_difference(dataset->spec(), spec); !difference.empty()) {
      throw Error(ErrorKind::kAlreadyExists, fmt::format("{}: exists with {}", address, difference));
    }
    return dataset;
  }
  if (integer_field(info, "num_channels", address) != spec.channels.count()) {
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{}: the volume exists with another number of channels", address));
  }
  if (string_field(info, "data_type", address) != to_string(spec.data_type)) {
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{}: the volume exists with data type {} instead of {}", address,
                            string_field(info, "data_type", address), to_string(spec.data_type)));
  }
  PrecomputedScale scale;
  scale.key = place.key;
  scale.spec = spec;
  scale.voxel_offset = voxel_offset_of(spec.grid);
  if (has_shards(spec)) scale.sharding = precomputed_sharding_of(spec);
  info["scales"].push_back(precomputed_scale_entry(scale));
  std::stable_sort(info["scales"].begin(), info["scales"].end(),
                   [](const Json& a, const Json& b) { return voxel_volume(a) < voxel_volume(b); });
  write_json(place.folder / "info", info);
  return open_scale(address, place, info, *find_entry(info, place.key));
}

}  // namespace organon::storage
