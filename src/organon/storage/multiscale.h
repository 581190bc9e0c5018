#pragma once

#include <memory>
#include <string>
#include <vector>

#include "organon/storage/dataset.h"
#include "organon/storage/group_display.h"

namespace organon::storage {

/// A pyramid: s0 (finest), s1, ... with their grids.
struct Multiscale {
  std::string address;
  std::vector<std::shared_ptr<Dataset>> levels;
};

/// Opens a group with levels, found from its metadata (N5-viewer / COSEM, OME-NGFF 0.4 and 0.5, precomputed)
/// or, without any, as s0, s1, ...; a plain dataset counts as a pyramid of one level. Errors: kNotFound where
/// there is neither; those of open_dataset().
Multiscale open_multiscale(const std::string& address);

/// Whether it is the folder of a precomputed volume: a group, though a volume of one scale opens as a dataset
/// too.
bool is_volume_of_scales(const std::string& address);

/// Address of level `index` under a group: "<group>/s<index>" for N5 and Zarr. For precomputed the key of
/// that scale where the volume has it, else "s<index>" too.
std::string level_address(const std::string& group, int index);

/// Writes the group's metadata for the levels s0, s1, ... that exist, in the forms that Neuroglancer and the
/// Fiji N5 viewer read: N5: `axes units scales pixelResolution` and COSEM `multiscales`; each level has
/// `transform` and `pixelResolution` from its creation. Zarr: OME-NGFF 0.4, or 0.5 for
/// version 3, with contrast, and with what makes a label image of integers below a group `labels`
/// (zarr/ngff_group.h); `display` is what another pyramid stated. Precomputed: scales live in
/// `info` already, nothing is written. Errors: kNotFound where there is no s0; kUnsupported for a dataset
/// that is no group.
void write_multiscale_metadata(const std::string& group, const GroupDisplay& display = {});

}  // namespace organon::storage
