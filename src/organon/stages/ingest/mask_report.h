#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "organon/geometry/voxel_grid.h"
#include "organon/stages/ingest/two_modes.h"

namespace organon::stages {

/// How a mask was found, for people.
struct MaskReport {
  std::string raw;                      ///< address of the level that was looked at
  SizeNm raw_size_nm;                   ///< its voxels
  VoxelGrid grid;                       ///< of the mask
  Box domain;                           ///< voxels of the mask that were decided
  std::string decided_by;               ///< "valley", "option" or "nothing": the texture is of one kind
  std::uint16_t threshold = 0;          ///< least code (voxel/cell_texture.h) of sample
  std::optional<TwoModes> modes;        ///< in codes
  std::vector<std::uint64_t> textures;  ///< by code: how many voxels of the mask
  std::int64_t voxels = 0;
  std::int64_t filled_up = 0;  ///< of one grey value throughout
  std::int64_t textured = 0;   ///< at or above the threshold
  std::int64_t kept = 0;       ///< after small pieces went and holes were filled
  std::int64_t with_margin = 0;
  std::int64_t masked = 0;  ///< after polygons: what was written
  std::int64_t num_pieces = 0;
  std::int64_t num_polygons = 0;
};

std::string mask_report_text(const MaskReport& report);
/// schemas/mask_report.schema.json.
std::string mask_report_json(const MaskReport& report);

}  // namespace organon::stages
