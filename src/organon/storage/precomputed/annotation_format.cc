#include "organon/storage/precomputed/annotation_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/precomputed/annotation_grid.h"
#include "organon/storage/precomputed/attribute_values.h"

namespace organon::storage {
namespace {

constexpr double kFarthestNm = 0x1p40;  // a kilometre
constexpr int kMaxCellBits = 9;         // of cells that share a minishard

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorKind::kInvalidArgument, "annotations: " + reason);
}

std::string_view name_of(AnnotationShape shape) {
  switch (shape) {
    case AnnotationShape::kPoint:
      return "POINT";
    case AnnotationShape::kLine:
      return "LINE";
    case AnnotationShape::kBox:
      return "AXIS_ALIGNED_BOUNDING_BOX";
    case AnnotationShape::kEllipsoid:
      break;
  }
  return "ELLIPSOID";
}

std::string_view name_of(AnnotationPropertyType type) {
  constexpr std::string_view kNames[] = {"uint8", "int8",    "uint16", "int16", "uint32",
                                         "int32", "float32", "rgb",    "rgba"};
  return kNames[static_cast<std::size_t>(type)];
}

bool is_colour(AnnotationPropertyType type) {
  return type == AnnotationPropertyType::kRgb || type == AnnotationPropertyType::kRgba;
}

/// Of one component.
DataType data_type_of_component(AnnotationPropertyType type) {
  return is_colour(type) ? DataType::kUint8 : *data_type_from_string(name_of(type));
}

void require_new(std::set<std::string>& names, const std::string& name, std::string_view what) {
  if (!names.insert(name).second) refuse(fmt::format("{} '{}' is there twice", what, name));
}

void require_sound(const AnnotationProperty& property) {
  if (!is_attribute_name(property.id))
    refuse(fmt::format("property '{}': names are a small letter, then letters, digits and _", property.id));
  if (property.enum_values.size() != property.enum_labels.size()) {
    refuse(fmt::format("property '{}': {} values with {} labels", property.id, property.enum_values.size(),
                       property.enum_labels.size()));
  }
  if (is_colour(property.type) && !property.enum_values.empty())
    refuse(fmt::format("property '{}': colours have no names", property.id));
  for (const double value : property.enum_values)
    require_attribute_value(value, data_type_of_component(property.type), property.id);
}

// Encoding lists properties by the bytes of their components; readers do so whatever the order of the info.
std::vector<std::size_t> order_of_encoding(const std::vector<AnnotationProperty>& properties) {
  std::vector<std::size_t> order;
  for (const std::size_t num_bytes : {4U, 2U, 1U}) {
    for (std::size_t i = 0; i < properties.size(); ++i)
      if (size_of(data_type_of_component(properties[i].type)) == num_bytes) order.push_back(i);
  }
  return order;
}

void append_point(const PointNm& p, std::vector<std::byte>& output) {
  for (const double coordinate : {p.x, p.y, p.z}) {
    if (!(std::abs(coordinate) <= kFarthestNm))
      refuse(fmt::format("{} nm is not within 2^40 nm", coordinate));
    append_attribute(coordinate, DataType::kFloat32, "coordinate", output);
  }
}

/// What is encoded, so that cells hold what viewers see.
PointNm as_encoded(const PointNm& p) {
  return {static_cast<double>(static_cast<float>(p.z)), static_cast<double>(static_cast<float>(p.y)),
          static_cast<double>(static_cast<float>(p.x))};
}

class Encoder {
 public:
  explicit Encoder(const AnnotationCollection& collection)
      : collection_(collection), order_(order_of_encoding(collection.properties)) {
    for (const AnnotationProperty& property : collection.properties) {
      offsets_.push_back(num_values_);
      num_values_ += static_cast<std::size_t>(num_components(property.type));
    }
  }

  const std::vector<std::size_t>& order() const { return order_; }

