#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace organon::stages {

/// One class of a crop as CellMap's annotation schema keeps it: an array of its own, or a pyramid, whose
/// attributes say what its values mean.
struct AnnotatedArray {
  std::string address;
  bool has_instances = false;            ///< values are ids of objects; else `present` alone is the class
  std::uint64_t present = 1;             ///< of a semantic segmentation
  std::optional<std::uint64_t> unknown;  ///< this value says nothing
};

/// The array of the class `name` in the group of a crop, by the attribute `cellmap` -> `annotation` of it or,
/// of a pyramid, of its finest level; nothing where there is no such array.
///
///     annotation_type: {type: semantic_segmentation | instance_segmentation,
///                       encoding: {absent: 0, present: 1, unknown: 255}}
///
/// Errors: kCorruptData where there is an annotation that is not of this form.
/// Source: janelia-cellmap/cellmap-schemas, annotation.
std::optional<AnnotatedArray> find_annotated_array(const std::string& group, const std::string& name);

}  // namespace organon::stages
