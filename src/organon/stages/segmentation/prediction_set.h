#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/blockwise/stage.h"

namespace organon::stages {

/// What all steps share that make labels of a prediction: worked out once from the description.
struct PredictionSet {
  std::shared_ptr<storage::Dataset> prediction;  ///< uint8
  std::string output;                            ///< address of the labels
  Shape3 chunk_shape;
  Shape3 block_shape;
  Shape3 halo;  ///< of the smoothing
  Box domain;

  /// `chunk_voxels`: one or three numbers. Errors: kInvalidArgument.
  PredictionSet(const blockwise::StageDescription& description, const std::vector<std::int64_t>& chunk_voxels,
                double sigma_nm);

  BlockGrid blocks() const { return BlockGrid(domain, block_shape); }
  /// Of labels on the prediction's grid.
  storage::DatasetSpec spec_of(DataType type) const;
  /// Of the map from uint32 scratch to the labels.
  blockwise::StepPlan relabel_plan(DataType type) const;
};

}  // namespace organon::stages
