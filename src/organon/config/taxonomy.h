#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace organon::config {

/// What annotators paint: one id in volumes of labels.
struct Atom {
  std::string name;
  std::uint64_t id = 0;
};

/// What a network learns: a union of atoms. Classes overlap: a membrane belongs to its organelle, too.
struct LearnedClass {
  std::string name;
  std::vector<std::string> aliases;
  std::vector<std::string> atoms;
  std::string generic;              ///< an atom of it that stands for all the others together; empty: none
  std::string balance_as;           ///< the class by whose share its loss is balanced; empty: its own
  std::vector<std::string> joined;  ///< classes whose targets are joined to its own, where all are learned
  double add_nm = 0;                ///< added to its boundary distance
  std::string color = "#ffffff";
};

/// Classes that one network learns together.
struct NetworkSetup {
  std::string name;
  std::vector<std::string> classes;
};

/// Names and ids of everything that can be painted and learned. A lab's own is a file of the same form as
/// heinrich2021.toml in this folder.
struct Taxonomy {
  std::string name;
  std::vector<Atom> atoms;
  std::vector<LearnedClass> classes;
  std::vector<NetworkSetup> setups;

  /// nullptr where there is none. Classes are found by their aliases, too.
  const Atom* find_atom(std::string_view atom) const;
  const Atom* find_atom(std::uint64_t id) const;
  const LearnedClass* find_class(std::string_view name_or_alias) const;
  const NetworkSetup* find_setup(std::string_view setup) const;

  /// Errors: kInvalidArgument naming the nearest one.
  const LearnedClass& learned_class(std::string_view name_or_alias) const;
  std::uint64_t id_of(std::string_view atom) const;
};

/// Errors: kInvalidArgument "<where>:<line>: ..." for a syntax error, unknown keys, ids that are 0 or given
/// twice, names that are given twice, and names that are not there.
Taxonomy parse_taxonomy(std::string_view text, const std::filesystem::path& where);

/// That of Heinrich et al. 2021, or of a file. Errors: kNotFound; as parse_taxonomy().
Taxonomy load_taxonomy(const std::string& name_or_path);

/// The name of the taxonomy that comes with organon.
inline constexpr char kStandardTaxonomy[] = "heinrich2021";

}  // namespace organon::config
