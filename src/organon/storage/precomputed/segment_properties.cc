#include "organon/storage/precomputed/segment_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "organon/base/error.h"
#include "organon/storage/precomputed/attribute_values.h"

namespace organon::storage {
namespace {

[[noreturn]] void refuse(std::string_view reason) {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("segment properties: {}", reason));
}

void require_one_per_segment(std::string_view what, std::size_t count, const SegmentProperties& properties) {
  if (count != properties.ids.size())
    refuse(fmt::format("{} entries of {} for {} segments", count, what, properties.ids.size()));
}

Json text_of(std::string_view id, std::string_view type, const std::string& description,
             const std::vector<std::string>& values) {
  Json json{{"id", id}, {"type", type}};
  if (!description.empty()) json["description"] = description;
  json["values"] = values;
  return json;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Json tags_of(const SegmentProperties& properties) {
  Json json{{"id", "tags"}, {"type", "tags"}, {"tags", Json::array()}};
  std::set<std::string> names;
  bool is_described = false;
  for (const SegmentTag& tag : properties.tags) {
    const bool has_blank =
        std::any_of(tag.name.begin(), tag.name.end(), [](unsigned char c) { return std::isspace(c) != 0; });
    if (tag.name.empty() || tag.name.front() == '#' || has_blank)
      refuse(fmt::format("tag '{}' is empty, has a blank or begins with #", tag.name));
    if (!names.insert(lower_case(tag.name)).second) refuse(fmt::format("tag '{}' is there twice", tag.name));
    json["tags"].push_back(tag.name);
    is_described = is_described || !tag.description.empty();
  }
  if (is_described) {
    json["tag_descriptions"] = Json::array();
    for (const SegmentTag& tag : properties.tags) json["tag_descriptions"].push_back(tag.description);
  }
  require_one_per_segment("tags", properties.tags_of.size(), properties);
  json["values"] = Json::array();
  for (const std::vector<std::uint32_t>& tags : properties.tags_of) {
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (tags[i] >= properties.tags.size() || (i > 0 && tags[i] <= tags[i - 1]))
        refuse(fmt::format("tags {} of a segment are not ascending numbers below {}", fmt::join(tags, ","),
                           properties.tags.size()));
    }
    json["values"].push_back(tags);
  }
  return json;
}

}  // namespace

Json segment_properties_info_of(const SegmentProperties& properties) {
  std::set<std::uint64_t> ids;
  Json id_list = Json::array();
  for (const std::uint64_t id : properties.ids) {
    if (id == 0) refuse("segment 0 is the background");
    if (!ids.insert(id).second) refuse(fmt::format("segment {} is there twice", id));
    id_list.push_back(std::to_string(id));
  }
  Json list = Json::array();
  if (!properties.labels.empty()) {
    require_one_per_segment("labels", properties.labels.size(), properties);
    list.push_back(text_of("label", "label", {}, properties.labels));
  }
  if (!properties.descriptions.empty()) {
    require_one_per_segment("descriptions", properties.descriptions.size(), properties);
    list.push_back(text_of("description", "description", {}, properties.descriptions));
  }
  if (!properties.tags.empty() || !properties.tags_of.empty()) list.push_back(tags_of(properties));
  std::set<std::string> names{"label", "description", "tags"};
  const auto require_new = [&](const std::string& id) {
    if (id.empty() || !names.insert(id).second)
      refuse(fmt::format("property '{}' has no name or is there twice", id));
  };
  for (const SegmentText& text : properties.texts) {
    require_new(text.id);
    require_one_per_segment(text.id, text.values.size(), properties);
    list.push_back(text_of(text.id, "string", text.description, text.values));
  }
  for (const SegmentNumber& number : properties.numbers) {
    require_new(number.id);
    require_one_per_segment(number.id, number.values.size(), properties);
    if (!is_attribute_type(number.data_type))
      refuse(fmt::format("'{}' cannot be {}", number.id, to_string(number.data_type)));
    Json json{{"id", number.id}, {"type", "number"}};
    if (!number.description.empty()) json["description"] = number.description;
    json["data_type"] = to_string(number.data_type);
    json["values"] = Json::array();
    for (const double value : number.values) {
      require_attribute_value(value, number.data_type, number.id);
      // Whole numbers without a point.
      if (is_floating(number.data_type))
        json["values"].push_back(value);
      else
        json["values"].push_back(static_cast<std::int64_t>(value));
    }
    list.push_back(std::move(json));
  }
  return {{"@type", "neuroglancer_segment_properties"},
          {"inline", {{"ids", std::move(id_list)}, {"properties", std::move(list)}}}};
}

}  // namespace organon::storage
