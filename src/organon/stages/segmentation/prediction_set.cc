#include "organon/stages/segmentation/prediction_set.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/voxel/smooth.h"

namespace organon::stages {

PredictionSet::PredictionSet(const blockwise::StageDescription& description,
                             const std::vector<std::int64_t>& chunk_voxels, double sigma_nm)
    : prediction(storage::open_dataset(description.inputs.at(0))), output(description.outputs.at(0)) {
  const storage::DatasetSpec& spec = prediction->spec();
  if (spec.data_type != DataType::kUint8) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: expected a uint8 prediction, found {}",
                                                         prediction->address(), to_string(spec.data_type)));
  }
  chunk_shape = blockwise::shape_from(chunk_voxels, "chunk_shape");
  block_shape =
      blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, chunk_shape);
  halo = voxel::smoothing_halo(sigma_nm, spec.grid.voxel_size_nm);
  domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, chunk_shape);
}

storage::DatasetSpec PredictionSet::spec_of(DataType type) const {
  storage::DatasetSpec spec = prediction->spec();
  spec.shard_shape = {};
  spec.data_type = type;
  spec.chunk_shape = chunk_shape;
  spec.codec = storage::Codec::kGzip;
  spec.level = -1;
  spec.fill_value = 0;
  return spec;
}

blockwise::StepPlan PredictionSet::relabel_plan(DataType type) const {
  blockwise::StepPlan plan = blockwise::StepPlan::over(domain, block_shape);
  plan.outputs = {{output, spec_of(type), {{"role", "labels"}}}};
  plan.bytes_per_worker = 16 * block_shape.product();
  plan.bytes_read = 4 * domain.volume();
  plan.bytes_written = static_cast<std::int64_t>(size_of(type)) * domain.volume();
  plan.voxels_per_second = 100e6;
  return plan;
}

}  // namespace organon::stages
