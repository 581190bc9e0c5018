#pragma once

#include <optional>
#include <string>

#include "organon/array/data_type.h"
#include "organon/base/json.h"

namespace organon::storage {

/// Grey values between which an image's contrast lies.
struct ContrastWindow {
  double low = 0;
  double high = 0;

  friend bool operator==(const ContrastWindow&, const ContrastWindow&) = default;
};

/// `[low, high]`; nothing for anything else, and where low is not below high: other programs may mean
/// something else.
std::optional<ContrastWindow> contrast_window_of(const Json& limits);

/// `start` and `end` of the window of the first channel of `omero` of OME-NGFF; nothing where they are not
/// stated or not in order. Source: [ngff2022spec].
std::optional<ContrastWindow> omero_window_of(const Json& omero, std::size_t channel = 0);

/// Sets them, makes what readers require of a channel where it is missing (`color` white, `min` and `max` of
/// the voxels' type, for floats of the window), and keeps the rest. `label`: of a channel that is made.
void set_omero_window(Json& omero, const ContrastWindow& window, DataType type, const std::string& label);

}  // namespace organon::storage
