#pragma once

#include <memory>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/evaluation/score_segmentation.h"
#include "organon/storage/fitted_dataset.h"
#include "organon/voxel/reduce_to_cells.h"
#include "organon/voxel/score_masks.h"

namespace organon::stages {

/// Sets of voxels of a box of the segmentation's grid.
struct MaskArrays {
  Array<std::uint8_t> predicted;
  Array<std::uint8_t> truth;
  Array<std::uint8_t> counted;

  voxel::MaskPair views() const { return {predicted, truth, counted}; }
};

struct ObjectArrays {
  Array<std::uint64_t> segmented;
  Array<std::uint64_t> truth;
};

/// What is compared: opened and fitted once from the description, read box by box.
class ScoredVolumes {
 public:
  explicit ScoredVolumes(const blockwise::StageDescription& description);

  const EvaluateOptions& options() const { return options_; }
  const storage::DatasetSpec& spec() const { return segmentation_->spec(); }
  bool is_prediction() const { return is_prediction_; }
  /// All counted voxels lie in it; not empty.
  const Box& region() const { return region_; }
  bool has_mask() const { return mask_.dataset != nullptr; }

  /// `box` inside region().
  MaskArrays read_masks(const Box& box) const;
  /// As above, with ids; 0 also where voxels do not count.
  ObjectArrays read_objects(const Box& box) const;
  /// Upper bound of the memory of read_masks().
  std::int64_t reading_bytes(const Shape3& shape) const;
  /// Decoded bytes read per voxel.
  std::int64_t bytes_per_voxel() const;

 private:
  Array<std::uint8_t> read_counted(const Box& box) const;
  Array<std::uint8_t> read_truth(const Box& box) const;
  Array<std::uint8_t> read_expanded_truth(const Box& box) const;
  Shape3 truth_halo() const;
  template <class Id, class Reduce>
  void read_cells(const storage::FittedDataset& fitted, const Box& box, ArrayView<Id> cells,
                  Reduce reduce) const;

  EvaluateOptions options_;
  std::shared_ptr<storage::Dataset> segmentation_;
  storage::FittedDataset truth_;
  storage::FittedDataset mask_;
  voxel::WantedIds wanted_;
  bool is_prediction_ = false;
  Box region_;
  std::vector<Box> excluded_;
};

}  // namespace organon::stages
