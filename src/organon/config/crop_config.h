#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/config/class_config.h"
#include "organon/config/taxonomy.h"

namespace organon::config {

/// One annotated piece to learn from, or to be judged by.
struct CropConfig {
  std::string name;
  std::string raw;                            ///< slices or dataset; empty: this cell's raw
  std::string labels;                         ///< slices or dataset of ids, or a group with one per class
  std::vector<double> voxel_size_nm;          ///< of raw slices; empty: the cell's
  std::vector<double> labels_voxel_size_nm;   ///< of label slices; empty: as raw
  std::string box_nm;                         ///< part to use; empty: all
  std::string role = "train";                 ///< train, validate or holdout
  std::optional<std::int64_t> unlabelled_id;  ///< of labels; nothing: 0 with a taxonomy, none without

  /// What the annotators say, each a name of an atom or of a class (all its atoms). All empty: everything is
  /// annotated.
  std::vector<std::string> present;      ///< annotated, and there
  std::vector<std::string> absent;       ///< looked for, and not there
  std::vector<std::string> unannotated;  ///< there, not annotated
  std::vector<std::string> partial;      ///< annotated in part

  std::map<std::string, std::string> masks;       ///< class -> volume, not 0 where it is annotated
  std::map<std::string, std::string> own_labels;  ///< class -> its own labels, known where `labels` is
};

/// How an atom or class stands in a crop.
enum class Annotation { kPresent, kAbsent, kUnannotated, kPartial };
/// "present", "absent", "unannotated", "partly annotated".
std::string_view to_string(Annotation annotation);

/// What a crop says of a class.
struct ClassInCrop {
  Annotation annotation = Annotation::kPresent;  ///< kPresent also where a crop says nothing at all
  std::string because;  ///< of what is not fully annotated: "er_lum is partly annotated"

  bool is_annotated() const {
    return annotation == Annotation::kPresent || annotation == Annotation::kAbsent;
  }
};

/// A class is annotated where all its atoms are, or its generic one, or all the others. Source:
/// [heinrich2021cosem] and its training code.
ClassInCrop class_in_crop(const CropConfig& crop, const ClassConfig& organelle, const Taxonomy& taxonomy);

/// Errors: kInvalidArgument where the crop's lists name what is neither an atom nor one of `classes`, or name
/// one twice with different meanings.
void check_annotations(const CropConfig& crop, const std::vector<ClassConfig>& classes,
                       const Taxonomy& taxonomy);

}  // namespace organon::config
