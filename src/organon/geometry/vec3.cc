#include "organon/geometry/vec3.h"

#include <fmt/format.h>

namespace organon {

std::string to_string(const Index3& index) { return fmt::format("{},{},{}", index.z, index.y, index.x); }
std::string to_string(const Shape3& shape) { return fmt::format("{},{},{}", shape.z, shape.y, shape.x); }
std::string to_string(const PointNm& point) { return fmt::format("{},{},{}", point.z, point.y, point.x); }
std::string to_string(const SizeNm& size) { return fmt::format("{},{},{}", size.z, size.y, size.x); }

}  // namespace organon
