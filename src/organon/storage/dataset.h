#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/array/copy.h"
#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/dataset_spec.h"
#include "organon/storage/stores/store.h"

namespace organon::storage {

/// Where a dataset lies: `[format://][store://authority/]path[#channel]`. Formats are `n5`, `zarr`,
/// `precomputed`; without one it is found from the metadata (attributes.json, .zarray, info), or, when
/// creating, from a path component ending in `.n5`, `.zarr` or `.precomputed`. Stores are listed in
/// stores/store_list.h; without one the path is a file's.
struct Address {
  std::optional<Format> format;
  std::string store;                    ///< "s3://bucket"; empty: files
  std::filesystem::path path;           ///< in the store
  std::optional<std::int64_t> channel;  ///< of an array that has several

  bool is_local() const { return store.empty(); }
  Place place() const;
  /// The path, for what must be a file. Errors: kUnsupported where it lies in another store.
  const std::filesystem::path& local_path() const;
};
/// Errors: kInvalidArgument for an empty path; kUnsupported for another scheme.
Address parse_address(const std::string& text);
/// `address` with its path taken from `folder` where it is a relative path of a file, without `.` and `..`.
std::string address_in(const std::filesystem::path& folder, const std::string& address);
/// Equal for addresses of one place, whatever their format, spelling and channel: store and absolute path.
std::string absolute_place(const std::string& address);

/// What became of one chunk that was written: the ledger keeps these.
struct ChunkRecord {
  Index3 position;         ///< in the chunk grid
  bool is_absent = false;  ///< all fill value: not stored, an older file of it deleted
  Hash128 voxels;          ///< XXH3-128 of the decoded voxels of the clipped chunk, little-endian zyx
  Hash128 file;            ///< XXH3-128 of the stored bytes; zeros where absent
  std::int64_t file_bytes = 0;
};

/// An opened array of voxels in chunks. Of an array with channels (rank 4 and more) it is the one that its
/// address chooses, or all: then read() refuses, and what is written or read as a chunk holds the channels
/// one behind the other along z. Thread-safe for reading, and for writing different chunks. Missing chunks
/// read as the fill value. All boxes are in voxels, zyx, of this dataset.
class Dataset {
 public:
  virtual ~Dataset() = default;

  const DatasetSpec& spec() const { return spec_; }
  const std::string& address() const { return address_; }  ///< as given, for messages
  /// In its store.
  std::filesystem::path path() const { return place_.path(); }
  const Place& place() const { return place_; }
  /// As path(). Errors: kUnsupported where the dataset does not lie on this machine.
  std::filesystem::path local_path() const;
  /// Of what is stored as one value, and written whole: chunks, or the shards that hold them. What speaks of
  /// chunks below means these.
  BlockGrid chunk_grid() const { return BlockGrid(spec_.domain(), stored_shape(spec_)); }

  /// Voxels of `box`, which must lie in the domain.
  /// Errors: kCorruptData naming dataset, chunk position and reason; kIo; kInvalidArgument where no channel
  /// of several is chosen.
  AnyArray read(const Box& box) const;
  /// As read(), converting the stored type where every value of it fits T exactly.
  /// Errors: also kInvalidArgument where the stored type does not fit T.
  template <class T>
  Array<T> read_as(const Box& box) const;

  /// Writes `voxels` at `box`, a union of whole chunks (clipped at the domain's faces): its shape, or a stack
  /// of that for each channel.
  /// Chunks that are all fill value are not stored. Each file appears whole or not at all; just before,
  /// `before_commit` is called: where it throws, that chunk and those after it stay as they were.
  /// Errors: kInvalidArgument where the box cuts a chunk or the type differs; kIo, kResourceExhausted.
  std::vector<ChunkRecord> write(const Box& box, const AnyArray& voxels, Fsync fsync = Fsync::kYes,
                                 const std::function<void()>& before_commit = {});
  template <class T>
  std::vector<ChunkRecord> write(const Box& box, ArrayView<const T> voxels, Fsync fsync = Fsync::kYes,
                                 const std::function<void()>& before_commit = {});

  bool chunk_exists(const Index3& position) const;
  /// The file where the chunk is stored, if it is; below path(). Nothing where that is not on this machine.
  std::optional<std::filesystem::path> chunk_file(const Index3& position) const {
    return place_.store->local_path(chunk_key(position));
  }
  /// The stored bytes of a chunk; nothing where it is missing.
  std::optional<std::vector<std::byte>> read_chunk_file(const Index3& position) const;
  /// The voxels of what read_chunk_file() gave. Errors: kCorruptData naming the chunk.
  AnyArray decode_chunk_file(const Index3& position, std::span<const std::byte> bytes) const;
  /// One whole (clipped) chunk; nothing where it is missing.
  std::optional<AnyArray> read_chunk(const Index3& position) const;

