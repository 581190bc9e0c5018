#include "organon/tables/id_list.h"

#include <fmt/format.h>

#include <charconv>

#include "organon/base/error.h"

namespace organon::tables {

std::vector<std::uint64_t> parse_id_list(const std::string& text) {
  std::vector<std::uint64_t> ids;
  const char* place = text.data();
  const char* end = text.data() + text.size();
  while (place != end) {
    std::uint64_t id = 0;
    const auto [after, failure] = std::from_chars(place, end, id);
    const bool is_last = after == end;
    if (failure != std::errc() || id == 0 ||
        (!is_last && ((*after != '+' && *after != ',') || after + 1 == end))) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("option ids: expected whole numbers above 0 as 3+4+5, found '{}'", text));
    }
    ids.push_back(id);
    place = is_last ? end : after + 1;
  }
  return ids;
}

}  // namespace organon::tables
