#include "organon/storage/precomputed/precomputed_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/folder_lock.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/precomputed/compressed_segmentation.h"
#include "organon/storage/precomputed/precomputed_info.h"

namespace organon::storage {
namespace {

constexpr std::string_view kReservedKeys[] = {"@type", "data_type", "num_channels", "scales"};

std::optional<Json> read_info(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "info";
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  const auto bytes = read_file_if_exists(file);
  if (!bytes) return std::nullopt;
  return parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.string());
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

struct Place {
  std::filesystem::path folder;
  std::string key;  // empty where the path is the folder itself
};

// The nearest folder, from `path` upwards, with the info of a volume.
std::optional<Place> find_volume(const std::filesystem::path& path) {
  for (std::filesystem::path folder = path; !folder.empty(); folder = folder.parent_path()) {
    if (std::filesystem::is_regular_file(folder / "info")) {
      // Further up, a file of that name may be anybody's.
      std::optional<Json> info;
      try {
        info = read_info(folder);
      } catch (const Error& error) {
        if (folder == path || error.kind() != ErrorKind::kCorruptData) throw;
      }
      if (info && is_volume(*info)) {
        return Place{folder, folder == path ? "" : path.lexically_relative(folder).generic_string()};
      }
    }
    if (folder == folder.parent_path()) break;
  }
  return std::nullopt;
}

class PrecomputedDataset : public Dataset {
 public:
  PrecomputedDataset(std::string address, std::filesystem::path folder, PrecomputedScale scale)
      : Dataset(std::move(address), folder / scale.key, scale.spec),
        folder_(std::move(folder)),
        scale_(std::move(scale)) {}

  Json attributes() const override {
    return without_keys(read_info(folder_).value_or(Json::object()), kReservedKeys);
  }

  void set_attributes(const Json& keys_and_values) override {
    const FolderLock lock(folder_);
    std::optional<Json> info = read_info(folder_);
    if (!info || !is_volume(*info))
      throw Error(ErrorKind::kNotFound, fmt::format("{}: the info is gone", address()));
    merge_attributes(*info, keys_and_values, kReservedKeys, address());
    write_text_atomically(folder_ / "info", to_text(*info));
  }

 protected:
  std::filesystem::path chunk_path(const Index3& position) const override {
    const Box box = chunk_grid().box_of(position).translate(scale_.voxel_offset);
    return path() / fmt::format("{}-{}_{}-{}_{}-{}", box.begin.x, box.end.x, box.begin.y, box.end.y,
                                box.begin.z, box.end.z);
  }

  // Raw chunks are x fastest, little-endian: as in memory.
  AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const override {
    if (spec().codec == Codec::kCompressedSegmentation) {
      return decode_compressed_segmentation(bytes, spec().data_type, shape, scale_.segmentation_block);
    }
    if (bytes.size() != static_cast<std::size_t>(shape.product()) * size_of(spec().data_type)) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{} bytes for {} voxels of {}", bytes.size(),
                                                       to_string(shape), to_string(spec().data_type)));
    }
    AnyArray voxels(spec().data_type, shape);
    decode(Codec::kRaw, bytes, voxels.bytes());
    return voxels;
  }

  std::vector<std::byte> encode_chunk(const AnyArray& voxels) const override {
    if (spec().codec == Codec::kCompressedSegmentation) {
      return encode_compressed_segmentation(voxels, scale_.segmentation_block);
    }
    return {voxels.bytes().begin(), voxels.bytes().end()};
  }

 private:
  std::filesystem::path folder_;
  PrecomputedScale scale_;
};

// Where a new scale belongs: into an existing volume above it, else into the folder ending in ".precomputed",
// else into its parent.
Place place_for_new_scale(const std::string& address, const std::filesystem::path& path) {
  if (const auto existing = find_volume(path); existing && !existing->key.empty()) return *existing;
  for (std::filesystem::path folder = path.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.extension() == ".precomputed")
      return {folder, path.lexically_relative(folder).generic_string()};
  }
  if (path.extension() == ".precomputed" || path.parent_path().empty() || find_volume(path)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: name the scale too, such as {}/s0", address, path.string()));
  }
  return {path.parent_path(), path.filename().string()};
}

