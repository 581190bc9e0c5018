#pragma once

#include <functional>
#include <optional>
#include <string>

#include "organon/base/json.h"
#include "organon/storage/stores/store.h"
#include "organon/storage/zarr/ngff_omero.h"

namespace organon::storage {

enum class NgffVersion {
  k04,  ///< in .zattrs of a group of Zarr 2
  k05   ///< in `ome` of the zarr.json of a group of Zarr 3
};

/// What a group of OME-NGFF states, whichever version.
struct NgffGroup {  // NOLINT(bugprone-exception-escape): moving Json does not throw
  NgffVersion version = NgffVersion::k04;
  Json ngff;           ///< with `multiscales`, `omero`, `image-label`, `labels` right below
  std::string source;  ///< the file, for messages
};

/// What a group states; nothing where it is no group of Zarr with attributes. Errors: kCorruptData; kIo.
std::optional<NgffGroup> read_ngff_group(const Place& group);

/// What a pyramid states beside its levels.
struct NgffContent {  // NOLINT(bugprone-exception-escape): moving Json does not throw
  Json multiscales;   ///< as of 0.4
  DataType type = DataType::kUint8;
  std::string role;                        ///< of the voxels; empty: not known
  std::optional<ContrastWindow> contrast;  ///< of an image
  Json image_label;                        ///< taken over from another pyramid; null: none
  Json omero;                              ///< likewise
};

/// Writes what a pyramid states; other keys that are there stay.
///
/// A pyramid of integers below a group `labels` of the hierarchy is a label image, unless its role says
/// otherwise: it gets `image-label`, with `source.image` where the group that holds `labels` is an image, and
/// is added to the list of `labels`. An image gets `omero` where its contrast is known, and the label images
/// listed below it their source. Floating-point voxels are never marked: the standard wants integers. Can be
/// done twice. Errors: kIo; kCorruptData for damaged metadata there.
void write_ngff_group(const Place& group, NgffVersion version, const NgffContent& content);

/// Changes the OME-NGFF object of a group, under its lock.
void change_ngff_group(const Place& group, NgffVersion version,
                       const std::function<void(Json& ngff)>& change);

/// `omero` of the image that lists this array as a level, in a group up to three folders above; null where
/// there is none.
Json omero_above(const Place& array);

}  // namespace organon::storage
