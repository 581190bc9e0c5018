#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "organon/array/array.h"
#include "organon/geometry/box.h"
#include "organon/stages/evaluation/blinded_trials.h"
#include "organon/stages/evaluation/comparison_record.h"
#include "organon/storage/fitted_dataset.h"
#include "organon/storage/group_display.h"

namespace organon::stages {

/// Where the volumes of a comparison lie; `mask` may be empty.
struct ComparedAddresses {
  std::string a;
  std::string b;
  std::string raw;
  std::string mask;
};

/// What a person sees of one box.
struct TrialVoxels {
  Array<std::uint8_t> raw;  ///< black 0, white 255
  Array<std::uint8_t> a;    ///< 1: foreground, 0
  Array<std::uint8_t> b;
};

struct CandidateVolume {
  storage::FittedDataset fitted;
  bool is_prediction = false;  ///< foreground from the threshold on; else labels: where they are not 0
};

/// Two candidates, raw and a mask, opened and fitted onto one grid: that of the volume among candidates and
/// raw with the largest voxels. Which candidate is a prediction: tell_prediction() by the options kind_a and
/// kind_b. Thread-safe.
class ComparedVolumes {
 public:
  /// Errors: kNotFound; kInvalidArgument where grids do not fit, nothing lies in all volumes, or one has
  /// voxels that are not its kind's or is of no kind that can be told.
  ComparedVolumes(const ComparedAddresses& addresses, const ComparisonOptions& options);

  const VoxelGrid& grid() const { return grid_; }
  /// All boxes lie in it: what both candidates and raw cover.
  const Box& domain() const { return domain_; }
  const storage::Dataset& raw() const { return *raw_.dataset; }
  const storage::Dataset* mask() const { return mask_.get(); }
  const CandidateVolume& candidate(Contender contender) const { return contender == Contender::kA ? a_ : b_; }

  /// A cell of finer voxels is foreground where half of them are. `raw` is the mean, stretched between the
  /// contrast limits that it states, else uint8 as it is stored, and else between the darkest and the
  /// brightest voxel of the box.
  TrialVoxels read(const Box& box) const;
  /// The part of `box` whose voxels' centres lie in voxels of the mask that are not 0; 1 without a mask.
  double mask_share(const Box& box) const;
  /// Whether a voxel of `box` is foreground in either.
  bool has_foreground(const Box& box) const;

 private:
  Array<std::uint8_t> read_foreground(const CandidateVolume& candidate, const Box& box) const;
  Array<std::uint8_t> read_raw(const Box& box) const;

  double threshold_;
  VoxelGrid grid_;
  CandidateVolume a_;
  CandidateVolume b_;
  storage::FittedDataset raw_;
  std::optional<storage::ContrastWindow> contrast_;
  std::shared_ptr<storage::Dataset> mask_;
  Box domain_;
};

}  // namespace organon::stages
