#include "organon/storage/volumes/hdf5_volume.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/storage/dataset_spec.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/volumes/lzf.h"

namespace organon::storage {
namespace {

constexpr H5Z_filter_t kLzfFilter = 32000;

// Something of HDF5 that is closed when this goes.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  bool is_open() const { return id_ >= 0; }
  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

// Called by HDF5 with a buffer that it allocated by malloc, to be replaced by another. 0 is failure. What
// organon writes is not HDF5, so that it only decodes.
std::size_t lzf_filter(unsigned flags, std::size_t num_values, const unsigned* values, std::size_t num_bytes,
                       std::size_t* buffer_bytes, void** buffer) {
  // h5py puts the bytes of a whole chunk third.
  if ((flags & H5Z_FLAG_REVERSE) == 0 || num_values < 3 || values[2] == 0 ||
      static_cast<std::int64_t>(values[2]) > kMaxChunkBytes)
    return 0;
  void* const decoded = std::malloc(values[2]);
  if (decoded == nullptr) return 0;
  const auto count = decode_lzf({static_cast<const std::byte*>(*buffer), num_bytes},
                                {static_cast<std::byte*>(decoded), values[2]});
  if (!count || *count == 0) {
    std::free(decoded);
    return 0;
  }
  std::free(*buffer);
  *buffer = decoded;
  *buffer_bytes = values[2];
  return *count;
}

// Every thread has its own stack of errors, which HDF5 prints unless told not to.
void prepare_library() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  static const bool is_ready = [] {
    const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, kLzfFilter, 0, 1, "lzf", nullptr, nullptr, &lzf_filter};
    // Foreign files must not make the library load programs.
    H5PLset_loading_state(0);
    return H5Zregister(&lzf) >= 0;
  }();
  if (!is_ready) throw Error(ErrorKind::kInternal, "HDF5 does not take the LZF filter");
}

std::optional<DataType> integer_type(std::size_t num_bytes, bool is_signed) {
  switch (num_bytes) {
    case 1:
      return is_signed ? DataType::kInt8 : DataType::kUint8;
    case 2:
      return is_signed ? DataType::kInt16 : DataType::kUint16;
    case 4:
      return is_signed ? DataType::kInt32 : DataType::kUint32;
    case 8:
      return is_signed ? DataType::kInt64 : DataType::kUint64;
    default:
      return std::nullopt;
  }
}

hid_t memory_type(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return H5T_NATIVE_UINT8;
    case DataType::kInt8:
      return H5T_NATIVE_INT8;
    case DataType::kUint16:
      return H5T_NATIVE_UINT16;
    case DataType::kInt16:
      return H5T_NATIVE_INT16;
    case DataType::kUint32:
      return H5T_NATIVE_UINT32;
    case DataType::kInt32:
      return H5T_NATIVE_INT32;
    case DataType::kUint64:
      return H5T_NATIVE_UINT64;
    case DataType::kInt64:
      return H5T_NATIVE_INT64;
    case DataType::kFloat32:
      return H5T_NATIVE_FLOAT;
    case DataType::kFloat64:
      break;
  }
  return H5T_NATIVE_DOUBLE;
}

std::string last_error() {
  std::string text;
  const auto take = [](unsigned, const H5E_error2_t* error, void* target) -> herr_t {
    auto& message = *static_cast<std::string*>(target);
    // The first of the walk is the cause.
    if (message.empty() && error->desc != nullptr) message = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take, &text);
  return text.empty() ? "the library does not say why" : text;
}

std::vector<hsize_t> extents_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), &H5Sclose);
  const int rank = space.is_open() ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (rank <= 0) return {};
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
  return extents;
}

// Paths of all datasets of three axes, at most a few.
std::vector<std::string> volumes_in(hid_t file) {
  constexpr std::size_t kMostListed = 20;
  std::vector<std::string> names;
  const auto visit = [](hid_t root, const char* name, const H5O_info_t* info, void* target) -> herr_t {
    auto& found = *static_cast<std::vector<std::string>*>(target);
    if (info->type != H5O_TYPE_DATASET) return 0;
    const Handle dataset(H5Dopen2(root, name, H5P_DEFAULT), &H5Dclose);
    if (dataset.is_open() && extents_of(dataset.get()).size() == 3) found.push_back(fmt::format("/{}", name));
    return found.size() < kMostListed ? 0 : 1;
  };
  H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &names, H5O_INFO_BASIC);
  return names;
}

