#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// How far the voxel size of a level of raw may be off the network's, as a share.
inline constexpr double kVoxelSizeTolerance = 0.1;

/// Raw and a network -> predictions per class.
struct PredictOptions {
  std::int64_t tile = 128;  ///< 0: the largest that fits `tile_memory_gib`
  double tile_memory_gib = 0;
  std::int64_t halo = 32;
  std::int64_t flips = 2;
  std::string precision = "auto";  ///< "auto", "float32" or "bfloat16"
  bool allow_voxel_size = false;
  std::vector<double> contrast_limits;
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// Inputs: RAW (dataset or pyramid), NETWORK, and optionally a MASK. NETWORK is the folder of a training, one
/// of its files, a module of another program (nn/script_info.h), or another folder of networks (such as a
/// training's `checkpoints`), whose predictions are averaged. Output: a group with one uint8 dataset per
/// class, clip(round(128 y + 127), 0, 255), on the grid of the raw level that was taken: the one whose voxel
/// size is nearest to the network's; of networks with finer outputs on that grid refined (`output_scale`).
/// Attributes `prediction` say which level, tile and halo that was; beside them stand those of the paper's
/// predictions (iteration, raw_ds, raw_scale, raw_shift, ...), but for ids of labels: networks know names.
///
/// The volume is cut into tiles on one grid that depends on its shape and the options alone. A voxel's value
/// comes from its tile, and a tile is a pure function of its place, so blocks and workers change nothing: on
/// one processor results are equal bit for bit. A tolerance stage: on devices of different kinds the last
/// bits differ, so that a run keeps to one kind (`blockwise/stage.h`).
///
/// Halo: "valid" networks read exactly what their outputs depend on, so that tiles have no seams. For padded
/// networks the option `halo`; beyond half of the receptive field (nn::receptive_radius) seams vanish, in
/// practice far sooner. Border: reflect.
/// Voxels outside the mask are 0; tiles without any voxel of the mask are not computed, and of blocks without
/// any raw is not even read. The mask may have another voxel size (`organon mask` makes coarse ones): the
/// mask's voxel that holds the centre of the prediction's decides. Outside the mask's own volume nothing is
/// predicted.
///
/// Errors: kInvalidArgument where no level of raw is within 10 % of the network's voxel size and
/// `allow_voxel_size` is not given, where contrast limits are missing, or where the mask is of floating-point
/// numbers or does not meet raw; kNotFound; kCorruptData.
std::unique_ptr<blockwise::Stage> make_predict_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
