#include "organon/stages/ground_truth/make_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/tables/id_list.h"
#include "organon/voxel/training_targets.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

struct Set {
  TargetsOptions options;
  std::shared_ptr<storage::Dataset> labels;
  std::string group;
  std::vector<std::vector<std::uint64_t>> ids;
  voxel::TargetOptions target;
  storage::DatasetSpec spec;  ///< of each output
  Shape3 block_shape;
  Box domain;         ///< of the targets
  Box labels_domain;  ///< what of the labels may be looked at

  explicit Set(const StageDescription& description) {
    options = options_from_json<TargetsOptions>(description.options_json);
    labels = storage::open_dataset(description.inputs.at(0));
    group = description.outputs.at(0);
    if (options.classes.empty() || options.classes.size() != options.ids.size()) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("targets: {} classes need as many ids, found {}",
                                                           options.classes.size(), options.ids.size()));
    }
    for (const std::string& text : options.ids) {
      // Empty: any id but 0.
      ids.push_back(text == "any" ? std::vector<std::uint64_t>{} : tables::parse_id_list(text));
      if (text.empty()) throw Error(ErrorKind::kInvalidArgument, "targets: a class has no ids");
    }
    const VoxelGrid& grid = labels->spec().grid;
    const double ratio = options.voxel_size_nm / grid.voxel_size_nm.x;
    target.scale_nm = options.scale_nm;
    target.limit_nm = options.limit_nm;
    target.factor = std::llround(ratio);
    const SizeNm& size = grid.voxel_size_nm;
    if (target.factor < 1 || std::abs(ratio - static_cast<double>(target.factor)) > 0.05 * ratio ||
        size.largest() > 1.1 * size.smallest()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("targets: labels of {} nm do not reduce to voxels of {} nm by a whole factor",
                              to_string(size), options.voxel_size_nm));
    }
    const Shape3 shape = labels->spec().shape;
    const std::int64_t f = target.factor;
    spec.shape = {shape.z / f, shape.y / f, shape.x / f};
    spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
    spec.data_type = DataType::kUint8;
    spec.grid = grid.downsampled(Shape3::cube(f));
    block_shape = blockwise::block_shape_or(description.block_shape, Shape3{64, 128, 128}, spec.shape,
                                            spec.chunk_shape);
    labels_domain = blockwise::domain_in(description.box_nm, grid, shape, Shape3::cube(f));
    const Box reduced{{labels_domain.begin.z / f, labels_domain.begin.y / f, labels_domain.begin.x / f},
                      {labels_domain.end.z / f, labels_domain.end.y / f, labels_domain.end.x / f}};
    domain = reduced.intersect(Box::of_shape(spec.shape));
  }
};

class MakeTargets : public Step {
 public:
  explicit MakeTargets(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan;
    // Whole chunks are written; voxels outside the box stay 0, "no say".
    const Shape3 chunk = set_.spec.chunk_shape;
    const BlockGrid chunks(Box::of_shape(set_.spec.shape), chunk);
    const Box positions = chunks.positions_touching(set_.domain);
    plan.domain =
        Box{chunks.box_of(positions.begin).begin, chunks.box_of(positions.end - Index3{1, 1, 1}).end};
    plan.block_shape = set_.block_shape;
    for (const std::string& name : set_.options.classes)
      plan.outputs.push_back({target_address(set_.group, name), set_.spec});
    const Shape3 halo = voxel::target_halo(set_.labels->spec().grid.voxel_size_nm, set_.target);
    plan.inputs.push_back({set_.labels->address(), [halo, f = set_.target.factor](const Box& write_box) {
                             return Box{write_box.begin * f, write_box.end * f}.grow(halo, halo);
                           }});
    const Shape3 read_shape = Shape3(Index3(set_.block_shape) * set_.target.factor) + halo * 2;
    plan.bytes_per_worker = 40 * read_shape.product();
    plan.bytes_read = plan.blocks().count() * read_shape.product();
    plan.bytes_written = static_cast<std::int64_t>(plan.outputs.size()) * plan.domain.volume();
    plan.voxels_per_second = 0.3e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const std::int64_t f = set_.target.factor;
    const Box wanted = block.write_box.intersect(set_.domain);
    const Box inner{wanted.begin * f, wanted.end * f};
    const Shape3 halo = voxel::target_halo(set_.labels->spec().grid.voxel_size_nm, set_.target);
    const Box view_box = inner.grow(halo, halo).intersect(set_.labels_domain);
    const Array<std::uint64_t> labels = set_.labels->read_as<std::uint64_t>(view_box);
    Array<std::uint8_t> annotated(labels.shape(), 1);
    if (set_.options.unlabelled_id >= 0) {
      const auto unlabelled = static_cast<std::uint64_t>(set_.options.unlabelled_id);
      for (std::int64_t i = 0; i < labels.size(); ++i) annotated.data()[i] = labels.data()[i] != unlabelled;
    }
    Array<float> target = Array<float>::uninitialized(wanted.shape());
    Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(wanted.shape());
    for (std::size_t c = 0; c < set_.ids.size(); ++c) {
      voxel::make_target(labels, annotated, inner.translate(Index3{} - view_box.begin), set_.ids[c],
                         set_.labels->spec().grid.voxel_size_nm, set_.target, target, mask);
      Array<std::uint8_t> stored(block.write_box.shape());
      const auto part = stored.view().part(wanted.translate(Index3{} - block.write_box.begin));
      for (std::int64_t z = 0; z < wanted.shape().z; ++z) {
        for (std::int64_t y = 0; y < wanted.shape().y; ++y) {
          for (std::int64_t x = 0; x < wanted.shape().x; ++x) {
            const std::uint8_t value = std::max<std::uint8_t>(1, voxel::quantize_prediction(target(z, y, x)));
            part(z, y, x) = mask(z, y, x) != 0 ? value : 0;
          }
        }
      }
      output.write<std::uint8_t>(c, block.write_box, stored.view());
    }
  }

 private:
  const Set& set_;
};

class TargetsStage : public blockwise::Stage {
 public:
  explicit TargetsStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override { return {"make targets"}; }
  // 2: squared distances of voxels whose squared size is no whole number are rounded otherwise.
  int algorithm_version() const override { return 2; }
  std::unique_ptr<Step> make_step(std::size_t, const blockwise::RunFolder&) const override {
    return std::make_unique<MakeTargets>(set_);
  }
  std::vector<StepPlan> plans() const override { return {MakeTargets(set_).plan()}; }

 private:
  Set set_;
};

}  // namespace

std::string target_address(const std::string& group, const std::string& class_name) {
  return group + "/" + class_name;
}

void TargetsOptions::bind(OptionTable& table) {
  table.add("classes", classes, {"names of the classes to learn", "", -1e300, 1e300, {}})
      .add("ids", ids,
           {"per class the label ids that it merges, as 3+4+5; any: all but 0", "", -1e300, 1e300, {}})
      .add("voxel_size_nm", voxel_size_nm,
           {"voxel size of the targets: the labels' or a whole multiple", "nm", 0.1, 1000, {}})
      .add("scale_nm", scale_nm, {"target = tanh(distance / scale)", "nm", 1, 1e4, {}})
      .add("limit_nm", limit_nm, {"distances are clipped here", "nm", 1, 1e4, {}})
      .add("unlabelled_id", unlabelled_id, {"label id that means: not annotated; -1: none", "", -1, 1e15, {}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_targets_stage(const StageDescription& description) {
  return std::make_unique<TargetsStage>(description);
}

}  // namespace organon::stages
