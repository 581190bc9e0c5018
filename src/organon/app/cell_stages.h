#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "organon/blockwise/stage.h"
#include "organon/config/cell_config.h"

namespace organon::app {

/// The stages of a cell.toml, in order, as verbs with all their paths and options. What they make lies under
/// `root`:
///
///     <name>.n5/raw/s0..              imported slices and their pyramid
///     <name>.n5/crops/<crop>/{raw,labels}   <name>.n5/truth      imported slices
///     <name>.n5/targets/<crop>/<class>
///     networks/<name>/                checkpoints, curves
///     <name>.n5/{predictions,fragments,labels,filled,edited,restricted,refined}/<class>   what it takes
///     scores/<class>.json   tables/<class>.csv   meshes/<class>/   published/
///
/// Slices that occur twice (a crop that is also the truth) are imported once.
class CellStages {
 public:
  /// Errors: kNotFound where a source does not exist; kInvalidArgument "cell.toml:12: ..." for options that a
  /// stage refuses.
  CellStages(const config::CellConfig& config, std::filesystem::path root);

  /// Imports of slices.
  const std::vector<blockwise::StageDescription>& imports() const { return imports_; }
  /// Everything after them. `raw_limits`: contrast limits of raw, low and high.
  std::vector<blockwise::StageDescription> after_imports(const std::vector<double>& raw_limits) const;

  /// Low and high of raw: what cell.toml says, else what its dataset says; nothing where neither does, or
  /// before the import.
  std::vector<double> raw_limits() const;

  /// Where raw and labels of a crop are, or will be once imported.
  const std::string& crop_raw(std::size_t number) const { return crop_raw_.at(number); }
  const std::string& crop_labels(std::size_t number) const { return crop_labels_.at(number); }

  /// Level s0 of raw.
  const std::string& raw_s0() const { return raw_s0_; }
  std::string published() const { return (root_ / "published").string(); }
  std::string scores(const std::string& class_name) const;

 private:
  std::string in_container(const std::string& path) const;
  std::string import_once(const std::string& source, const std::string& output, const std::string& role,
                          const std::vector<double>& voxel_size_nm);
  blockwise::StageDescription stage(const std::string& verb, std::vector<std::string> inputs,
                                    const std::string& output,
                                    const std::vector<std::pair<std::string, std::string>>& options,
                                    const std::vector<const config::StageSettings*>& settings) const;
  void add_objects(std::vector<blockwise::StageDescription>& stages) const;
  /// From first objects to refined/<class>: holes, edits, masks; or what a class is made of.
  void add_refinement(const config::ClassConfig& organelle,
                      std::vector<blockwise::StageDescription>& stages) const;
  const config::StageSettings* table(const std::string& verb) const;

  const config::CellConfig& config_;
  std::filesystem::path root_;
  std::vector<blockwise::StageDescription> imports_;
  bool has_own_raw_ = false;  ///< imported here, or a group that organon made: it may get a pyramid
  std::string raw_group_;
  std::string raw_s0_;
  std::vector<double> raw_voxel_size_nm_;
  std::vector<std::string> crop_raw_;
  std::vector<std::string> crop_labels_;
  std::string truth_;
};

}  // namespace organon::app
