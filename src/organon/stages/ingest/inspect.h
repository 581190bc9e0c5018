#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "organon/stages/ingest/contrast.h"
#include "organon/stages/ingest/value_sample.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {

/// One level of a pyramid.
struct LevelReport {
  std::string address;
  Shape3 shape;
  Shape3 chunk_shape;
  VoxelGrid grid;
};

/// What `organon inspect` tells of a dataset, a pyramid or a volume in files of other programs.
struct DatasetReport {
  std::string address;
  std::string format;  ///< "n5", "zarr", "precomputed", "png slices", "MRC", ...
  Shape3 shape;
  std::int64_t num_channels = 1;
  std::int64_t channel = 0;  ///< whose values are told
  DataType type = DataType::kUint8;
  std::vector<LevelReport> levels;       ///< empty for files of other programs, which have no chunks
  std::optional<VoxelGrid> stated_grid;  ///< of such files, where they state it
  std::string stated_by;                 ///< what states it, or why nothing does
  std::string codec;                     ///< empty for such files
  std::uint64_t fill_value = 0;
  std::int64_t num_chunks = 0;  ///< of the finest level
  /// Chunks of the finest level that are stored, and their bytes; estimates where not all were looked at.
  std::int64_t stored_chunks = 0;
  std::int64_t stored_bytes = 0;
  bool are_stored_chunks_exact = true;
  bool are_stored_bytes_exact = true;
  ValueSample sample;
  std::string role;      ///< attribute `role`, as import sets it: "raw" or "labels"; empty: not stated
  bool has_ids = false;  ///< role labels, or without a role integers of 32 and 64 bits: values are ids
  std::optional<ContrastEstimate> contrast;       ///< of grey values
  std::optional<ContrastLimits> stated_contrast;  ///< from the attributes
  bool is_contrast_by_group = false;              ///< what `omero` states, not organon's own attribute
  std::vector<std::string> axes;            ///< as the group of OME-NGFF states them: "z (space, nanometer)"
  std::vector<std::string> label_images;    ///< below the group, by its list
  bool is_label_image = false;              ///< by the group of OME-NGFF
  std::vector<storage::LabelColor> colors;  ///< of a label image
  std::string image;                        ///< the image that it belongs to, as the group states it
  std::string display_damage;               ///< why the group's colours and channels are not to be told
  /// Of a group that is no pyramid, by its consolidated metadata; all else is empty then.
  std::vector<storage::ConsolidatedArray> arrays_below;
  std::string provenance_json;  ///< attribute `organon`; empty: not made by organon
};

/// Default of `max_voxels`: about a second of reading.
inline constexpr std::int64_t kInspectVoxels = std::int64_t{1} << 25;

/// Examines a dataset, a group with levels, or what storage::open_volume() reads. At most `max_voxels` of
/// the finest level are read (one chunk or slice at least). Damaged chunks are in `sample.damage`. A group of
/// Zarr that is no pyramid is told of by the arrays that its consolidated metadata list. Errors: kNotFound
/// where there is none of these; those of open_multiscale() and open_volume().
DatasetReport inspect(const std::string& address, std::int64_t max_voxels = kInspectVoxels);

/// The report for people: aligned lines, with the histogram drawn in block characters, `width` columns at
/// most.
std::string to_text(const DatasetReport& report, int width = 80);

/// The report as a JSON object text; the histogram in at most 256 bins.
std::string to_json(const DatasetReport& report);

/// Counts drawn as `height` rows of block characters, highest first, one column per count, in eighths of a
/// row. Counts above zero show at least an eighth.
std::vector<std::string> draw_histogram(const std::vector<std::uint64_t>& counts, int height);

}  // namespace organon::stages
