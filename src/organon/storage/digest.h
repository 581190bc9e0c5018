#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "organon/base/hash.h"
#include "organon/storage/dataset.h"

namespace organon::storage {

/// The digest of a dataset's voxels: a tree hash that does not depend on format, chunks, compression, or
/// which chunks are missing. Definition and a Python twin: docs/formats/digest.md.
///
/// Leaves are XXH3-128 of the decoded little-endian zyx voxels of tiles of 64 x 64 x 64, anchored at voxel 0
/// and clipped at the domain's faces, in raster order of the tiles (x fastest). The root is XXH3-128 of a
/// line of text with shape and type, followed by the leaves in canonical (big-endian) form.

/// The partition into tiles.
BlockGrid digest_tiles(const DatasetSpec& spec);

/// A partition into whole tiles by which the work can be divided: of about a chunk, at most 256 MiB.
BlockGrid digest_regions(const DatasetSpec& spec);

/// Sets the leaves of the tiles in `region`, a cell of digest_regions(); `leaves` is by tile id, for all
/// tiles. Different regions may be computed at the same time. Errors: as Dataset::read(). Memory: one region,
/// and one chunk.
void compute_digest_leaves(const Dataset& dataset, const Box& region, std::span<Hash128> leaves);

/// Root from all leaves. Requires: one leaf per tile.
Hash128 digest_root(const DatasetSpec& spec, std::span<const Hash128> leaves);

/// All of it. Errors: as Dataset::read().
Hash128 digest_dataset(const Dataset& dataset);

}  // namespace organon::storage
