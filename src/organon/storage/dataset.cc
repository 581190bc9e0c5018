#include "organon/storage/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "organon/array/data_type.h"
#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

// A damaged or foreign file may be larger than its voxels, but not without bound.
constexpr std::size_t kMaxChunkFileBytes = 2 * static_cast<std::size_t>(kMaxChunkBytes);

/// True where every value of From is a value of To.
template <class From, class To>
constexpr bool fits_exactly() {
  if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To>) return false;
  if constexpr (std::is_signed_v<From> && !std::is_signed_v<To>) return false;
  return std::numeric_limits<To>::digits >= std::numeric_limits<From>::digits;
}

template <class From, class To>
void convert_overlap(ArrayView<const From> source, const Box& source_box, ArrayView<To> target,
                     const Box& target_box) {
  if constexpr (std::is_same_v<From, To>) {
    copy_overlap<To>(source, source_box, target, target_box);
  } else {
    const Box shared = source_box.intersect(target_box);
    if (shared.empty()) return;
    const ArrayView<const From> from = source.part(shared.translate(Index3{} - source_box.begin));
    const ArrayView<To> to = target.part(shared.translate(Index3{} - target_box.begin));
    const Shape3 shape = shared.shape();
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const From* const source_row = from.row(z, y);
        std::transform(source_row, source_row + shape.x, to.row(z, y),
                       [](From v) { return static_cast<To>(v); });
      }
    }
  }
}

template <class Function>
void for_each_position(const Box& positions, Function function) {
  for (std::int64_t z = positions.begin.z; z < positions.end.z; ++z) {
    for (std::int64_t y = positions.begin.y; y < positions.end.y; ++y) {
      for (std::int64_t x = positions.begin.x; x < positions.end.x; ++x) function(Index3{z, y, x});
    }
  }
}

}  // namespace

std::filesystem::path Dataset::local_path() const {
  const auto local = place_.store->local_path(place_.key);
  if (local) return *local;
  throw Error(ErrorKind::kUnsupported,
              fmt::format("dataset {}: files are kept beside it, so it must lie on this machine", address_));
}

std::string Dataset::describe_chunk(const Index3& position) const {
  return fmt::format("dataset {}: chunk {} (file {})", address_, to_string(position),
                     place_.store->describe(chunk_key(position)));
}

void Dataset::require_in_domain(const Box& box) const {
  if (spec_.domain().contains(box)) return;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("dataset {}: box {} lies outside {}", address_,
                                                       to_string(box), to_string(spec_.domain())));
}

void Dataset::require_one_channel() const {
  if (spec_.channels.in_stack() == 1) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("dataset {}: it has {} channels; choose one by #0 to #{} behind the address",
                          address_, spec_.channels.count(), spec_.channels.count() - 1));
}

bool Dataset::chunk_exists(const Index3& position) const { return has_chunk(position); }

std::optional<std::vector<std::byte>> Dataset::read_chunk_file(const Index3& position) const {
  // Else a position has several.
  if (!spec_.channels.chosen && spec_.channels.chunk != spec_.channels.shape) require_one_channel();
  try {
    fault_point("chunk read");
    return load_chunk(position, kMaxChunkFileBytes);
  } catch (const Error& error) {
    throw error.within(describe_chunk(position));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kResourceExhausted, describe_chunk(position) + ": not enough memory");
  }
}

std::optional<AnyArray> Dataset::read_chunk(const Index3& position) const {
  const auto bytes = read_chunk_file(position);
  if (!bytes) return std::nullopt;
  try {
    return decode_chunk_at(position, *bytes, chunk_grid().box_of(position).shape());
  } catch (const Error& error) {
    throw error.within(describe_chunk(position));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kResourceExhausted, describe_chunk(position) + ": not enough memory");
  }
}

template <class Use>
void Dataset::for_each_stored_chunk(const Box& box, Use use) const {
  const BlockGrid grid = chunk_grid();
  for_each_position(grid.positions_touching(box), [&](const Index3& position) {
    const Box unit = grid.box_of(position);
    if (has_shards(spec_) && !box.contains(unit)) return for_each_chunk_of_shard(position, box, use);
    std::optional<AnyArray> chunk = read_chunk(position);
    if (chunk) use(std::move(*chunk), unit);
  });
}

template <class Use>
void Dataset::for_each_chunk_of_shard(const Index3& shard, const Box& box, Use use) const {
  const Box unit = chunk_grid().box_of(shard);
  const BlockGrid chunks(spec_.domain(), spec_.chunk_shape);
  const Index3 first = chunks.position_containing(unit.begin);
  for_each_position(chunks.positions_touching(box.intersect(unit)), [&](const Index3& position) {
    const Box chunk_box = chunks.box_of(position);
    try {
      fault_point("chunk read");
      std::optional<AnyArray> chunk = read_in_shard(shard, position - first, chunk_box.shape());
      if (chunk) use(std::move(*chunk), chunk_box);
    } catch (const Error& error) {
      throw error.within(describe_chunk(shard));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorKind::kResourceExhausted, describe_chunk(shard) + ": not enough memory");
    }
  });
}

std::optional<AnyArray> Dataset::read_in_shard(const Index3&, const Index3&, const Shape3&) const {
  ORGANON_CHECK(false && "a format without shards");
  return std::nullopt;
}

