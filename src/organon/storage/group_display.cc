#include "organon/storage/group_display.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/multiscale.h"
#include "organon/storage/zarr/ngff_group.h"
#include "organon/storage/zarr/zarr3_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"

namespace organon::storage {
namespace {

std::optional<NgffGroup> ngff_group_at(const std::string& group) {
  const Address parsed = parse_address(group);
  const bool may_be_zarr =
      !parsed.format || *parsed.format == Format::kZarr2 || *parsed.format == Format::kZarr3;
  const Place place = parsed.place();
  // The attributes of an array are its own.
  if (!may_be_zarr || is_zarr_dataset(place) || is_zarr3_dataset(place)) return std::nullopt;
  return read_ngff_group(place);
}

// A text of foreign metadata that can be shown on a terminal; else nothing.
std::string shown_text(const Json* json) {
  if (json == nullptr || !json->is_string()) return {};
  auto text = json->get<std::string>();
  const bool is_plain = std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  return is_plain ? text : std::string();
}

Json copy_of(const Json* json) { return json == nullptr ? Json() : *json; }

}  // namespace

GroupDisplay read_group_display(const std::string& group) {
  GroupDisplay display;
  const auto found = ngff_group_at(group);
  if (!found) return display;
  display.image_label = copy_of(optional_field(found->ngff, "image-label"));
  display.omero = copy_of(optional_field(found->ngff, "omero"));
  if (display.is_label_image()) label_colors_of(display.image_label, found->source);
  const auto refuse_omero = [&] {
    throw Error(
        ErrorKind::kCorruptData,
        fmt::format("{}: 'omero': expected an object with a list 'channels' of objects", found->source));
  };
  if (display.omero.is_null()) return display;
  if (!display.omero.is_object()) refuse_omero();
  const Json* channels = optional_field(display.omero, "channels");
  if (channels == nullptr) return display;
  if (!channels->is_array()) refuse_omero();
  for (const Json& channel : *channels)
    if (!channel.is_object()) refuse_omero();
  return display;
}

void set_label_colors(const std::string& group, std::span<const LabelColor> colors) {
  const auto found = ngff_group_at(group);
  if (!found || optional_field(found->ngff, "multiscales") == nullptr) {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{}: colours of labels are kept in pyramids of Zarr alone; none is there", group));
  }
  if (is_floating(open_multiscale(group).levels.front()->spec().data_type)) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: its voxels are no whole numbers, so that there are no labels", group));
  }
  change_ngff_group(parse_address(group).place(), found->version, [&](Json& ngff) {
    Json& label = ngff["image-label"];
    if (!label.is_object()) label = Json::object();
    if (found->version == NgffVersion::k04) label["version"] = "0.4";
    set_label_colors(label, colors);
  });
}

std::vector<std::string> axes_of(const std::string& group) {
  std::vector<std::string> texts;
  const auto found = ngff_group_at(group);
  const Json* multiscales = found ? optional_field(found->ngff, "multiscales") : nullptr;
  if (multiscales == nullptr || !multiscales->is_array() || multiscales->empty()) return texts;
  const Json* axes = optional_field(multiscales->front(), "axes");
  if (axes == nullptr || !axes->is_array()) return texts;
  for (const Json& axis : *axes) {
    // Version 0.3 has names alone.
    std::string text = axis.is_string() ? shown_text(&axis) : shown_text(optional_field(axis, "name"));
    const std::string type = shown_text(optional_field(axis, "type"));
    const std::string unit = shown_text(optional_field(axis, "unit"));
    if (!type.empty() || !unit.empty())
      text += fmt::format(" ({}{}{})", type, type.empty() || unit.empty() ? "" : ", ", unit);
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string source_image_of(const Json& image_label) {
  const Json* source = optional_field(image_label, "source");
  return source == nullptr ? std::string() : shown_text(optional_field(*source, "image"));
}

std::vector<std::string> label_images_of(const std::string& group) {
  const auto found = ngff_group_at(group);
  if (!found) return {};
  std::vector<std::string> paths = label_paths_of(found->ngff);
  if (!paths.empty()) return paths;
  const auto labels = read_ngff_group(parse_address(group).place() / "labels");
  return labels ? label_paths_of(labels->ngff) : paths;
}

std::optional<ContrastWindow> contrast_of(const Dataset& dataset) {
  const Json attributes = dataset.attributes();
  if (const Json* limits = optional_field(attributes, kContrastLimitsKey)) {
    if (const auto window = contrast_window_of(*limits)) return window;
  }
  const Place& place = dataset.place();
  if (!is_zarr_dataset(place) && !is_zarr3_dataset(place)) return std::nullopt;
  // One window does not speak for several channels.
  const Channels& channels = dataset.spec().channels;
  if (channels.in_stack() != 1) return std::nullopt;
  return omero_window_of(omero_above(place), static_cast<std::size_t>(channels.chosen_color()));
}

std::optional<ContrastWindow> contrast_of(const Multiscale& pyramid) {
  for (const auto& level : pyramid.levels)
    if (const auto window = contrast_of(*level)) return window;
  return std::nullopt;
}

std::vector<ConsolidatedArray> arrays_below(const std::string& group) {
  const Address parsed = parse_address(group);
  if (parsed.format && *parsed.format != Format::kZarr2 && *parsed.format != Format::kZarr3) return {};
  return read_consolidated_arrays(parsed.place());
}

}  // namespace organon::storage
