#include "organon/stages/ingest/mask_polygons.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/options.h"

namespace organon::stages {
namespace {

constexpr std::size_t kMaxPolygons = 10'000;
constexpr std::size_t kMaxVertices = 1'000'000;
constexpr double kMaxNm = 1e12;

const std::vector<std::string> kKeys = {"action", "z_nm", "polygon_yx_nm", "note"};

// A place in the file, for messages.
class Reader {
 public:
  explicit Reader(std::string place) : place_(std::move(place)) {}

  [[noreturn]] void refuse(const std::string& message) const {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", place_, message));
  }
  Reader at(const std::string& key) const { return Reader(fmt::format("{}.{}", place_, key)); }
  Reader at(std::size_t index) const { return Reader(fmt::format("{}[{}]", place_, index)); }

  const Json& member(const Json& object, const std::string& key) const {
    const auto found = object.find(key);
    if (found == object.end()) refuse(fmt::format("'{}' is missing", key));
    return *found;
  }
  std::pair<double, double> pair(const Json& value, const char* names) const {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number()) {
      refuse(fmt::format("expected two numbers, {}", names));
    }
    const auto number = [&](const Json& json) {
      const auto nm = json.get<double>();
      if (!(std::abs(nm) <= kMaxNm)) refuse(fmt::format("expected nm up to {:g}, found {:g}", kMaxNm, nm));
      return nm;
    };
    return {number(value[0]), number(value[1])};
  }

 private:
  std::string place_;
};

MaskPolygon read_polygon(const Json& entry, const Reader& reader, std::size_t& vertices_left) {
  if (!entry.is_object()) reader.refuse("expected an object with action, z_nm and polygon_yx_nm");
  for (const auto& [key, value] : entry.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    const std::string nearest = nearest_word(key, kKeys);
    reader.refuse(nearest.empty() ? fmt::format("unknown key '{}'", key)
                                  : fmt::format("unknown key '{}'; did you mean '{}'?", key, nearest));
  }
  MaskPolygon polygon;
  const Json& action = reader.member(entry, "action");
  if (action == "include") {
    polygon.action = MaskPolygon::Action::kInclude;
  } else if (action == "exclude") {
    polygon.action = MaskPolygon::Action::kExclude;
  } else {
    reader.at("action").refuse("expected \"include\" or \"exclude\"");
  }
  if (entry.contains("note") && !entry["note"].is_string()) reader.at("note").refuse("expected text");
  const Reader z_reader = reader.at("z_nm");
  std::tie(polygon.z_begin_nm, polygon.z_end_nm) =
      z_reader.pair(reader.member(entry, "z_nm"), "[begin, end]");
  if (!(polygon.z_begin_nm < polygon.z_end_nm)) z_reader.refuse("expected begin below end");
  const Json& vertices = reader.member(entry, "polygon_yx_nm");
  const Reader vertices_reader = reader.at("polygon_yx_nm");
  if (!vertices.is_array() || vertices.size() < 3)
    vertices_reader.refuse("expected a list of at least three [y, x]");
  if (vertices.size() > vertices_left) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("mask polygons: more than {} vertices", kMaxVertices));
  }
  vertices_left -= vertices.size();
  polygon.vertices.reserve(vertices.size());
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    const auto [y, x] = vertices_reader.at(i).pair(vertices[i], "[y, x]");
    polygon.vertices.push_back({y, x});
  }
  return polygon;
}

// First index at or above `nm`, clipped to 0 .. count.
std::int64_t first_centre_at(double nm, double offset_nm, double size_nm, std::int64_t begin,
                             std::int64_t count) {
  const double guess = std::clamp(std::ceil((nm - offset_nm) / size_nm) - static_cast<double>(begin), -1.0,
                                  static_cast<double>(count) + 1);
  auto index = static_cast<std::int64_t>(guess);
  // The division rounds; VoxelGrid::to_nm() decides.
  const auto centre = [&](std::int64_t i) { return offset_nm + static_cast<double>(begin + i) * size_nm; };
  while (index > 0 && centre(index - 1) >= nm) --index;
  while (index < count && centre(index) < nm) ++index;
  return std::clamp<std::int64_t>(index, 0, count);
}

// Where the edges of `polygon` cross the row of centres at `y_nm`, ascending. Each edge is taken from its
// lower end, so that two polygons find the same place on an edge that they share.
std::vector<double> crossings(const MaskPolygon& polygon, double y_nm) {
  std::vector<double> places;
  const auto& vertices = polygon.vertices;
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    MaskPolygon::Vertex low = vertices[i];
    MaskPolygon::Vertex high = vertices[(i + 1) % vertices.size()];
    if (high.y_nm < low.y_nm) std::swap(low, high);
    if (!(low.y_nm <= y_nm && y_nm < high.y_nm)) continue;
    places.push_back(low.x_nm + (y_nm - low.y_nm) / (high.y_nm - low.y_nm) * (high.x_nm - low.x_nm));
  }
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace

std::vector<MaskPolygon> parse_mask_polygons(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  const Reader reader{std::string(where)};
  if (!json.is_array()) reader.refuse("expected a list of polygons, [{\"action\": ...}, ...]");
  if (json.size() > kMaxPolygons) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: {} polygons, expected at most {}", where, json.size(), kMaxPolygons));
  }
  std::vector<MaskPolygon> polygons;
  std::size_t vertices_left = kMaxVertices;
  for (std::size_t i = 0; i < json.size(); ++i)
    polygons.push_back(
        read_polygon(json[i], Reader(fmt::format("{}: polygon [{}]", where, i)), vertices_left));
  return polygons;
}

void apply_mask_polygons(const std::vector<MaskPolygon>& polygons, const VoxelGrid& grid, const Index3& begin,
                         ArrayView<std::uint8_t> mask) {
  const Shape3 shape = mask.shape();
  for (const MaskPolygon& polygon : polygons) {
    const std::uint8_t value = polygon.action == MaskPolygon::Action::kInclude ? 1 : 0;
    const auto z_index = [&](double nm) {
      return first_centre_at(nm, grid.offset_nm.z, grid.voxel_size_nm.z, begin.z, shape.z);
    };
    const std::int64_t z_begin = z_index(polygon.z_begin_nm);
    const std::int64_t z_end = z_index(polygon.z_end_nm);
    if (z_begin >= z_end) continue;
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const std::vector<double> places = crossings(polygon, grid.to_nm(begin + Index3{0, y, 0}).y);
      for (std::size_t i = 0; i + 1 < places.size(); i += 2) {
        const auto x_index = [&](double nm) {
          return first_centre_at(nm, grid.offset_nm.x, grid.voxel_size_nm.x, begin.x, shape.x);
        };
        const std::int64_t x_begin = x_index(places[i]);
        const std::int64_t x_end = x_index(places[i + 1]);
        for (std::int64_t z = z_begin; z < z_end; ++z)
          for (std::int64_t x = x_begin; x < x_end; ++x) mask(z, y, x) = value;
      }
    }
  }
}

}  // namespace organon::stages
