#include "organon/storage/images/slice_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A run of digits, or a run of anything else.
struct Token {
  std::string_view text;
  bool is_number = false;
};

std::vector<Token> split(std::string_view name) {
  std::vector<Token> tokens;
  std::size_t begin = 0;
  while (begin < name.size()) {
    const bool is_number = is_digit(name[begin]);
    std::size_t end = begin;
    while (end < name.size() && is_digit(name[end]) == is_number) ++end;
    tokens.push_back({name.substr(begin, end - begin), is_number});
    begin = end;
  }
  return tokens;
}

std::string_view without_zeros(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

// -1, 0, 1. Numbers of any length.
int compare_numbers(std::string_view a, std::string_view b) {
  a = without_zeros(a);
  b = without_zeros(b);
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

std::string lower_extension(const std::string& name) {
  std::string extension = std::filesystem::path(name).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool is_png(const std::string& name) { return lower_extension(name) == ".png"; }
bool is_tiff(const std::string& name) {
  return lower_extension(name) == ".tif" || lower_extension(name) == ".tiff";
}

std::string stem_of(const std::string& name) { return std::filesystem::path(name).stem().string(); }

[[noreturn]] void refuse(std::string_view where, const std::string& reason) {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", where, reason));
}

void check_one_format(const std::vector<std::string>& names, std::string_view where) {
  const auto png = std::find_if(names.begin(), names.end(), is_png);
  const auto tiff = std::find_if(names.begin(), names.end(), is_tiff);
  if (png == names.end() || tiff == names.end()) return;
  refuse(where,
         fmt::format("both PNG and TIFF slices ({} and {}): keep one kind in the folder", *png, *tiff));
}

// The names as tokens with the same texts at the same places: "train_#".
class NumberedNames {
 public:
  NumberedNames(const std::vector<std::string>& names, std::string_view where) : names_(names) {
    for (const std::string& name : names) stems_.push_back(stem_of(name));
    for (const std::string& stem : stems_) tokens_.push_back(split(stem));
    for (std::size_t i = 1; i < names.size(); ++i) {
      if (has_same_pattern(tokens_[0], tokens_[i])) continue;
      // With two files there is no majority, with more the odd one out is named.
      const std::size_t odd = i == 1 && names.size() > 2 && has_same_pattern(tokens_[1], tokens_[2]) ? 0 : i;
      const std::size_t usual = odd == 0 ? 1 : 0;
      refuse(where, fmt::format("{} is not named like the other slices ({}): move it elsewhere", names[odd],
                                names[usual]));
    }
  }

  // Numbers of all files at a place; nothing where one is too large to count with.
  std::optional<std::vector<std::int64_t>> numbers_at(std::size_t place) const {
    std::vector<std::int64_t> numbers;
    for (const auto& tokens : tokens_) {
      const std::string_view text = tokens[place].text;
      std::int64_t value = 0;
      if (without_zeros(text).size() > 15) return std::nullopt;
      std::from_chars(text.data(), text.data() + text.size(), value);
      numbers.push_back(value);
    }
    return numbers;
  }

  std::vector<std::size_t> varying_places() const {
    std::vector<std::size_t> places;
    for (std::size_t place = 0; place < tokens_[0].size(); ++place) {
      const bool is_varying = std::any_of(tokens_.begin(), tokens_.end(), [&](const auto& tokens) {
        return tokens_[0][place].is_number &&
               compare_numbers(tokens[place].text, tokens_[0][place].text) != 0;
      });
      if (is_varying) places.push_back(place);
    }
    return places;
  }

  // The name of file `like` with another number, as wide where numbers have leading zeros.
  std::string name_with(std::size_t like, std::size_t place, std::int64_t number) const {
    const bool is_padded = std::any_of(tokens_.begin(), tokens_.end(), [&](const auto& tokens) {
      return tokens[place].text.size() > 1 && tokens[place].text[0] == '0';
    });
    std::string name;
    for (std::size_t i = 0; i < tokens_[like].size(); ++i) {
      const std::string_view text = tokens_[like][i].text;
      name += i == place ? fmt::format("{:0{}}", number, is_padded ? text.size() : 1) : std::string(text);
    }
    return name + std::filesystem::path(names_[like]).extension().string();
  }

 private:
  static bool has_same_pattern(const std::vector<Token>& a, const std::vector<Token>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Token& left, const Token& right) {
      return left.is_number == right.is_number && (left.is_number || left.text == right.text);
    });
  }

  const std::vector<std::string>& names_;
  std::vector<std::string> stems_;
  std::vector<std::vector<Token>> tokens_;
};

// A run of numbers in the order of the files.
struct Numbering {
  std::size_t place = 0;
  std::vector<std::int64_t> numbers;
  std::int64_t step = 1;
  std::int64_t num_missing = 0;
};

std::optional<Numbering> numbering_at(const NumberedNames& names, std::size_t place) {
  auto numbers = names.numbers_at(place);
  if (!numbers || !std::is_sorted(numbers->begin(), numbers->end())) return std::nullopt;
  if (std::adjacent_find(numbers->begin(), numbers->end()) != numbers->end()) return std::nullopt;
  Numbering numbering{place, *std::move(numbers), 0, 0};
  for (std::size_t i = 1; i < numbering.numbers.size(); ++i) {
    numbering.step = std::gcd(numbering.step, numbering.numbers[i] - numbering.numbers[i - 1]);
  }
  const std::int64_t span = numbering.numbers.back() - numbering.numbers.front();
  numbering.num_missing = span / numbering.step + 1 - static_cast<std::int64_t>(numbering.numbers.size());
  return numbering;
}

void check_numbering(const std::vector<std::string>& names, SliceGaps gaps, std::string_view where) {
  const NumberedNames numbered(names, where);
  // Of several running numbers the most regular one counts slices; the others are dates or positions.
  std::optional<Numbering> best;
  for (const std::size_t place : numbered.varying_places()) {
    const auto candidate = numbering_at(numbered, place);
    if (candidate && (!best || candidate->num_missing < best->num_missing)) best = candidate;
  }
  if (!best) {
    // Sorted names that differ in no number differ in its zeros.
    for (std::size_t i = 1; i < names.size(); ++i) {
      const auto a = split(names[i - 1]);
      const auto b = split(names[i]);
      const bool is_double =
          std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Token& left, const Token& right) {
            return left.is_number && right.is_number ? compare_numbers(left.text, right.text) == 0
                                                     : left.text == right.text;
          });
      if (is_double || stem_of(names[i - 1]) == stem_of(names[i])) {
        refuse(where, fmt::format("{} and {} are the same slice", names[i - 1], names[i]));
      }
    }
    if (gaps == SliceGaps::kAccept) return;
    refuse(where,
           fmt::format(
               "no number in the names runs through all slices ({} to {}), so that a missing one would not "
               "show; accept gaps to take them in this order",
               names.front(), names.back()));
  }
  if (best->num_missing == 0 || gaps == SliceGaps::kAccept) return;
  for (std::size_t i = 1; i < names.size(); ++i) {
    const std::int64_t before = best->numbers[i - 1];
    if (best->numbers[i] == before + best->step) continue;
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{}: slice {} is missing (between {} and {}{})", where,
                    numbered.name_with(i - 1, best->place, before + best->step), names[i - 1], names[i],
                    best->num_missing > 1 ? fmt::format("; {} are missing in all", best->num_missing) : ""));
  }
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  const std::vector<Token> left = split(a);
  const std::vector<Token> right = split(b);
  const std::size_t both = std::min(left.size(), right.size());
  for (std::size_t i = 0; i < both; ++i) {
    const bool are_numbers = left[i].is_number && right[i].is_number;
    const int order =
        are_numbers ? compare_numbers(left[i].text, right[i].text) : left[i].text.compare(right[i].text);
    if (order != 0) return order < 0;
  }
  if (left.size() != right.size()) return left.size() < right.size();
  // Equal but for leading zeros.
  if (a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

std::vector<std::string> order_slice_names(std::vector<std::string> names, SliceGaps gaps,
                                           std::string_view where) {
  if (names.empty())
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no slices (.png, .tif, .tiff)", where));
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return natural_less(a, b); });
  check_one_format(names, where);
  if (names.size() > 1) check_numbering(names, gaps, where);
  return names;
}

std::vector<std::filesystem::path> list_slices(const std::filesystem::path& folder, SliceGaps gaps) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) {
    const bool is_missing =
        error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
    throw Error(is_missing ? ErrorKind::kNotFound : ErrorKind::kIo,
                fmt::format("cannot list folder {}: {}", folder.string(), error.message()));
  }
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && (is_png(name) || is_tiff(name)) && !entry.is_directory())
      names.push_back(name);
  }
  std::vector<std::filesystem::path> files;
  for (const std::string& name : order_slice_names(std::move(names), gaps, folder.string()))
    files.push_back(folder / name);
  return files;
}

}  // namespace organon::storage
