#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

/// The spec in an attributes.json: dimensions, blockSize, dataType, compression (or the older
/// compressionType) and the voxel grid. N5 lists axes x first; the spec is zyx.
///
/// The grid is taken from the first of these that is there:
/// - `transform` {axes, units, scale, translate} of COSEM, in the order its axes say (zyx without);
/// - `pixelResolution` {dimensions, unit} or a plain list, with `downsamplingFactors`, of the N5 viewer: x
/// first; the
///   centre of the first full-size voxel is 0;
/// - `resolution` and `offset` (nm) of daisy containers: x first; the offset is a *corner*, half a voxel
/// before the
///   centre;
/// else voxels of 1 nm.
///
/// Errors: kCorruptData; kUnsupported for ranks other than 3, and for codecs and types that organon lacks, by
/// name. Each names `where`.
DatasetSpec parse_n5_attributes(std::string_view text, std::string_view where);
DatasetSpec n5_spec_of(const Json& attributes, std::string_view where);

/// What organon writes: the four N5 keys, `transform` and `pixelResolution`. Errors: kInvalidArgument for
/// shards.
Json n5_attributes_of(const DatasetSpec& spec);
Json cosem_transform_of(const VoxelGrid& grid);
Json pixel_resolution_of(const VoxelGrid& grid);
/// A grid from a COSEM `transform`.
VoxelGrid grid_of_cosem_transform(const Json& transform, std::string_view where);

/// The grid of dataset `name` from the attributes of the group that holds it, for datasets without one of
/// their own: COSEM `multiscales` by path, else the N5 viewer's `resolution` (with `units`) or
/// `pixelResolution`, times `downsamplingFactors` of the dataset or `scales` of the group. Nothing where the
/// group has neither.
std::optional<VoxelGrid> n5_grid_of_group(const Json& group, const Json& dataset, const std::string& name,
                                          std::string_view where);
/// True where the dataset's attributes hold a grid.
bool has_n5_grid(const Json& attributes);
/// Paths of the levels in the COSEM `multiscales` of a group; empty where there is none.
std::vector<std::string> cosem_level_paths(const Json& group);

/// True where the attributes are a dataset's, not a group's.
bool is_n5_dataset(const Json& attributes);

}  // namespace organon::storage