H5O_type_t type_of_object(hid_t file, const std::string& path) {
  H5O_info_t object = {};
  return H5Oget_info_by_name2(file, path.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ? H5O_TYPE_UNKNOWN
                                                                                            : object.type;
}

// Whether the file has the path. Errors: kCorruptData where a group on the way cannot be read; then nothing
// may go through the file's groups, since HDF5 does not always survive that.
bool has_path(hid_t file, const std::string& path, const std::string& where) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string prefix = path.substr(0, end);
    if (prefix.empty() || prefix.ends_with('/')) continue;
    const htri_t exists = H5Lexists(file, prefix.c_str(), H5P_DEFAULT);
    if (exists < 0)
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: a group cannot be read: {}", where, last_error()));
    if (exists == 0) return false;
    // Nothing lies below a dataset; asking for it would be an error like damage.
    if (end != std::string::npos && type_of_object(file, prefix) == H5O_TYPE_DATASET) return false;
  }
  return true;
}

// --- attributes ---

std::vector<double> numbers_in_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return {};
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), &H5Aclose);
  if (!attribute.is_open()) return {};
  const Handle space(H5Aget_space(attribute.get()), &H5Sclose);
  const Handle type(H5Aget_type(attribute.get()), &H5Tclose);
  if (!space.is_open() || !type.is_open()) return {};
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return {};
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count != 1 && count != 3) return {};
  std::vector<double> values(static_cast<std::size_t>(count));
  if (H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, values.data()) < 0) return {};
  if (count == 1) values.resize(3, values[0]);
  for (const double value : values)
    if (!std::isfinite(value)) return {};
  return values;
}

// A text, or the first of a list of texts; empty where there is none.
std::string text_in_attribute(hid_t object, const char* name) {
  constexpr hssize_t kMostTexts = 16;
  constexpr std::size_t kMostBytes = 256;
  if (H5Aexists(object, name) <= 0) return {};
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), &H5Aclose);
  if (!attribute.is_open()) return {};
  const Handle space(H5Aget_space(attribute.get()), &H5Sclose);
  const Handle type(H5Aget_type(attribute.get()), &H5Tclose);
  if (!space.is_open() || !type.is_open() || H5Tget_class(type.get()) != H5T_STRING) return {};
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 1 || count > kMostTexts) return {};
  if (H5Tis_variable_str(type.get()) > 0) {
    const Handle text_type(H5Tcopy(type.get()), &H5Tclose);
    std::vector<char*> texts(static_cast<std::size_t>(count), nullptr);
    if (H5Aread(attribute.get(), text_type.get(), texts.data()) < 0) return {};
    const std::string text = texts[0] != nullptr ? texts[0] : "";
    H5Dvlen_reclaim(text_type.get(), space.get(), H5P_DEFAULT, texts.data());
    return text;
  }
  const std::size_t bytes = H5Tget_size(type.get());
  if (bytes == 0 || bytes > kMostBytes) return {};
  std::vector<char> texts(bytes * static_cast<std::size_t>(count) + 1, '\0');
  if (H5Aread(attribute.get(), type.get(), texts.data()) < 0) return {};
  texts[bytes] = '\0';
  return texts.data();
}

StatedGrid grid_of(hid_t dataset, const std::string& where) {
  StatedGrid stated;
  const auto lengths = [](const std::vector<double>& values) {
    return Lengths(values[0], values[1], values[2]);
  };
  if (const auto size = numbers_in_attribute(dataset, "element_size_um"); !size.empty()) {
    stated.voxel_size = lengths(size);
    stated.nm_per_unit = 1e3;
    stated.source = "its attribute 'element_size_um'";
    return stated;
  }
  for (const char* name : {"resolution", "voxel_size"}) {
    const auto size = numbers_in_attribute(dataset, name);
    if (size.empty()) continue;
    stated.voxel_size = lengths(size);
    stated.source = fmt::format("its attribute '{}'", name);
    std::string unit = text_in_attribute(dataset, "units");
    if (unit.empty()) unit = text_in_attribute(dataset, "unit");
    stated.nm_per_unit = unit.empty() ? 1 : nm_per_unit(unit, where);
    if (const auto corner = numbers_in_attribute(dataset, "offset"); !corner.empty())
      stated.offset = lengths(corner) + *stated.voxel_size * 0.5;
    break;
  }
  return stated;
}

