#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/base/options.h"
#include "organon/geometry/box.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/stages/evaluation/blinded_trials.h"

namespace organon::stages {

/// Two candidates shown to a person, again and again, in boxes that chance chooses.
struct ComparisonOptions {
  double mask_share = 0.2;
  std::int64_t edge_voxels = 150;
  std::int64_t trials = 100;
  std::string kind_a = "auto";
  std::string kind_b = "auto";
  double threshold = 127;
  std::int64_t seed = 0;
  std::string name_a;
  std::string name_b;
  std::string label;
  std::string dataset;

  void bind(OptionTable& table);
  /// By seed, names and label: what is told of one comparison tells nothing of another with the same seed.
  BlindedTrials chance() const;
  friend bool operator==(const ComparisonOptions&, const ComparisonOptions&) = default;
};

/// One trial that was answered.
struct AnsweredTrial {
  Box box;  ///< voxels of the comparison's grid
  Verdict verdict = Verdict::kBothBad;
  double seconds = 0;  ///< from when it was shown
  std::string shown;   ///< hash of what was seen
};

/// How many answers were given, and for whom they count once chance has dealt those that prefer none.
struct ComparisonCounts {
  std::int64_t preferred_a = 0;
  std::int64_t preferred_b = 0;
  std::int64_t both_good = 0;
  std::int64_t both_bad = 0;
  std::int64_t counted_a = 0;
  std::int64_t counted_b = 0;

  double probability() const { return two_sided_binomial(counted_a, counted_b); }
};

/// All that is kept of a comparison, as a value: after each answer it is written, and read to go on.
struct ComparisonRecord {  // NOLINT(bugprone-exception-escape): moving Json does not throw
  ComparisonOptions options;
  Json inputs;  ///< what the volumes are: of a, b, raw and mask
  VoxelGrid grid;
  std::vector<AnsweredTrial> answered;
  bool is_ended = false;

  /// Of how many answers the probability may be told: before the end whole tens, so that nobody learns from
  /// it for whom a single answer counted.
  std::size_t num_told() const;
  /// Of the first `num_trials` answers; all where it is not given.
  ComparisonCounts counts(std::optional<std::size_t> num_trials = std::nullopt) const;

  /// schemas/comparison.schema.json; once it has ended also with the result and with rows of scores.
  Json to_json() const;
  /// A row per trial.
  std::string to_csv() const;
  /// Inverse of to_json(). Errors: kCorruptData naming `where` and what is wrong.
  static ComparisonRecord parse(std::string_view text, std::string_view where);
};

/// "setup03@650000": set-up and iteration of a candidate; without a number behind the last @ all is the
/// set-up, and the iteration is -1.
struct CandidateName {
  std::string setup;
  std::int64_t iteration = -1;
};
CandidateName candidate_name(const std::string& text);

/// The result, with who was which: for the page and for people.
Json result_of(const ComparisonRecord& record);

}  // namespace organon::stages