  /// Free attributes beside the format's own: provenance, contrast limits, ...
  virtual Json attributes() const = 0;
  /// Sets the named keys, keeps the others. Not to be called by two processes at once.
  virtual void set_attributes(const Json& keys_and_values) = 0;

 protected:
  Dataset(std::string address, Place place, DatasetSpec spec)
      : spec_(std::move(spec)), address_(std::move(address)), place_(std::move(place)) {}

  /// Where the chunk at `position` is stored.
  virtual std::string chunk_key(const Index3& position) const = 0;
  /// The stored bytes of one chunk; nothing where it is missing. Of formats that keep many chunks in a value
  /// another than the value of chunk_key(). Errors: kCorruptData above `max_bytes`; kIo.
  virtual std::optional<std::vector<std::byte>> load_chunk(const Index3& position,
                                                           std::size_t max_bytes) const {
    return place_.store->read(chunk_key(position), max_bytes);
  }
  virtual bool has_chunk(const Index3& position) const { return place_.store->exists(chunk_key(position)); }
  /// One chunk of a shard, without the rest of it; `chunk` is its position within. Nothing where it is
  /// missing. Called where has_shards() alone.
  virtual std::optional<AnyArray> read_in_shard(const Index3& shard, const Index3& chunk,
                                                const Shape3& shape) const;
  /// `position` is written anew: what is kept of it is old.
  virtual void forget(const Index3& position) const { (void)position; }
  /// Why nothing can be written; empty where it can.
  virtual std::string why_read_only() const { return {}; }
  /// `shape`: of the clipped chunk. One stack of the channels that the dataset is. `bytes` come from outside:
  /// hostile. Errors without the place: read() adds it.
  virtual AnyArray decode_chunk(std::span<const std::byte> bytes, const Shape3& shape) const = 0;
  /// `voxels`: the clipped chunk, all of its channels.
  virtual std::vector<std::byte> encode_chunk(const AnyArray& voxels) const = 0;
  /// As these, of formats whose bytes say where they belong.
  virtual AnyArray decode_chunk_at(const Index3& position, std::span<const std::byte> bytes,
                                   const Shape3& shape) const {
    (void)position;
    return decode_chunk(bytes, shape);
  }
  virtual std::vector<std::byte> encode_chunk_at(const Index3& position, const AnyArray& voxels) const {
    (void)position;
    return encode_chunk(voxels);
  }

 private:
  template <class Use>
  void for_each_stored_chunk(const Box& box, Use use) const;
  std::vector<ChunkRecord> write_chunks(const Box& box, DataType type, const Shape3& shape, Fsync fsync,
                                        const std::function<void()>& before_commit,
                                        const std::function<AnyArray(const Box&)>& voxels_of);
  ChunkRecord write_chunk(const Index3& position, const AnyArray& voxels, Fsync fsync,
                          const std::function<void()>& before_commit);
  /// "dataset x: chunk 0,1,2 (file y)".
  std::string describe_chunk(const Index3& position) const;
  void require_in_domain(const Box& box) const;
  void require_one_channel() const;
  /// Errors: kUnsupported where nothing can be written; kInvalidArgument where `box` or the voxels do not
  /// fit.
  void require_writable(const Box& box, DataType type, const Shape3& shape) const;
  template <class Use>
  void for_each_chunk_of_shard(const Index3& shard, const Box& box, Use use) const;

  DatasetSpec spec_;
  std::string address_;
  Place place_;
};

/// Opens what is there. Errors: kNotFound; kUnsupported (rank below 3, codec, type) naming it;
/// kCorruptData; kInvalidArgument for a channel that is not there.
std::shared_ptr<Dataset> open_dataset(const std::string& address);

/// Makes the metadata of a new dataset. Where one of equal spec exists already it is opened, so that a rerun
/// goes on. Errors: kAlreadyExists where one of another spec exists, naming the difference; kInvalidArgument
/// for a spec that the format cannot hold or a voxel size <= 0.
std::shared_ptr<Dataset> create_dataset(const std::string& address, const DatasetSpec& spec);

/// Removes a dataset with all that lies below it: out of sight in one moment where it is a folder of this
/// machine.
void remove_dataset(const std::string& address);

/// The format that create_dataset() would choose. Errors: kInvalidArgument where the address does not tell.
Format format_for_new(const std::string& address);
/// Codecs that a format has, its usual one first.
std::vector<Codec> codecs_of(Format format, DataType type = DataType::kUint8);
/// `spec` as `format` can hold it: another codec, level and fill value where it lacks them, no shards where
/// it lacks those; channels in one chunk, one alone without an axis of its own.
DatasetSpec fitted_to(Format format, DatasetSpec spec);
/// The shards that a dataset of `spec` has once made; zeros where it asks for none. Those of precomputed that
/// reach beyond the volume have another shape than asked for, but hold the same voxels. Errors:
/// kInvalidArgument for formats without shards, and for those of precomputed naming the nearest that can be.
Shape3 shards_in(Format format, const DatasetSpec& spec);

}  // namespace organon::storage
