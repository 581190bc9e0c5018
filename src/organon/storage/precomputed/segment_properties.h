#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/array/data_type.h"
#include "organon/base/json.h"

namespace organon::storage {

// What Neuroglancer lists, searches and sorts segments by: the `info` of a folder of
// `neuroglancer_segment_properties`. Byte table: docs/formats/segment_properties.md. Source:
// [neuroglancer2024precomputed].

/// A short word that segments may have; searched as #name.
struct SegmentTag {
  std::string name;  ///< without blanks and without the #; told apart without regard to case
  std::string description;
};

struct SegmentText {
  std::string id;
  std::string description;
  std::vector<std::string> values;  ///< one per segment
};

struct SegmentNumber {
  std::string id;
  std::string description;
  DataType data_type = DataType::kFloat32;
  std::vector<double> values;  ///< one per segment
};

struct SegmentProperties {
  std::vector<std::uint64_t> ids;
  std::vector<std::string> labels;        ///< shown beside the ids: one per segment, or none at all
  std::vector<std::string> descriptions;  ///< one per segment, or none at all
  std::vector<SegmentTag> tags;
  std::vector<std::vector<std::uint32_t>>
      tags_of;  ///< per segment numbers of `tags`; empty where there are no tags
  std::vector<SegmentText> texts;
  std::vector<SegmentNumber> numbers;
};

/// The `info`. Errors: kInvalidArgument for segment 0 (the background), segments, properties and tags that
/// are there twice, names without letters, tags with blanks, lists that are not one entry per segment, tags
/// that are not there or not ascending, and numbers that their type cannot hold, those that are none
/// included.
Json segment_properties_info_of(const SegmentProperties& properties);

}  // namespace organon::storage
