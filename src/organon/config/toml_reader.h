#pragma once

#include <toml++/toml.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "organon/config/class_config.h"

namespace organon::config {

/// Reads values of a TOML file that people wrote. Whatever it refuses is kInvalidArgument "<file>:<line>:
/// ...", with what was expected and found. A key that is missing gives the standard or nothing.
class TomlReader {
 public:
  /// `path`: for messages.
  explicit TomlReader(std::filesystem::path path) : path_(std::move(path)) {}

  /// The text's tables. Errors: kInvalidArgument for a syntax error.
  toml::table parse(std::string_view text) const;

  [[noreturn]] void fail(const toml::node& node, const std::string& message) const;
  [[noreturn]] void fail_at(const toml::source_region& place, const std::string& message) const;
  /// "cell.toml:12".
  std::string place(const toml::node& node) const;

  /// Refuses others, and names the nearest known one.
  void check_keys(const toml::table& table, const std::vector<std::string>& known) const;
  /// Names become folders and entries of comma-separated lists: letters, digits, '_', '-' and '.'.
  void check_name(const toml::node& node, const std::string& what, const std::string& name) const;

  std::string text(const toml::table& table, const std::string& key, const std::string& standard) const;
  /// One text or several.
  std::vector<std::string> texts(const toml::table& table, const std::string& key) const;
  bool flag(const toml::table& table, const std::string& key) const;
  /// One number or several.
  std::vector<double> numbers(const toml::table& table, const std::string& key) const;
  double number(const toml::table& table, const std::string& key, double standard) const;
  std::vector<std::int64_t> whole_numbers(const toml::table& table, const std::string& key) const;
  /// z, y, x in nm, or nothing; one number stands for three.
  std::vector<double> voxel_size(const toml::table& table, const std::string& key) const;
  /// "#rrggbb".
  std::string color(const toml::table& table, const std::string& key, const std::string& standard) const;
  /// z0,y0,x0,z1,y1,x1 in nm as text; empty where there is none.
  std::string box(const toml::table& table, const std::string& key) const;
  /// nullptr where there is none.
  const toml::table* table(const toml::table& parent, const std::string& key) const;

  void setting(StageSettings& settings, const std::string& name, const toml::node& node) const;
  StageSettings settings(const toml::table& table) const;

 private:
  std::string setting_text(const toml::node& node) const;

  std::filesystem::path path_;
};

}  // namespace organon::config
