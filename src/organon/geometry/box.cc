#include "organon/geometry/box.h"

namespace organon {

std::string to_string(const Box& box) {
  return "[" + to_string(box.begin) + " : " + to_string(box.end) + ")";
}

}  // namespace organon