// --- the dataset ---

std::string filter_name(H5Z_filter_t filter) {
  switch (filter) {
    case H5Z_FILTER_SZIP:
      return "szip";
    case H5Z_FILTER_NBIT:
      return "nbit";
    case H5Z_FILTER_SCALEOFFSET:
      return "scaleoffset";
    case 307:
      return "bzip2";
    case 32001:
      return "blosc";
    case 32004:
      return "lz4";
    case 32008:
      return "bitshuffle";
    case 32015:
      return "zstd";
    default:
      return fmt::format("number {}", filter);
  }
}

class Hdf5Volume : public VolumeSource {
 public:
  Hdf5Volume(VolumeInfo volume_info, std::string where, Handle file, Handle dataset, Handle type)
      : VolumeSource(std::move(volume_info)),
        where_(std::move(where)),
        file_(std::move(file)),
        dataset_(std::move(dataset)),
        type_(std::move(type)) {}

 protected:
  void read(std::int64_t z_begin, AnyArray& slab) override {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    const Shape3& shape = slab.shape();
    const std::array<hsize_t, 3> start = {static_cast<hsize_t>(z_begin), 0, 0};
    const std::array<hsize_t, 3> count = {static_cast<hsize_t>(shape.z), static_cast<hsize_t>(shape.y),
                                          static_cast<hsize_t>(shape.x)};
    const Handle in_file(H5Dget_space(dataset_.get()), &H5Sclose);
    const Handle in_memory(H5Screate_simple(3, count.data(), nullptr), &H5Sclose);
    if (!in_file.is_open() || !in_memory.is_open() ||
        H5Sselect_hyperslab(in_file.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) <
            0 ||
        H5Dread(dataset_.get(), type_.get(), in_memory.get(), in_file.get(), H5P_DEFAULT,
                slab.bytes().data()) < 0) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: slices {} to {} cannot be read: {}", where_,
                                                       z_begin, z_begin + shape.z - 1, last_error()));
    }
  }

 private:
  std::string where_;
  Handle file_;
  Handle dataset_;
  Handle type_;  // of voxels in memory
};

// Type of voxels, and that which HDF5 is to give them in memory.
std::pair<DataType, Handle> type_of(hid_t dataset, const std::string& where) {
  Handle stored(H5Dget_type(dataset), &H5Tclose);
  const H5T_class_t kind = H5Tget_class(stored.get());
  const std::size_t num_bytes = H5Tget_size(stored.get());
  std::optional<DataType> type;
  if (kind == H5T_INTEGER && H5Tget_precision(stored.get()) == 8 * num_bytes) {
    type = integer_type(num_bytes, H5Tget_sign(stored.get()) == H5T_SGN_2);
  } else if (kind == H5T_FLOAT) {
    if (H5Tequal(stored.get(), H5T_IEEE_F32LE) > 0 || H5Tequal(stored.get(), H5T_IEEE_F32BE) > 0)
      type = DataType::kFloat32;
    if (H5Tequal(stored.get(), H5T_IEEE_F64LE) > 0 || H5Tequal(stored.get(), H5T_IEEE_F64BE) > 0)
      type = DataType::kFloat64;
  } else if (kind == H5T_ENUM && num_bytes == 1) {
    return {DataType::kUint8, std::move(stored)};
  }
  if (!type) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: values of {} bytes that are {}, expected whole numbers or float32, float64",
                            where, num_bytes,
                            kind == H5T_FLOAT      ? "another kind of real numbers"
                            : kind == H5T_INTEGER  ? "whole numbers of another width"
                            : kind == H5T_COMPOUND ? "compound"
                            : kind == H5T_STRING   ? "texts"
                                                   : "no numbers"));
  }
  return {*type, Handle(H5Tcopy(memory_type(*type)), &H5Tclose)};
}

