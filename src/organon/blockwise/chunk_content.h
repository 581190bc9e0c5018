#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "organon/base/hash.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/dataset.h"

namespace organon::blockwise {

/// All of a dataset's kind but its shape.
std::string kind_of(const storage::DatasetSpec& spec);

/// What every chunk of a dataset held: zeros where it was absent, and read as the fill value.
struct ChunkContent {
  Shape3 shape;
  Shape3 chunk_shape;
  std::string kind;
  std::vector<Hash128> of_chunk;  // in raster order

  BlockGrid chunks() const { return BlockGrid(Box::of_shape(shape), chunk_shape); }
  static ChunkContent of(const Shape3& shape, const Shape3& chunk_shape, std::string kind) {
    ChunkContent content{shape, chunk_shape, std::move(kind), {}};
    content.of_chunk.resize(static_cast<std::size_t>(content.chunks().count()));
    return content;
  }
  Hash128& at(const BlockGrid& grid, const Index3& position) {
    return of_chunk.at(static_cast<std::size_t>(grid.id_of(position)));
  }
};

/// Notes what the journals of a step say of its output number `output`.
void fill_from_journals(const std::filesystem::path& step_folder, std::size_t output, ChunkContent& content);

/// Of an input, as it is now: by the hashes of voxels in the ledger where organon made it, else by size and
/// modification time of the chunks' files.
ChunkContent content_of_input(const std::string& address);

/// A file: the hash of what follows, a line of JSON, the hashes of the chunks as they lie in memory.
void write_content(const std::filesystem::path& file, const ChunkContent& content);
/// Nothing where the file is not there, or not as it was written.
std::optional<ChunkContent> read_content(const std::filesystem::path& file);

/// True where reading `box` gives the same voxels of both: it is clipped by the dataset's end at the same
/// place, and every chunk that it meets has the same content.
bool has_same_content(const ChunkContent& before, const ChunkContent& now, const Box& box);

}  // namespace organon::blockwise
