#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "organon/geometry/vec3.h"
#include "organon/storage/precomputed/values_by_id.h"

namespace organon::storage {

// Collections of points, lines, boxes or ellipsoids as Neuroglancer shows them:
// `neuroglancer_annotations_v1`. Byte table: docs/formats/annotations.md. Source:
// [neuroglancer2024precomputed].

enum class AnnotationShape { kPoint, kLine, kBox, kEllipsoid };

enum class AnnotationPropertyType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kRgb, kRgba };
/// How many numbers a value is: 3 and 4 for colours (0 .. 255), else 1.
int num_components(AnnotationPropertyType type);

struct AnnotationProperty {
  std::string id;  ///< a small letter, then letters, digits and underscores
  AnnotationPropertyType type = AnnotationPropertyType::kFloat32;
  std::string description;
  /// Names of some values, not of colours.
  std::vector<double> enum_values;
  std::vector<std::string> enum_labels;
};

struct Annotation {
  std::uint64_t id = 0;
  /// nm in the viewer's frame: voxel corners, not centres, lie at 0.
  PointNm first;   ///< the point, one end, one corner, the centre
  PointNm second;  ///< the other end or corner, the radii; not of points
  /// Of the properties in their order, num_components() each.
  std::vector<double> values;
  std::vector<std::vector<std::uint64_t>> related;  ///< of each relationship the segments
};

struct AnnotationCollection {
  AnnotationShape shape = AnnotationShape::kPoint;
  std::vector<AnnotationProperty> properties;
  std::vector<std::string> relationships;  ///< names, also those of their folders
  std::vector<Annotation> annotations;
};

struct AnnotationOptions {
  /// Most annotations in one cell of the spatial index, 1 .. 2^31: what a viewer loads for one part of its
  /// view.
  std::int64_t most_per_cell = 4096;
  bool is_sharded = true;
};

/// All files of the collection by name: `info`, the annotations by id, by segment of each relationship, and
/// by place. The last is a list of levels, each a grid of cells, coarse to fine: a level shows some of the
/// annotations, equally dense everywhere, that no coarser one has shown, and all levels together show all.
/// Which come first depends on their ids alone, so the same collection makes the same files.
///
/// Errors: kInvalidArgument naming the annotation or property for names that the format lacks, ids and names
/// that are there twice, values that their type cannot hold, places that are not finite or beyond 2^40 nm,
/// radii below 0, segments 0 or twice in one list, and lists of other lengths than the collection says.
/// Cost: time and memory proportional to the annotations in their cells, per level; each annotation's
/// bytes are held once per index and cell it meets.
FilesByName files_of_annotations(const AnnotationCollection& collection,
                                 const AnnotationOptions& options = {});

}  // namespace organon::storage
