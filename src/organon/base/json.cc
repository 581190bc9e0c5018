#include "organon/base/json.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"

namespace organon {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;
constexpr int kMaxDepth = 64;

// The parser recurses per level, so hostile nesting is refused before it runs.
int nesting_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  if (text.size() > kMaxTextBytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: JSON of {} bytes, at most {}", where, text.size(), kMaxTextBytes));
  }
  if (nesting_depth(text) > kMaxDepth) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: JSON nested deeper than {} levels", where, kMaxDepth));
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t end = std::min(text.size(), error.byte);
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n') + 1;
    const std::size_t line_begin = text.substr(0, end).rfind('\n');
    const std::size_t column = end - (line_begin == std::string_view::npos ? 0 : line_begin + 1);
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: not valid JSON at line {}, column {}", where, line, column));
  } catch (const nlohmann::json::out_of_range&) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: JSON with a number beyond the range of doubles", where));
  }
}

std::string to_text(const Json& json) { return json.dump(2) + "\n"; }

}  // namespace organon