  /// Geometry, properties and padding: what every index has.
  std::vector<std::byte> encode(const Annotation& annotation) const {
    std::vector<std::byte> output;
    append_point(annotation.first, output);
    if (collection_.shape != AnnotationShape::kPoint) append_point(annotation.second, output);
    if (collection_.shape == AnnotationShape::kEllipsoid && !(annotation.second.smallest() >= 0))
      refuse("a radius is below 0");
    if (annotation.values.size() != num_values_)
      refuse(fmt::format("{} values, expected {}", annotation.values.size(), num_values_));
    for (const std::size_t i : order_) {
      const AnnotationProperty& property = collection_.properties[i];
      for (int c = 0; c < num_components(property.type); ++c) {
        append_attribute(annotation.values[offsets_[i] + static_cast<std::size_t>(c)],
                         data_type_of_component(property.type), property.id, output);
      }
    }
    output.resize((output.size() + 3) / 4 * 4);
    return output;
  }

 private:
  const AnnotationCollection& collection_;
  std::vector<std::size_t> order_;
  std::vector<std::size_t> offsets_;  ///< of each property in the values
  std::size_t num_values_ = 0;
};

void append_related(const Annotation& annotation, std::size_t num_relationships,
                    std::vector<std::byte>& output) {
  if (annotation.related.size() != num_relationships) {
    refuse(fmt::format("{} lists of related segments, expected {}", annotation.related.size(),
                       num_relationships));
  }
  for (const std::vector<std::uint64_t>& segments : annotation.related) {
    append_u32(static_cast<std::uint32_t>(segments.size()), output);
    std::set<std::uint64_t> seen;
    for (const std::uint64_t segment : segments) {
      if (segment == 0) refuse("related to segment 0, which is the background");
      if (!seen.insert(segment).second) refuse(fmt::format("related to segment {} twice", segment));
      append_u64(segment, output);
    }
  }
}

class ListOfAnnotations {
 public:
  void add(std::uint64_t id, std::span<const std::byte> encoded) {
    ids_.push_back(id);
    encoded_.insert(encoded_.end(), encoded.begin(), encoded.end());
  }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> output;
    append_u64(ids_.size(), output);
    output.insert(output.end(), encoded_.begin(), encoded_.end());
    for (const std::uint64_t id : ids_) append_u64(id, output);
    return output;
  }

 private:
  std::vector<std::uint64_t> ids_;
  std::vector<std::byte> encoded_;
};

Json info_of_property(const AnnotationProperty& property) {
  Json json{{"id", property.id}, {"type", name_of(property.type)}};
  if (!property.description.empty()) json["description"] = property.description;
  if (!property.enum_values.empty()) {
    json["enum_values"] = Json::array();
    for (const double value : property.enum_values) {
      if (is_floating(data_type_of_component(property.type)))
        json["enum_values"].push_back(value);
      else
        json["enum_values"].push_back(static_cast<std::int64_t>(value));
    }
    json["enum_labels"] = property.enum_labels;
  }
  return json;
}

std::size_t total_bytes(const ValuesById& values) {
  std::size_t sum = 0;
  for (const auto& [id, bytes] : values) sum += bytes.size();
  return sum;
}

void add_files(const std::string& folder, FilesByName&& more, FilesByName& files) {
  for (auto& [name, bytes] : more) files[folder + "/" + name] = std::move(bytes);
}

// Of an index under ids without order; returns the entry of the info.
Json add_index(const std::string& folder, const ValuesById& values, bool is_sharded, FilesByName& files) {
  Json entry{{"key", folder}};
  std::optional<VolumeSharding> sharding;
  if (is_sharded) {
    sharding = sharding_of_ids(values.size(), total_bytes(values));
    entry["sharding"] = to_json(*sharding);
  }
  add_files(folder, files_of_values(values, sharding), files);
  return entry;
}

Json add_level(const std::string& folder, const AnnotationLevel& level,
               const AnnotationCollection& collection, const std::vector<std::vector<std::byte>>& encoded,
               bool is_sharded, FilesByName& files) {
  Json entry{{"key", folder},
             {"grid_shape", to_json(level.grid_shape, AxisOrder::kXyz)},
             {"chunk_size", to_json(level.cell_size_nm, AxisOrder::kXyz)},
             {"limit", level.most_per_cell}};
  ValuesById by_code;
  for (const auto& [position, indices] : level.cells) {
    const auto [z, y, x] = position;
    ListOfAnnotations list;
    for (const std::size_t index : indices) list.add(collection.annotations[index].id, encoded[index]);
    if (is_sharded)
      by_code[compressed_morton_code({z, y, x}, level.grid_shape)] = list.bytes();
    else
      files[fmt::format("{}/{}_{}_{}", folder, x, y, z)] = list.bytes();
  }
  if (is_sharded) {
    VolumeSharding sharding;
    const int num_bits = morton_bits(level.grid_shape);
    sharding.preshift_bits = std::min(num_bits, kMaxCellBits);
    sharding.minishard_bits = std::min(num_bits - sharding.preshift_bits, kMaxCellBits);
    sharding.shard_bits = num_bits - sharding.preshift_bits - sharding.minishard_bits;
    sharding.has_gzip_index = true;
    sharding.has_gzip_data = true;
    entry["sharding"] = to_json(sharding);
    add_files(folder, files_of_values(by_code, sharding), files);
  }
  return entry;
}

}  // namespace

