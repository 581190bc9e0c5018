#include "organon/storage/volumes/header_text.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

#include "organon/base/error.h"
#include "organon/storage/volumes/header_bytes.h"

namespace organon::storage {
namespace {

constexpr std::string_view kBlanks = " \t\r";

template <class T>
std::optional<T> value_of(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

template <class Parse>
auto values_of(std::string_view text, std::size_t count, std::string_view field, const Parse& parse) {
  std::vector<typename decltype(parse(text))::value_type> values;
  for (const std::string_view word : words_of(text)) {
    const auto value = parse(word);
    if (!value) break;
    values.push_back(*value);
  }
  if (values.size() != count || words_of(text).size() != count) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: expected {} numbers, found '{}'", field, count, text.substr(0, 80)));
  }
  return values;
}

}  // namespace

double meant_by(float value) {
  const std::string text = fmt::format("{}", value);
  return number_of(text).value_or(static_cast<double>(value));
}

std::optional<std::string_view> HeaderLines::next() {
  const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_,
                              bytes_.size() - position_);
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  position_ += end + 1;
  const std::string_view line = rest.substr(0, end);
  return line.ends_with('\r') ? line.substr(0, end - 1) : line;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = text.find_first_of(kBlanks, begin);
    words.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    begin = end == std::string_view::npos ? end : text.find_first_not_of(kBlanks, end);
  }
  return words;
}

std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto value = value_of<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<double> numbers_of(std::string_view text, std::size_t count, std::string_view field) {
  return values_of(text, count, field, [](std::string_view word) { return number_of(word); });
}

std::vector<std::int64_t> integers_of(std::string_view text, std::size_t count, std::string_view field) {
  return values_of(text, count, field, [](std::string_view word) { return value_of<std::int64_t>(word); });
}

}  // namespace organon::storage
