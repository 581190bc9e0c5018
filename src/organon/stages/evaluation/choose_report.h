#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "organon/stages/evaluation/choose_networks.h"
#include "organon/stages/evaluation/score_row.h"

namespace organon::stages {

/// What is chosen for one class.
struct ClassChoice {
  std::string label;
  MeanScore best;  ///< over all crops
  std::vector<CropChoice> crops;

  /// Means over the crops that have one; NaN where none has.
  double validation() const;
  double test() const;
};

/// Networks that are compared with others.
struct ChoiceGroup {
  std::string family;            ///< empty: any
  double raw_voxel_size_nm = 0;  ///< 0: any
  std::vector<ClassChoice> classes;

  std::string name() const;  ///< "any", "many", "4 nm", "many, 4 nm"
};

struct SetupChoice {
  std::string label;
  std::string setup;
  std::optional<MeanScore> best;
  std::vector<MeanScore> scores;  ///< of its candidates
  std::vector<Checkpoint> checkpoints;
  Stop stop;
};

/// All answers to a set of scores.
struct Choice {
  std::vector<SetupChoice> setups;  ///< by class and set-up
  std::vector<ChoiceGroup> groups;  ///< the first: any network
  std::vector<RefinedPair> refined;
};

Choice choose_networks(const std::vector<ScoredRow>& rows, const ChooseOptions& options);

/// A file of the folder and what it holds.
using NamedText = std::pair<std::string, std::string>;

/// All files but the store. `notes`: told in JSON and text.
std::vector<NamedText> choice_files(const Choice& choice, const ChooseOptions& options,
                                    const std::vector<std::string>& notes);

/// The plots.
std::vector<NamedText> choice_plots(const Choice& choice, const ChooseOptions& options);

}  // namespace organon::stages
