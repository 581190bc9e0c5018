#pragma once

#include <memory>
#include <string>
#include <vector>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// A pyramid: s0 (finest), s1, ... with their grids.
struct Multiscale {
  std::string address;
  std::vector<std::shared_ptr<Dataset>> levels;
};

/// Opens a group with levels, found from its metadata (N5-viewer / COSEM, OME-NGFF 0.4, precomputed) or,
/// without any, as s0, s1, ...; a plain dataset counts as a pyramid of one level.
Multiscale open_multiscale(const std::string& address);

/// Address of level `index` under a group: "<group>/s<index>" for N5 and Zarr. For precomputed the scale key.
std::string level_address(const std::string& group, int index);

/// Writes the group's metadata for the levels that exist, in the forms that Neuroglancer and the Fiji N5
/// viewer read: N5: `axes units scales pixelResolution` and COSEM `multiscales`, per level `transform` and
/// `pixelResolution`; Zarr: OME-NGFF 0.4. Precomputed: scales live in `info` already.
void write_multiscale_metadata(const std::string& group);

}  // namespace organon::storage