AnyArray Dataset::read(const Box& box) const {
  require_in_domain(box);
  require_one_channel();
  const BlockGrid grid = chunk_grid();
  const Box positions = grid.positions_touching(box);
  if (positions.volume() == 1 && grid.box_of(positions.begin) == box) {
    std::optional<AnyArray> chunk = read_chunk(positions.begin);
    if (chunk) return std::move(*chunk);
  }
  AnyArray result(spec_.data_type, box.shape());
  dispatch(spec_.data_type, [&](auto zero) {
    using T = decltype(zero);
    fill_voxels<T>(result.view<T>(), fill_voxel<T>(spec_.fill_value));
    for_each_stored_chunk(box, [&](const AnyArray& chunk, const Box& chunk_box) {
      copy_overlap<T>(chunk.view<T>(), chunk_box, result.view<T>(), box);
    });
  });
  return result;
}

template <class T>
Array<T> Dataset::read_as(const Box& box) const {
  require_in_domain(box);
  require_one_channel();
  return dispatch(spec_.data_type, [&](auto zero) -> Array<T> {
    using Stored = decltype(zero);
    if constexpr (fits_exactly<Stored, T>()) {
      Array<T> result(box.shape(), static_cast<T>(fill_voxel<Stored>(spec_.fill_value)));
      for_each_stored_chunk(box, [&](const AnyArray& chunk, const Box& chunk_box) {
        convert_overlap<Stored, T>(chunk.view<Stored>(), chunk_box, result.view(), box);
      });
      return result;
    } else {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("dataset {}: not every value of {} fits {}", address_,
                              to_string(spec_.data_type), to_string(data_type_of<T>())));
    }
  });
}

ChunkRecord Dataset::write_chunk(const Index3& position, const AnyArray& voxels, Fsync fsync,
                                 const std::function<void()>& before_commit) {
  try {
    fault_point("chunk write");
    forget(position);
    ChunkRecord record;
    record.position = position;
    record.voxels = hash_bytes(voxels.bytes());
    const std::string key = chunk_key(position);
    if (is_all_fill(voxels, spec_.fill_value)) {
      record.is_absent = true;
      if (before_commit) before_commit();
      const bool was_there = place_.store->remove(key);
      if (const auto file = place_.store->local_path(key); file && was_there && fsync == Fsync::kYes)
        sync_folder(file->parent_path());
      return record;
    }
    const std::vector<std::byte> bytes = encode_chunk_at(position, voxels);
    record.file = hash_bytes(bytes);
    record.file_bytes = static_cast<std::int64_t>(bytes.size());
    place_.store->write(key, bytes, fsync, before_commit);
    return record;
  } catch (const Error& error) {
    throw error.within(describe_chunk(position));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kResourceExhausted, describe_chunk(position) + ": not enough memory");
  }
}

std::vector<ChunkRecord> Dataset::write_chunks(const Box& box, DataType type, const Shape3& shape,
                                               Fsync fsync, const std::function<void()>& before_commit,
                                               const std::function<AnyArray(const Box&)>& voxels_of) {
  require_in_domain(box);
  if (const std::string reason = why_read_only(); !reason.empty())
    throw Error(ErrorKind::kUnsupported, fmt::format("dataset {}: {}", address_, reason));
  if (!spec_.channels.are_whole_in_chunks()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("dataset {}: chunks of other channels than those of a block are read only here",
                            address_));
  }
  const BlockGrid grid = chunk_grid();
  if (!grid.is_union_of_cells(box)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("dataset {}: box {} cuts chunks of {} voxels", address_, to_string(box),
                            to_string(stored_shape(spec_))));
  }
  const Shape3 expected = stack_of(box.shape(), spec_.channels.in_stack());
  if (type != spec_.data_type || shape != expected) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("dataset {}: expected {} voxels of {}, given {} of {}", address_, to_string(expected),
                    to_string(spec_.data_type), to_string(shape), to_string(type)));
  }
  std::vector<ChunkRecord> records;
  for_each_position(grid.positions_touching(box), [&](const Index3& position) {
    records.push_back(write_chunk(position, voxels_of(grid.box_of(position)), fsync, before_commit));
  });
  return records;
}

template <class T>
std::vector<ChunkRecord> Dataset::write(const Box& box, ArrayView<const T> voxels, Fsync fsync,
                                        const std::function<void()>& before_commit) {
  return write_chunks(
      box, data_type_of<T>(), voxels.shape(), fsync, before_commit, [&](const Box& chunk_box) {
        const std::int64_t channels = spec_.channels.in_stack();
        AnyArray chunk(data_type_of<T>(), stack_of(chunk_box.shape(), channels));
        for (std::int64_t channel = 0; channel < channels; ++channel) {
          copy_overlap<T>(voxels.part(box_in_stack(box.shape(), channel)), box,
                          chunk.view<T>().part(box_in_stack(chunk_box.shape(), channel)), chunk_box);
        }
        return chunk;
      });
}

std::vector<ChunkRecord> Dataset::write(const Box& box, const AnyArray& voxels, Fsync fsync,
                                        const std::function<void()>& before_commit) {
  return dispatch(voxels.type(), [&](auto zero) {
    return write<decltype(zero)>(box, voxels.view<decltype(zero)>(), fsync, before_commit);
  });
}

#define ORGANON_INSTANTIATE(T)                                                               \
  template Array<T> Dataset::read_as<T>(const Box&) const;                                   \
  template std::vector<ChunkRecord> Dataset::write<T>(const Box&, ArrayView<const T>, Fsync, \
                                                      const std::function<void()>&);
ORGANON_FOR_EACH_VOXEL_TYPE(ORGANON_INSTANTIATE)
#undef ORGANON_INSTANTIATE

}  // namespace organon::storage
