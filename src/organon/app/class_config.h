#pragma once

#include <map>
#include <string>
#include <vector>

namespace organon::app {

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
  std::vector<std::int64_t> ids;  ///< label ids that it merges; none where it is made of another class
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

/// The text of organelle_defaults.toml.
extern const char* const kOrganelleDefaults;

}  // namespace organon::app
