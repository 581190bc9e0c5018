#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Raw -> mask of the sample against empty resin.
struct MaskOptions {
  double voxel_size_nm = 64;
  double texture_voxel_size_nm = 16;
  double window_nm = 300;
  double threshold = 0;
  double min_volume_nm3 = 1e9;
  std::int64_t keep = 0;
  bool fill_holes = true;
  double margin_nm = 200;
  std::vector<std::int64_t> chunk_shape = {32, 32, 32};

  void bind(OptionTable& table);
};

/// Inputs: RAW (dataset or pyramid; voxels of 8 or 16 bits), and optionally a file of polygons
/// (mask_polygons.h) that a person drew. Output: uint8, 1 sample and 0 not, attribute `role` "mask", on the
/// grid of the level of raw that is looked at (nearest to texture_voxel_size_nm in y and x), reduced to
/// voxels of about voxel_size_nm; in y and x of at least four voxels of the level. Beside it `OUT.svg` to
/// look at, `OUT.txt` and `OUT.json`.
///
///     raw -> texture of each voxel of the mask (voxel/cell_texture.h: apart from noise and from brightness)
///         -> median over a window -> threshold in the histogram's valley (two_modes.h), or as given
///         -> pieces that are large enough, holes filled, margin added -> polygons applied
///
/// What has one grey value throughout, as where stacks are filled up, is neither counted nor ever inside, but
/// where a polygon says so; voxels of the mask beside it are judged by their neighbours. Pieces connect over
/// faces, edges and vertices; a hole is background, face-connected, that meets neither a face of the volume
/// nor what is filled up. Where the histogram has no valley, all that was imaged is sample.
///
/// Steps: measure texture (map), find sample (one block). Exact. Reads the level once; the second step needs
/// 24 bytes per voxel of the mask. With `box_nm` the part is judged as if it were all.
/// Errors: kUnsupported for other types than 8 and 16 bits; kInvalidArgument for masks of less than 8 pairs
/// of voxels or beyond 2^32 voxels; those of parse_mask_polygons().
std::unique_ptr<blockwise::Stage> make_mask_stage(const blockwise::StageDescription& description);

/// The file beside the mask at `address` that ends in `extension` (".svg", ".txt", ".json").
std::filesystem::path mask_file(const std::string& address, const std::string& extension);

}  // namespace organon::stages
