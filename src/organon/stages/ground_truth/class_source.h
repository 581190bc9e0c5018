#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace organon::stages {

/// Ids of one of a crop's volumes of labels.
struct VolumeIds {
  std::size_t volume = 0;          ///< its number among the stage's inputs
  std::vector<std::uint64_t> ids;  ///< that belong to the class; empty: any but 0
};

/// Where one class is found in a crop: the union of what several volumes hold of it. Nothing: it is not
/// annotated there.
using ClassSource = std::vector<VolumeIds>;

/// From text: "3+4+5" (ids of the first volume), "any" (any id but 0), "2:31" (ids of volume 2, counted from
/// 0), "1:1&2:1" (their union), "-" (not annotated). Errors: kInvalidArgument saying what was expected.
ClassSource parse_class_source(const std::string& text, std::size_t num_volumes);

}  // namespace organon::stages
