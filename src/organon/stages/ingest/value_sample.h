#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "organon/storage/dataset.h"
#include "organon/storage/volumes/volume_source.h"
#include "organon/tables/histogram.h"

namespace organon::stages {

/// What a part of a volume's values says of the whole.
struct ValueSample {
  /// One bin per value for types of 8 and 16 bits, else 65536 bins over what was found; nothing where no
  /// voxel was read.
  std::optional<tables::Histogram> histogram;
  double min = 0;
  double max = 0;
  double mean = 0;  ///< of numbers; NaN and infinities are left out of all three
  std::int64_t num_voxels = 0;
  bool is_whole = false;  ///< every voxel of every stored chunk (or slice) was read
  /// Chunks looked for: all, or, of very many, evenly spread ones.
  std::int64_t chunks_probed = 0;
  std::int64_t chunks_found = 0;
  std::int64_t chunks_read = 0;
  std::int64_t file_bytes_read = 0;  ///< stored size of the chunks read
  /// Distinct values among those read, for integers, up to a million.
  std::int64_t num_distinct = 0;
  std::vector<std::string> damage;  ///< messages of chunks that could not be decoded
};

/// Reads whole stored chunks, spread evenly by a fixed pseudo-random pattern, until `max_voxels` are read (at
/// least one chunk): the same sample for the same dataset. Missing chunks are no values. Damaged chunks are
/// named in the result. Memory: one chunk and the histogram. Errors: kIo.
ValueSample sample_values(const storage::Dataset& dataset, std::int64_t max_voxels);

/// As above from evenly spread slices. Errors: those of read_slices().
ValueSample sample_values(storage::VolumeSource& volume, std::int64_t max_voxels);

}  // namespace organon::stages
