#include "organon/stages/ground_truth/class_source.h"

#include <fmt/format.h>

#include <charconv>

#include "organon/base/error.h"
#include "organon/tables/id_list.h"

namespace organon::stages {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "targets: " + message);
}

VolumeIds parse_part(const std::string& text, std::size_t num_volumes) {
  VolumeIds part;
  std::string ids = text;
  if (const std::size_t colon = text.find(':'); colon != std::string::npos) {
    const char* end = text.data() + colon;
    const auto [stop, error] = std::from_chars(text.data(), end, part.volume);
    if (error != std::errc() || stop != end || colon == 0)
      refuse(fmt::format("ids: expected the number of a volume before ':', found '{}'", text));
    ids = text.substr(colon + 1);
  }
  if (part.volume >= num_volumes) {
    refuse(fmt::format("ids: '{}' is of volume {}, and there are volumes 0 to {}", text, part.volume,
                       num_volumes - 1));
  }
  if (ids == "any") return part;
  part.ids = tables::parse_id_list(ids);
  if (part.ids.empty()) refuse("a class has no ids; \"-\" says that it is not annotated");
  return part;
}

}  // namespace

ClassSource parse_class_source(const std::string& text, std::size_t num_volumes) {
  ClassSource source;
  if (text == "-") return source;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(text.find('&', begin), text.size());
    source.push_back(parse_part(text.substr(begin, end - begin), num_volumes));
    if (end == text.size()) return source;
    begin = end + 1;
  }
}

}  // namespace organon::stages
