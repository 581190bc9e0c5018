#include "organon/app/server/content_type.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace organon::server {
namespace {

struct Ending {
  std::string_view ending;
  std::string_view type;
  bool is_compressible;
};

constexpr std::array kEndings = {
    Ending{"html", "text/html; charset=utf-8", true},
    Ending{"js", "text/javascript; charset=utf-8", true},
    Ending{"mjs", "text/javascript; charset=utf-8", true},
    Ending{"css", "text/css; charset=utf-8", true},
    Ending{"json", "application/json", true},
    Ending{"map", "application/json", true},
    Ending{"csv", "text/csv; charset=utf-8", true},
    Ending{"txt", "text/plain; charset=utf-8", true},
    Ending{"md", "text/plain; charset=utf-8", true},
    Ending{"toml", "text/plain; charset=utf-8", true},
    Ending{"svg", "image/svg+xml", true},
    Ending{"wasm", "application/wasm", true},
    Ending{"ico", "image/x-icon", true},
    Ending{"png", "image/png", false},
    Ending{"jpg", "image/jpeg", false},
    Ending{"jpeg", "image/jpeg", false},
    Ending{"webp", "image/webp", false},
    Ending{"woff2", "font/woff2", false},
    Ending{"pdf", "application/pdf", false},
    Ending{"gz", "application/gzip", false},
    Ending{"zst", "application/zstd", false},
    Ending{"zip", "application/zip", false},
    Ending{"sqlite", "application/vnd.sqlite3", true},
    Ending{"db", "application/vnd.sqlite3", true},
};

}  // namespace

ContentType content_type_of(std::string_view file_name) {
  if (file_name == "info" || file_name == "provenance") return {"application/json", true};
  const std::size_t dot = file_name.rfind('.');
  if (dot != std::string_view::npos) {
    std::string ending(file_name.substr(dot + 1));
    std::ranges::transform(ending, ending.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto found = std::ranges::find(kEndings, std::string_view(ending), &Ending::ending);
    if (found != kEndings.end()) return {std::string(found->type), found->is_compressible};
  }
  return {"application/octet-stream", true};
}

}  // namespace organon::server
