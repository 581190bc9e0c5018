#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "organon/storage/volumes/volume_source.h"

namespace organon::storage {

/// Opens a dataset of three axes in an HDF5 file. `dataset` is its path in the file; empty: the only one of
/// three axes. The ten voxel types in either byte order, and one-byte enumerations (h5py's bool) as uint8;
/// compact, contiguous and chunked; filters gzip, shuffle, fletcher32 and LZF. Memory besides a slab: two
/// chunks.
///
/// The grid is what the dataset's attributes say, z first: `resolution` or `voxel_size` in nm or in the unit
/// of `units` or `unit`, with `offset` the corner of the first voxel (CREMI, COSEM, funlib); or
/// `element_size_um` (ilastik, Fiji's HDF5 plugin).
///
/// Errors: kNotFound listing the file's volumes; kCorruptData; kUnsupported naming type, number of axes,
/// filter or layout. HDF5's own checks guard the rest of the file: it is not made for hostile ones. Source:
/// [hdfgroup1997], docs.h5py.org, cremi.org/data.
std::unique_ptr<VolumeSource> open_hdf5_volume(const std::filesystem::path& file, const std::string& dataset);

}  // namespace organon::storage
