#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "organon/array/data_type.h"
#include "organon/base/json.h"
#include "organon/geometry/vec3.h"
#include "organon/storage/precomputed/values_by_id.h"

namespace organon::storage {

// Skeletons of segments as Neuroglancer shows them: `neuroglancer_skeletons`. Byte table:
// docs/formats/skeletons.md. Source: [neuroglancer2024precomputed].

/// What every vertex has beside its place, such as a radius.
struct SkeletonAttribute {
  std::string id;  ///< a name as of programming languages; "radius" is known to others
  DataType data_type = DataType::kFloat32;
  int num_components = 1;
};

/// The `info` of a folder of skeletons.
struct SkeletonsInfo {
  /// Rows of the 3 x 4 matrix that takes what is stored (x, y, z, 1) to nm, x first as in the file.
  std::array<double, 12> transform{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  std::vector<SkeletonAttribute> attributes;
  std::string segment_properties{};  ///< their folder, relative to this one; empty: none
  std::optional<VolumeSharding> sharding{};
};

/// Lines of one segment.
struct Skeleton {
  /// Without a transform nm in the viewer's frame: voxel corners, not centres, lie at 0.
  std::vector<PointNm> vertices;
  std::vector<std::array<std::uint32_t, 2>> edges;  ///< numbers of vertices
  /// Of each attribute of the info: its components vertex after vertex.
  std::vector<std::vector<double>> attributes;
};

/// Errors: kInvalidArgument for attributes that the format lacks (names, types, counts) or that are there
/// twice, and for a transform that is not finite.
Json skeletons_info_of(const SkeletonsInfo& info);

/// Bytes of one skeleton. Errors: kInvalidArgument where an edge names no vertex, where attributes do not fit
/// `attributes`, for numbers that float32 or the attribute's type cannot hold, and beyond 2^32 - 1 vertices
/// or edges.
std::vector<std::byte> encode_skeleton(const Skeleton& skeleton,
                                       std::span<const SkeletonAttribute> attributes);

/// All files of a folder of skeletons by segment: the `info` and what it tells of. Errors: as above, naming
/// the segment; also for segment 0, the background. Memory: a second copy of what is encoded.
FilesByName files_of_skeletons(const SkeletonsInfo& info, const std::map<std::uint64_t, Skeleton>& skeletons);

}  // namespace organon::storage
