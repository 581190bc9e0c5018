#include "organon/app/server/request_path.h"

#include <algorithm>
#include <system_error>

namespace organon::server {
namespace {

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

/// One round of percent-decoding; a second round would turn "%252e" into a dot, so there is none.
std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const std::optional<int> high = hex_digit(text[i + 1]);
      const std::optional<int> low = hex_digit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high * 16 + *low);
      // A slash that hid behind its code would cut one name into two.
      if (c == '/') return std::nullopt;
      i += 2;
    }
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f || c == '\\') return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

}  // namespace

std::optional<std::string> path_of_target(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  if (target.empty() || target.front() != '/') return std::nullopt;
  std::optional<std::string> path = decode_percent(target.substr(1));
  if (!path) return std::nullopt;
  std::string_view rest = *path;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return std::nullopt;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return path;
}

std::optional<std::filesystem::path> path_inside(const std::filesystem::path& real_folder,
                                                 std::string_view relative) {
  std::error_code failure;
  const std::filesystem::path real = std::filesystem::canonical(real_folder / relative, failure);
  if (failure) return std::nullopt;
  const auto [folder_end, real_end] =
      std::mismatch(real_folder.begin(), real_folder.end(), real.begin(), real.end());
  if (folder_end != real_folder.end()) return std::nullopt;
  return real;
}

}  // namespace organon::server
