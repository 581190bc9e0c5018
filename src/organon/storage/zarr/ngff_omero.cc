#include "organon/storage/zarr/ngff_omero.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

std::optional<ContrastWindow> window_of(const Json* low, const Json* high) {
  if (low == nullptr || high == nullptr || !low->is_number() || !high->is_number()) return std::nullopt;
  const ContrastWindow window{low->get<double>(), high->get<double>()};
  if (!std::isfinite(window.low) || !std::isfinite(window.high) || !(window.low < window.high))
    return std::nullopt;
  return window;
}

// Whole numbers as such, as people write them.
Json number(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::nearbyint(value) == value && std::abs(value) <= kExact) return static_cast<std::int64_t>(value);
  return value;
}

ContrastWindow range_of(DataType type, const ContrastWindow& window) {
  if (is_floating(type)) return window;
  return dispatch(type, [](auto zero) {
    using Limits = std::numeric_limits<decltype(zero)>;
    return ContrastWindow{static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max())};
  });
}

}  // namespace

std::optional<ContrastWindow> contrast_window_of(const Json& limits) {
  if (!limits.is_array() || limits.size() != 2) return std::nullopt;
  return window_of(&limits[0], &limits[1]);
}

std::optional<ContrastWindow> omero_window_of(const Json& omero, std::size_t channel) {
  const Json* channels = optional_field(omero, "channels");
  if (channels == nullptr || !channels->is_array() || channels->size() <= channel) return std::nullopt;
  const Json* window = optional_field((*channels)[channel], "window");
  if (window == nullptr) return std::nullopt;
  return window_of(optional_field(*window, "start"), optional_field(*window, "end"));
}

void set_omero_window(Json& omero, const ContrastWindow& window, DataType type, const std::string& label) {
  if (!omero.is_object()) omero = Json::object();
  Json& channels = omero["channels"];
  if (!channels.is_array()) channels = Json::array();
  if (channels.empty()) channels.push_back({{"label", label}, {"active", true}});
  Json& channel = channels.front();
  if (!channel.is_object()) channel = Json::object();
  if (!channel.contains("color")) channel["color"] = "FFFFFF";
  Json& written = channel["window"];
  if (!written.is_object()) written = Json::object();
  const ContrastWindow range = range_of(type, window);
  if (optional_field(written, "min") == nullptr) written["min"] = number(range.low);
  if (optional_field(written, "max") == nullptr) written["max"] = number(range.high);
  written["start"] = number(window.low);
  written["end"] = number(window.high);
  if (!omero.contains("rdefs")) omero["rdefs"] = {{"model", "greyscale"}};
}

}  // namespace organon::storage