// Bytes of a decoded chunk; 0 where the dataset is not chunked.
std::int64_t check_layout(hid_t dataset, DataType type, const std::string& where) {
  const Handle plist(H5Dget_create_plist(dataset), &H5Pclose);
  const H5D_layout_t layout = H5Pget_layout(plist.get());
  const auto refuse = [&](const std::string& what) {
    return Error(ErrorKind::kUnsupported, fmt::format("{}: HDF5 with {}", where, what));
  };
  if (layout == H5D_VIRTUAL) throw refuse("a virtual dataset");
  if (H5Pget_external_count(plist.get()) > 0) throw refuse("its voxels in other files");
  if (layout != H5D_CHUNKED) return 0;
  for (int i = 0; i < H5Pget_nfilters(plist.get()); ++i) {
    unsigned flags = 0, config = 0;
    std::size_t num_values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(plist.get(), static_cast<unsigned>(i), &flags, &num_values,
                                               nullptr, 0, nullptr, &config);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32 &&
        filter != kLzfFilter) {
      throw refuse(fmt::format("filter {}, understood: gzip, shuffle, fletcher32, lzf", filter_name(filter)));
    }
  }
  std::array<hsize_t, 3> chunk = {};
  if (H5Pget_chunk(plist.get(), 3, chunk.data()) != 3) throw refuse("chunks of another number of axes");
  hsize_t bytes = size_of(type);
  for (const hsize_t extent : chunk) {
    if (extent == 0 || extent > static_cast<hsize_t>(kMaxChunkBytes) / bytes) {
      throw Error(ErrorKind::kResourceExhausted,
                  fmt::format("{}: chunks of {} voxels; a chunk may have {} bytes", where,
                              fmt::join(chunk, " x "), kMaxChunkBytes));
    }
    bytes *= extent;
  }
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

std::unique_ptr<VolumeSource> open_hdf5_volume(const std::filesystem::path& path, const std::string& name) {
  prepare_library();
  const std::uint64_t file_bytes = std::filesystem::file_size(path);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), &H5Fclose);
  if (!file.is_open()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: cannot be opened as HDF5: {}", path.string(), last_error()));
  }
  std::string in_file = name;
  const auto choices = [&] {
    const auto volumes = volumes_in(file.get());
    return volumes.empty() ? std::string("it has no dataset of three axes")
                           : fmt::format("it has {}", fmt::join(volumes, ", "));
  };
  if (in_file.empty()) {
    const auto volumes = volumes_in(file.get());
    if (volumes.size() != 1) {
      throw Error(volumes.empty() ? ErrorKind::kNotFound : ErrorKind::kInvalidArgument,
                  fmt::format("{}: name the dataset, as in {}:/volumes/raw; {}", path.string(),
                              path.filename().string(), choices()));
    }
    in_file = volumes[0];
  }
  const std::string where = path.string() + ":" + in_file;
  if (!has_path(file.get(), in_file, where))
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such dataset; {}", where, choices()));
  if (type_of_object(file.get(), in_file) == H5O_TYPE_GROUP)
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no dataset; {}", where, choices()));
  Handle dataset(H5Dopen2(file.get(), in_file.c_str(), H5P_DEFAULT), &H5Dclose);
  if (!dataset.is_open())
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: cannot be opened: {}", where, last_error()));
  const std::vector<hsize_t> extents = extents_of(dataset.get());
  if (extents.size() != 3) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: a dataset of {} axes ({}), expected 3", where,
                                                     extents.size(), fmt::join(extents, " x ")));
  }
  constexpr hsize_t kLargestExtent = 0x7fffffff;
  for (const hsize_t extent : extents) {
    if (extent > kLargestExtent)
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: {} voxels along an axis", where, extent));
  }
  VolumeInfo info;
  info.format = "HDF5";
  info.shape = {static_cast<std::int64_t>(extents[0]), static_cast<std::int64_t>(extents[1]),
                static_cast<std::int64_t>(extents[2])};
  auto [type, in_memory] = type_of(dataset.get(), where);
  info.type = type;
  check_volume_shape(info.shape, type, where);
  // The library's buffers for type conversion and metadata.
  constexpr std::int64_t kLibraryBytes = 8 << 20;
  info.working_bytes = 2 * check_layout(dataset.get(), type, where) + kLibraryBytes;
  info.stated = grid_of(dataset.get(), where);
  info.file_bytes = static_cast<std::int64_t>(file_bytes);
  return std::make_unique<Hdf5Volume>(std::move(info), where, std::move(file), std::move(dataset),
                                      std::move(in_memory));
}

}  // namespace organon::storage
