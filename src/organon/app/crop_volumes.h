#pragma once

#include <string>
#include <vector>

#include "organon/config/cell_config.h"

namespace organon::app {

/// The volumes of labels of a crop, and where each class is found in them: what `organon targets` is told.
/// One entry per class in `ids` and `masks`, one per volume in `addresses` and `unlabelled_ids`.
struct CropVolumes {
  std::vector<std::string> addresses;  ///< the first gives the grid
  std::vector<std::int64_t> unlabelled_ids;
  std::vector<std::string> ids;
  std::vector<std::int64_t> masks;
};

/// Whether `labels` is a group with one array per class rather than a dataset of ids.
bool is_group_of_classes(const std::string& labels, const config::CellConfig& cell);

/// Whether such a group has an array of the class, or of each of its atoms.
bool has_arrays(const std::string& group, const config::ClassConfig& organelle,
                const config::Taxonomy& taxonomy);

/// Of a crop whose labels lie at `labels`: a dataset of ids, or a group of CellMap's arrays. Classes that the
/// crop's lists say are not annotated get no ids, and in a group those without an array, unless all of their
/// atoms have one. A class in a volume of its own is known where the common one is not 0, if there 0 is what
/// is not annotated; a mask of its own goes before that. Source: [heinrich2021cosem] and its training code.
///
/// Errors: kInvalidArgument where another id than 0 is what is not annotated, and a class has a volume of its
/// own and no mask; kNotFound for masks and volumes of single classes that are not there.
CropVolumes volumes_of_crop(const config::CropConfig& crop, const std::string& labels,
                            const config::CellConfig& cell);

}  // namespace organon::app
