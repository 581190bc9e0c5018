#include "organon/stages/segmentation/segment_objects.h"

#include <cmath>

#include "organon/base/error.h"
#include "organon/blockwise/object_numbers.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/segmentation/prediction_set.h"
#include "organon/voxel/label_components.h"
#include "organon/voxel/smooth.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

struct Set : PredictionSet {
  SegmentOptions options;
  Connectivity connectivity = Connectivity::kFaceEdgeVertex;

  explicit Set(const StageDescription& description)
      : Set(description, options_from_json<SegmentOptions>(description.options_json)) {}

  bool is_kept(std::int64_t num_voxels) const {
    return static_cast<double>(num_voxels) * prediction->spec().grid.voxel_volume_nm3() >=
           options.min_volume_nm3;
  }

 private:
  Set(const StageDescription& description, const SegmentOptions& chosen)
      : PredictionSet(description, chosen.chunk_shape, chosen.sigma_nm),
        options(chosen),
        connectivity(connectivity_from_string(chosen.connectivity)) {}
};

class LabelBlocks : public Step {
 public:
  LabelBlocks(const Set& set, std::string scratch) : set_(set), scratch_(std::move(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    // At least one voxel: a component is open where there is a block beyond.
    plan.reads(set_.prediction->address(), max(set_.halo, Shape3::cube(1)));
    plan.reuse = blockwise::Reuse::kAnywhere;
    plan.outputs = {{scratch_, blockwise::block_labels_spec(set_.spec_of(DataType::kUint32))}};
    const std::int64_t read_voxels = Box::of_shape(set_.block_shape).grow(set_.halo, set_.halo).volume();
    plan.bytes_per_worker = 3 * read_voxels + 16 * set_.block_shape.product();
    plan.bytes_read = plan.blocks().count() * read_voxels;
    plan.bytes_written = 4 * plan.domain.volume();
    plan.voxels_per_second = 60e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const storage::DatasetSpec& spec = set_.prediction->spec();
    const Box read_box = block.write_box.grow(set_.halo, set_.halo);
    const Array<std::uint8_t> input =
        blockwise::read_with_border<std::uint8_t>(*set_.prediction, read_box, Border::kReflect);
    Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(block.write_box.shape());
    voxel::smooth_and_threshold(input,
                                voxel::gaussian_kernels(set_.options.sigma_nm, spec.grid.voxel_size_nm),
                                set_.options.threshold, mask);
    Array<std::uint32_t> labels = Array<std::uint32_t>::uninitialized(mask.shape());
    const voxel::Components components = voxel::label_components(mask, set_.connectivity, labels);
    blockwise::leave_components(
        block, set_.domain, components, labels.view(),
        [&](const voxel::Component& component) { return set_.is_kept(component.voxels); }, output);
  }

 private:
  const Set& set_;
  std::string scratch_;
};

class NumberObjects : public Step {
 public:
  NumberObjects(const Set& set, const std::filesystem::path& pieces, const std::filesystem::path& joins)
      : set_(set), pieces_(pieces), joins_(joins) {}

  StepPlan plan() const override { return blockwise::numbering_plan(set_.blocks(), pieces_, joins_); }

  void process(const Block&, BlockOutput& output) const override {
    blockwise::number_objects(
        set_.blocks(), pieces_, joins_,
        [&](const blockwise::ComponentPiece& component) {
          return set_.is_kept(static_cast<std::int64_t>(component.num_voxels));
        },
        output);
  }

 private:
  const Set& set_;
  blockwise::PartialReader pieces_;
  blockwise::PartialReader joins_;
};

class SegmentStage : public blockwise::Stage {
 public:
  explicit SegmentStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    return {"label blocks", "join faces", "number objects", "relabel"};
  }

  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    const std::string scratch = run.scratch("components");
    if (index == 0) return std::make_unique<LabelBlocks>(set_, scratch);
    if (index == 1)
      return std::make_unique<blockwise::JoinFaces>(scratch, set_.domain, set_.block_shape,
                                                    set_.connectivity);
    if (index == 2) return std::make_unique<NumberObjects>(set_, run.step(0), run.step(1));
    return std::make_unique<blockwise::LookUpNumbers>([&](DataType type) { return set_.relabel_plan(type); },
                                                      scratch, run.step(0), run.step(2));
  }

  std::vector<StepPlan> plans() const override {
    // The type of the ids is known after the solve.
    return {LabelBlocks(set_, "").plan(),
            blockwise::JoinFaces::plan_over(set_.domain, set_.block_shape, set_.chunk_shape),
            StepPlan::solve(), set_.relabel_plan(DataType::kUint32)};
  }

 private:
  Set set_;
};

}  // namespace

void SegmentOptions::bind(OptionTable& table) {
  table
      .add("sigma_nm", sigma_nm,
           {"width (sigma) of the Gaussian that smooths the prediction first; 0: none", "nm", 0, 1e4, {}})
      .add(
          "threshold", threshold,
          {"a voxel is foreground where the smoothed prediction is at least this", "grey levels", 0, 255, {}})
      .add("min_volume_nm3", min_volume_nm3, {"smaller objects are dropped; 0: none", "nm^3", 0, 1e18, {}})
      .add("connectivity", connectivity,
           {"which neighbours belong together", "", -1e300, 1e300, {"face", "face-edge", "face-edge-vertex"}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

Connectivity connectivity_from_string(const std::string& name) {
  if (name == "face") return Connectivity::kFace;
  if (name == "face-edge") return Connectivity::kFaceEdge;
  return Connectivity::kFaceEdgeVertex;
}

std::unique_ptr<blockwise::Stage> make_segment_stage(const StageDescription& description) {
  return std::make_unique<SegmentStage>(description);
}

}  // namespace organon::stages
