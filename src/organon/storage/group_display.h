#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/zarr/consolidated_metadata.h"
#include "organon/storage/zarr/ngff_labels.h"
#include "organon/storage/zarr/ngff_omero.h"

namespace organon::storage {

class Dataset;
struct Multiscale;

/// What the group of a pyramid states of how it is to be shown, as OME-NGFF does; null where it does not.
struct GroupDisplay {  // NOLINT(bugprone-exception-escape): moving Json does not throw
  Json image_label;    ///< of a label image: colours, properties, source
  Json omero;          ///< of an image: channels with colour and contrast

  bool is_label_image() const { return !image_label.is_null(); }
};

/// Of a group; nothing for arrays and for other formats than Zarr.
/// Errors: kCorruptData where colours, properties or channels are not what the standard says.
GroupDisplay read_group_display(const std::string& group);

/// Gives the labels of a label image their colours and names; those it had go. Done by one process at a time.
/// Errors: kUnsupported where there is no pyramid of OME-NGFF, or its voxels are no whole numbers; those of
/// zarr/ngff_labels.h.
void set_label_colors(const std::string& group, std::span<const LabelColor> colors);

/// The axes of the first pyramid that a group of OME-NGFF describes: "z (space, nanometer)". Empty where
/// there is none.
std::vector<std::string> axes_of(const std::string& group);
/// Where `image-label` says that its image is, relative to the label image; empty where it says nothing of
/// it.
std::string source_image_of(const Json& image_label);

/// Names of the label images that a group lists, below its `labels` or, being that group, itself.
std::vector<std::string> label_images_of(const std::string& group);

/// organon's own attribute of a dataset: `[low, high]`.
inline constexpr const char* kContrastLimitsKey = "contrast_limits";
/// The contrast of a dataset: its own attribute, else the window of the first channel of `omero` in the group
/// that lists it as a level; nothing where neither is there, or what is there means something else.
std::optional<ContrastWindow> contrast_of(const Dataset& dataset);
/// Of the first level that has one.
std::optional<ContrastWindow> contrast_of(const Multiscale& pyramid);

/// The arrays below a group by its consolidated metadata: what can be known where a store cannot list.
/// Errors: those of read_consolidated_arrays().
std::vector<ConsolidatedArray> arrays_below(const std::string& group);

}  // namespace organon::storage
