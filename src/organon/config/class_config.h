#pragma once

#include <map>
#include <string>
#include <vector>

namespace organon::config {

/// Options of one stage as written in cell.toml: name -> text, checked later against the stage's own binding.
struct StageSettings {
  std::map<std::string, std::string> values;
  std::map<std::string, std::string> places;  ///< name -> "cell.toml:12", for messages
};

/// One class of organelle: to learn, find and publish; or made of others.
struct ClassConfig {
  /// What a class that is not made of another, but of everything imaged, names in `from`.
  static constexpr char kFromRaw[] = "raw";

  std::string name;
  std::vector<std::string> atoms;   ///< of the taxonomy; none where it has ids of its own
  std::vector<std::int64_t> ids;    ///< label ids that it merges; none where it is made of another class
  std::string generic;              ///< one of the atoms that stands for all the others; empty: none
  std::string balance_as;           ///< a class by whose share its loss is balanced; empty: its own
  std::vector<std::string> joined;  ///< classes whose targets are joined to its own
  double add_nm = 0;                ///< added to its boundary distance
  std::string color = "#ffffff";
  StageSettings segment;             ///< over [segment]
  bool has_watershed = false;        ///< objects that touch are told apart
  StageSettings agglomerate;         ///< over [agglomerate]
  std::string parent;                ///< a class whose ids its voxels take: an organelle, of its membrane
  std::string from;                  ///< a class that it is a part of, or kFromRaw; it is not learned then
  std::vector<std::string> inside;   ///< classes inside of which it lies
  std::vector<std::string> outside;  ///< classes outside of which it lies
  double inside_expand_nm = 0;       ///< by this these are expanded first
  double outside_expand_nm = 0;
  std::string edits;  ///< file of an expert's edits; empty: none

  bool is_predicted() const { return from.empty(); }
  /// Names of the classes that must be there before.
  std::vector<std::string> needed() const;
};

/// The numbers of classes in an order in which each comes after those that it needs. Errors:
/// kInvalidArgument naming classes that need one another, or one that is not there.
std::vector<std::size_t> order_of_needs(const std::vector<ClassConfig>& classes);

}  // namespace organon::config
