#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"

namespace organon::storage {

/// How one label of a label image is shown, and what it is called.
struct LabelColor {
  std::int64_t value = 0;
  std::array<std::uint8_t, 4> rgba{};  ///< red, green, blue, opacity
  std::string name;                    ///< empty: none

  friend bool operator==(const LabelColor&, const LabelColor&) = default;
};

/// The colours of `image-label` of OME-NGFF, each with the `name` (else `class`) that its properties state;
/// labels without a colour are left out. Source: [ngff2022spec]. Errors: kCorruptData where colours or
/// properties are not what the standard says: lists of objects with a whole `label-value`, unique among the
/// colours, `rgba` of four numbers 0 to 255; kUnsupported for values beyond int64.
std::vector<LabelColor> label_colors_of(const Json& image_label, std::string_view where);

/// Sets `colors`, and, where any has a name, `properties` of the same labels: a reader of ome-zarr-models
/// wants both to speak of the same. Other properties of a label that stays are kept. In the order of the
/// values. Errors: kInvalidArgument for a value named twice.
void set_label_colors(Json& image_label, std::span<const LabelColor> colors);

/// "1=#ff8000" or "1=#ff8000c0=mito": value, colour (with opacity), name. Errors: kInvalidArgument.
LabelColor parse_label_color(const std::string& text);

/// The list `labels` of a group of label images; entries that are no text, or could lead out of the group
/// (empty, absolute, with "..", with control characters), are left out.
std::vector<std::string> label_paths_of(const Json& ngff);
/// Adds a path to the list: sorted, each once; other entries stay.
void add_label_path(Json& ngff, const std::string& path);

}  // namespace organon::storage
