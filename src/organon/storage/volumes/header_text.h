#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace organon::storage {

/// Lines of a text header, one by one, until the voxels begin.
class HeaderLines {
 public:
  explicit HeaderLines(std::span<const std::byte> bytes) : bytes_(bytes) {}
  /// The next line without its end ("\n" or "\r\n"); nothing where the bytes end before the line does.
  std::optional<std::string_view> next();
  /// Of what follows the lines taken.
  std::size_t position() const { return position_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

std::string_view trimmed(std::string_view text);
std::string lower_case(std::string_view text);
/// What lies between blanks.
std::vector<std::string_view> words_of(std::string_view text);
/// Errors: kCorruptData naming `field`, where a word is no finite number (an integer), or where there are not
/// `count`.
std::vector<double> numbers_of(std::string_view text, std::size_t count, std::string_view field);
std::vector<std::int64_t> integers_of(std::string_view text, std::size_t count, std::string_view field);
/// A whole text that is a finite number; nothing where it is none.
std::optional<double> number_of(std::string_view text);

}  // namespace organon::storage