int num_components(AnnotationPropertyType type) {
  if (type == AnnotationPropertyType::kRgb) return 3;
  return type == AnnotationPropertyType::kRgba ? 4 : 1;
}

FilesByName files_of_annotations(const AnnotationCollection& collection, const AnnotationOptions& options) {
  if (options.most_per_cell < 1 || options.most_per_cell > std::int64_t{1} << 31)
    refuse(fmt::format("{} in a cell, expected 1 .. 2^31", options.most_per_cell));
  std::set<std::string> names;
  for (const AnnotationProperty& property : collection.properties) {
    require_sound(property);
    require_new(names, property.id, "property");
  }
  std::set<std::string> folders{"by_id", "info"};
  for (const std::string& name : collection.relationships) {
    if (!is_attribute_name(name) || name.starts_with("spatial"))
      refuse(fmt::format("relationship '{}' is no name of a folder", name));
    require_new(folders, name, "relationship");
  }

  const Encoder encoder(collection);
  std::vector<std::vector<std::byte>> encoded;
  std::vector<AnnotationPlace> places;
  ValuesById by_id;
  std::vector<std::map<std::uint64_t, ListOfAnnotations>> by_segment(collection.relationships.size());
  for (const Annotation& annotation : collection.annotations) {
    try {
      encoded.push_back(encoder.encode(annotation));
      std::vector<std::byte> single = encoded.back();
      append_related(annotation, collection.relationships.size(), single);
      if (!by_id.try_emplace(annotation.id, std::move(single)).second) refuse("its id is there twice");
    } catch (const Error& error) {
      throw error.within(fmt::format("annotation {}", annotation.id));
    }
    for (std::size_t i = 0; i < by_segment.size(); ++i)
      for (const std::uint64_t segment : annotation.related[i])
        by_segment[i][segment].add(annotation.id, encoded.back());
    places.push_back({mix64(annotation.id), as_encoded(annotation.first), as_encoded(annotation.second)});
  }

  FilesByName files;
  const BoundsNm bounds = bounds_of(collection.shape, places);
  Json info;
  info["@type"] = "neuroglancer_annotations_v1";
  for (const char* axis : {"x", "y", "z"}) info["dimensions"][axis] = Json::array({1e-9, "m"});
  info["lower_bound"] = to_json(bounds.lower, AxisOrder::kXyz);
  info["upper_bound"] = to_json(bounds.upper, AxisOrder::kXyz);
  info["annotation_type"] = name_of(collection.shape);
  info["properties"] = Json::array();
  for (const std::size_t i : encoder.order())
    info["properties"].push_back(info_of_property(collection.properties[i]));
  info["relationships"] = Json::array();
  for (std::size_t i = 0; i < by_segment.size(); ++i) {
    ValuesById values;
    for (const auto& [segment, list] : by_segment[i]) values[segment] = list.bytes();
    Json entry{{"id", collection.relationships[i]}};
    entry.update(add_index(collection.relationships[i], values, options.is_sharded, files));
    info["relationships"].push_back(std::move(entry));
  }
  info["by_id"] = add_index("by_id", by_id, options.is_sharded, files);
  info["spatial"] = Json::array();
  for (const AnnotationLevel& level : levels_of(collection.shape, places, bounds, options.most_per_cell)) {
    const std::string folder = fmt::format("spatial{}", info["spatial"].size());
    info["spatial"].push_back(add_level(folder, level, collection, encoded, options.is_sharded, files));
  }
  const std::string text = to_text(info);
  const auto bytes = std::as_bytes(std::span(text));
  files["info"].assign(bytes.begin(), bytes.end());
  return files;
}

}  // namespace organon::storage
