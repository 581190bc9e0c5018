#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace organon {

/// What `--help`, the schema and the documentation say of one option besides its name.
struct OptionInfo {
  std::string help;                  ///< one line: what it does
  std::string unit;                  ///< "nm", "voxels", ...; empty: none
  double min = -1e300;               ///< smallest allowed number
  double max = 1e300;                ///< largest allowed number
  std::vector<std::string> choices;  ///< allowed words; empty: any
};

/// The options of one stage: each bound once to a field of a plain struct. Reading from TOML, JSON and the
/// command line, `--help`, the schema and provenance all come from this binding.
///
///     struct SegmentOptions {
///       double sigma_nm = 12;
///       void bind(OptionTable& table) { table.add("sigma_nm", sigma_nm, {"width of the Gaussian", "nm", 0});
///       }
///     };
class OptionTable {
 public:
  using Target = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<double>*,
                              std::vector<std::int64_t>*, std::vector<std::string>*>;

  struct Option {
    std::string name;
    Target target;
    OptionInfo info;
    std::string default_text;
  };

  /// `name` in snake_case with its unit; the command line shows it as --sigma-nm. The field's value now is
  /// the default.
  template <class T>
  OptionTable& add(std::string name, T& field, OptionInfo info) {
    return add_target(std::move(name), Target(&field), std::move(info));
  }

  /// An option of another table, perhaps under another name, with the field that it has there.
  OptionTable& add(Option option) {
    options_.push_back(std::move(option));
    return *this;
  }

  /// Sets the option `name` from text: numbers, true/false, words, lists as "1,2,3".
  /// Errors: kInvalidArgument naming the option, what was expected and found; for an unknown name, the
  /// nearest one.
  void set(std::string_view name, const std::string& text);
  /// Sets several from a JSON object (numbers, strings, booleans, arrays of them).
  void set_from_json(std::string_view json_text);

  /// All values as a JSON object text, keys in binding order: the stage's effective options.
  std::string to_json() const;
  /// Current value as text, as set() takes it.
  std::string value_text(const Option& option) const;
  const std::vector<Option>& options() const { return options_; }

 private:
  OptionTable& add_target(std::string name, Target target, OptionInfo info);
  std::vector<Option> options_;
};

/// Options of type `Options` (a struct with bind()) set from a JSON object. Errors: as OptionTable::set.
template <class Options>
Options options_from_json(std::string_view json_text) {
  Options options;
  OptionTable table;
  options.bind(table);
  table.set_from_json(json_text);
  return options;
}

/// All of `options` as a JSON object text.
template <class Options>
std::string options_to_json(Options options) {
  OptionTable table;
  options.bind(table);
  return table.to_json();
}

/// The candidate nearest to `word` by edit distance; empty where none is near (more than three letters and a
/// third differ).
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace organon
