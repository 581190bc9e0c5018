#include "organon/config/class_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"

namespace organon::config {

std::vector<std::string> ClassConfig::needed() const {
  std::vector<std::string> names = inside;
  names.insert(names.end(), outside.begin(), outside.end());
  if (!parent.empty()) names.push_back(parent);
  if (!from.empty() && from != kFromRaw) names.push_back(from);
  return names;
}

std::vector<std::size_t> order_of_needs(const std::vector<ClassConfig>& classes) {
  std::vector<std::size_t> order;
  std::vector<bool> is_done(classes.size(), false);
  const auto is_ready = [&](const ClassConfig& organelle) {
    for (const std::string& name : organelle.needed()) {
      const auto other = std::find_if(classes.begin(), classes.end(),
                                      [&](const ClassConfig& one) { return one.name == name; });
      if (other == classes.end()) {
        throw Error(
            ErrorKind::kInvalidArgument,
            fmt::format("classes.{}: it needs the class '{}', which is not there", organelle.name, name));
      }
      if (!is_done[static_cast<std::size_t>(other - classes.begin())]) return false;
    }
    return true;
  };
  while (order.size() < classes.size()) {
    const std::size_t before = order.size();
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (is_done[i] || !is_ready(classes[i])) continue;
      is_done[i] = true;
      order.push_back(i);
    }
    if (order.size() > before) continue;
    std::vector<std::string> stuck;
    for (std::size_t i = 0; i < classes.size(); ++i)
      if (!is_done[i]) stuck.push_back(classes[i].name);
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("classes {} need one another: none can come first", fmt::join(stuck, ", ")));
  }
  return order;
}

}  // namespace organon::config
