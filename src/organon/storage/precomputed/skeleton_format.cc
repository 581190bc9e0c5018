#include "organon/storage/precomputed/skeleton_format.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "organon/base/error.h"
#include "organon/storage/precomputed/attribute_values.h"

namespace organon::storage {
namespace {

constexpr std::size_t kMaxCount = std::numeric_limits<std::uint32_t>::max();

[[noreturn]] void refuse(std::string reason) { throw Error(ErrorKind::kInvalidArgument, std::move(reason)); }

}  // namespace

Json skeletons_info_of(const SkeletonsInfo& info) {
  for (const double number : info.transform)
    if (!std::isfinite(number)) refuse("skeletons: the transform is not finite");
  Json json;
  json["@type"] = "neuroglancer_skeletons";
  json["transform"] = info.transform;
  json["vertex_attributes"] = Json::array();
  std::set<std::string> ids;
  for (const SkeletonAttribute& attribute : info.attributes) {
    if (!is_attribute_name(attribute.id) || !ids.insert(attribute.id).second)
      refuse(fmt::format("skeletons: attribute '{}' is no name or there twice", attribute.id));
    if (!is_attribute_type(attribute.data_type) || attribute.num_components < 1) {
      refuse(fmt::format("skeletons: attribute '{}' of {} components of {}", attribute.id,
                         attribute.num_components, to_string(attribute.data_type)));
    }
    json["vertex_attributes"].push_back({{"id", attribute.id},
                                         {"data_type", to_string(attribute.data_type)},
                                         {"num_components", attribute.num_components}});
  }
  if (!info.segment_properties.empty()) json["segment_properties"] = info.segment_properties;
  if (info.sharding) json["sharding"] = to_json(*info.sharding);
  return json;
}

std::vector<std::byte> encode_skeleton(const Skeleton& skeleton,
                                       std::span<const SkeletonAttribute> attributes) {
  const std::size_t num_vertices = skeleton.vertices.size();
  if (num_vertices > kMaxCount || skeleton.edges.size() > kMaxCount)
    refuse(fmt::format("a skeleton of {} vertices and {} edges; it may have 2^32 - 1", num_vertices,
                       skeleton.edges.size()));
  if (skeleton.attributes.size() != attributes.size()) {
    refuse(fmt::format("a skeleton of {} attributes, expected {}", skeleton.attributes.size(),
                       attributes.size()));
  }
  std::vector<std::byte> output;
  append_u32(static_cast<std::uint32_t>(num_vertices), output);
  append_u32(static_cast<std::uint32_t>(skeleton.edges.size()), output);
  for (const PointNm& p : skeleton.vertices)
    for (const double coordinate : {p.x, p.y, p.z})
      append_attribute(coordinate, DataType::kFloat32, "vertex", output);
  for (const auto& edge : skeleton.edges) {
    for (const std::uint32_t vertex : edge) {
      if (vertex >= num_vertices)
        refuse(fmt::format("an edge to vertex {} of a skeleton of {}", vertex, num_vertices));
      append_u32(vertex, output);
    }
  }
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const SkeletonAttribute& attribute = attributes[i];
    const std::vector<double>& values = skeleton.attributes[i];
    if (values.size() != num_vertices * static_cast<std::size_t>(attribute.num_components)) {
      refuse(fmt::format("attribute '{}': {} values for {} vertices of {} components", attribute.id,
                         values.size(), num_vertices, attribute.num_components));
    }
    for (const double value : values) append_attribute(value, attribute.data_type, attribute.id, output);
  }
  return output;
}

FilesByName files_of_skeletons(const SkeletonsInfo& info,
                               const std::map<std::uint64_t, Skeleton>& skeletons) {
  const std::string text = to_text(skeletons_info_of(info));
  ValuesById values;
  for (const auto& [segment, skeleton] : skeletons) {
    if (segment == 0) refuse("a skeleton of segment 0, which is the background");
    try {
      values[segment] = encode_skeleton(skeleton, info.attributes);
    } catch (const Error& error) {
      throw error.within(fmt::format("segment {}", segment));
    }
  }
  FilesByName files = files_of_values(values, info.sharding);
  const auto bytes = std::as_bytes(std::span(text));
  files["info"].assign(bytes.begin(), bytes.end());
  return files;
}

}  // namespace organon::storage