double voxel_volume(const Json& entry) {
  const std::vector<double> size = numbers_of(field(entry, "resolution", "info"), "info");
  double volume = 1;
  for (const double edge : size) volume *= edge;
  return volume;
}

std::shared_ptr<Dataset> open_scale(const std::string& address, const Place& place, const Json& info,
                                    const Json& entry) {
  const std::string where = (place.folder / "info").string();
  return std::make_shared<PrecomputedDataset>(address, place.folder,
                                              precomputed_scale_of(info, entry, where));
}

}  // namespace

std::optional<std::vector<std::string>> precomputed_keys(const std::filesystem::path& folder) {
  const auto info = read_info(folder);
  if (!info || !is_volume(*info)) return std::nullopt;
  std::vector<std::string> keys;
  for (const Json& entry : (*info)["scales"])
    keys.push_back(string_field(entry, "key", (folder / "info").string()));
  return keys;
}

bool is_precomputed(const std::filesystem::path& path) {
  const auto place = find_volume(path);
  if (!place) return false;
  return place->key.empty() || find_entry(*read_info(place->folder), place->key) != nullptr;
}

std::shared_ptr<Dataset> open_precomputed(const std::string& address, const std::filesystem::path& path) {
  const auto place = find_volume(path);
  if (!place)
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no info of a precomputed volume there", address));
  const Json info = *read_info(place->folder);
  if (place->key.empty()) {
    if (info["scales"].size() != 1) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: a volume of {} scales; add the key of one to the path: {}", address,
                              info["scales"].size(), fmt::join(*precomputed_keys(place->folder), ", ")));
    }
    return open_scale(address, *place, info, info["scales"].front());
  }
  const Json* entry = find_entry(info, place->key);
  if (entry == nullptr) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: {} has no scale '{}'", address,
                                                  (place->folder / "info").string(), place->key));
  }
  return open_scale(address, *place, info, *entry);
}

std::shared_ptr<Dataset> create_precomputed(const std::string& address, const std::filesystem::path& path,
                                            const DatasetSpec& spec) {
  if (spec.codec != Codec::kRaw && spec.codec != Codec::kCompressedSegmentation) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: precomputed holds raw or compressed_segmentation, not {} (the server compresses)",
                    address, to_string(spec.codec)));
  }
  if (spec.codec == Codec::kCompressedSegmentation && spec.data_type != DataType::kUint32 &&
      spec.data_type != DataType::kUint64) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: compressed_segmentation holds uint32 or uint64, not {}", address,
                            to_string(spec.data_type)));
  }
  if (spec.fill_value != 0) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: the fill value of precomputed is always 0", address));
  }
  if (!has_voxel_offset(spec.grid)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: offset {} nm is more than 2^40 voxels", address,
                                                         to_string(spec.grid.offset_nm)));
  }
  const Place place = place_for_new_scale(address, path);
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
  if (string_field(info, "data_type", address) != to_string(spec.data_type)) {
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{}: the volume exists with data type {} instead of {}", address,
                            string_field(info, "data_type", address), to_string(spec.data_type)));
  }
  PrecomputedScale scale;
  scale.key = place.key;
  scale.spec = spec;
  scale.voxel_offset = voxel_offset_of(spec.grid);
  info["scales"].push_back(precomputed_scale_entry(scale));
  std::stable_sort(info["scales"].begin(), info["scales"].end(),
                   [](const Json& a, const Json& b) { return voxel_volume(a) < voxel_volume(b); });
  write_text_atomically(place.folder / "info", to_text(info));
  return open_scale(address, place, info, *find_entry(info, place.key));
}

}  // namespace organon::storage
