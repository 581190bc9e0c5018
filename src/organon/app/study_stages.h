#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "organon/app/crop_volumes.h"
#include "organon/blockwise/stage.h"
#include "organon/config/study_config.h"

namespace organon::app {

/// One stage of a study.toml.
struct StudyStage {
  blockwise::StageDescription description;
  std::string setup;               ///< that it belongs to; empty: the whole study
  std::string title;               ///< for people: "many-4 at 400: predict hela/holdout"
  std::vector<std::size_t> needs;  ///< numbers of the stages whose outputs it reads
};

/// The stages of a study.toml, in order. What they make lies under `root`:
///
///     <name>.n5/targets/<classes>_<size>nm/<dataset>/<crop>/<class>    shared by set-ups of the same classes
///     networks/<setup>/                                                with all checkpoints to be evaluated
///     <name>.n5/predictions/<setup>/<iteration>/<dataset>/<crop>/<class>    of the crop's box
///     scores/<setup>/<iteration>/<dataset>/<crop>.json                 a row per class that the crop holds
///     choice/                                                          the answers of `choose` over all
class StudyStages {
 public:
  /// Errors: kNotFound where raw, labels or a trained network does not exist; kInvalidArgument
  /// "study.toml:12:
  /// ..." for options that a stage refuses, and where raw has no level of a set-up's voxel size or no
  /// contrast limits, so that nothing is learned for hours before that is found.
  StudyStages(const config::StudyConfig& study, std::filesystem::path root);

  const std::vector<StudyStage>& stages() const { return stages_; }

 private:
  struct Candidate;
  void check_datasets() const;
  void check_levels(const Candidate& candidate) const;
  void add_setup(const config::StudySetup& setup);
  Candidate train(const config::StudySetup& setup);
  Candidate find_trained(const config::StudySetup& setup) const;
  std::size_t add_targets(const Candidate& candidate, const config::StudyDataset& dataset,
                          const config::CropConfig& crop);
  void judge(const Candidate& candidate);
  std::size_t add(StudyStage stage);
  std::string in_container(const std::string& path) const;
  const config::StageSettings* table(const std::string& verb) const;

  const config::StudyConfig& study_;
  std::filesystem::path root_;
  std::vector<StudyStage> stages_;
};

}  // namespace organon::app
