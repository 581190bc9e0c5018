#include "organon/stages/refinement/fill_holes.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/voxel/fill_holes.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::ComponentPiece;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

struct Set {
  RefineOptions options;
  std::shared_ptr<storage::Dataset> labels;
  std::string output;
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<RefineOptions>(description.options_json);
    labels = storage::open_dataset(description.inputs.at(0));
    output = description.outputs.at(0);
    const storage::DatasetSpec& spec = labels->spec();
    if (is_floating(spec.data_type)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected labels, found {}", labels->address(), to_string(spec.data_type)));
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  StepPlan plan_over_blocks() const { return StepPlan::over(domain, block_shape); }
  StepPlan fill_plan() const {
    StepPlan plan = plan_over_blocks();
    plan.outputs = {{output, labels->spec(), {{"role", "labels"}}}};
    plan.bytes_per_worker = 20 * block_shape.product();
    plan.bytes_read = 12 * plan.domain.volume();
    plan.bytes_written = static_cast<std::int64_t>(size_of(labels->spec().data_type)) * plan.domain.volume();
    plan.voxels_per_second = 100e6;
    return plan;
  }
};

// Labels the background of each block and notes which objects each component borders.
class LabelBackground : public Step {
 public:
  LabelBackground(const Set& set, std::string scratch) : set_(set), scratch_(std::move(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_over_blocks();
    plan.reads(set_.labels->address(), Shape3::cube(1));
    plan.reuse = blockwise::Reuse::kSameRows;  // first voxels are raster indices of the volume
    plan.outputs = {{scratch_, blockwise::block_labels_spec(set_.labels->spec())}};
    const std::int64_t read_voxels = Box::of_shape(set_.block_shape).grow(1).volume();
    const auto label_bytes = static_cast<std::int64_t>(size_of(set_.labels->spec().data_type));
    plan.bytes_per_worker = label_bytes * read_voxels + 16 * set_.block_shape.product();
    plan.bytes_read = plan.blocks().count() * read_voxels * label_bytes;
    plan.bytes_written = 4 * plan.domain.volume();
    plan.voxels_per_second = 30e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box box = block.write_box;
    const Box view_box = box.grow(1).intersect(set_.domain);
    const Index3 to_view = Index3{} - view_box.begin;
    const AnyArray labels = set_.labels->read(view_box);
    Array<std::uint32_t> components = Array<std::uint32_t>::uninitialized(box.shape());
    voxel::Background found;
    with_ids(labels, [&]<class Id>(ArrayView<const Id> ids) {
      found = voxel::label_background(ids, box.translate(to_view), set_.domain.translate(to_view),
                                      components.view());
    });
    if (found.components.count() == 0) return;
    std::vector<ComponentPiece> pieces =
        blockwise::pieces_of(found.components, box, set_.labels->spec().shape);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const voxel::Surroundings& around = found.surroundings[i];
      pieces[i].met_id = around.met_id;
      if (around.touches_edge) pieces[i].state |= ComponentPiece::kTouchesEdge;
      if (around.meets_several) pieces[i].state |= ComponentPiece::kMeetsSeveral;
    }
    output.write<std::uint32_t>(0, box, components.view());
    output.emit(block.id, blockwise::bytes_of(pieces));
  }

 private:
  const Set& set_;
  std::string scratch_;
};

class ChooseHoles : public Step {
 public:
  ChooseHoles(const std::filesystem::path& pieces, const std::filesystem::path& joins)
      : pieces_(pieces), joins_(joins) {}

  StepPlan plan() const override { return blockwise::resolving_plan(pieces_, joins_); }

  void process(const Block&, BlockOutput& output) const override {
    const auto resolved = blockwise::resolve_components(pieces_, joins_);
    blockwise::emit_lookup_tables(
        resolved,
        [&](std::size_t component) {
          return resolved.components[component].state == 0 ? resolved.components[component].met_id : 0;
        },
        output);
  }

 private:
  blockwise::PartialReader pieces_;
  blockwise::PartialReader joins_;
};

class FillHoles : public Step {
 public:
  FillHoles(const Set& set, const std::string& scratch, const std::filesystem::path& choice)
      : set_(set), choice_(choice), tables_(choice), components_(storage::open_dataset(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.fill_plan();
    plan.reads(set_.labels->address());
    plan.reads(components_->address());
    plan.partials.push_back({choice_, [](const Block& block) { return std::vector{block.id}; }});
    plan.reuse = blockwise::Reuse::kAnywhere;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    AnyArray labels = set_.labels->read(block.write_box);
    const auto bytes = set_.options.fill_holes ? tables_.read(block.id) : std::nullopt;
    if (bytes) {
      const auto table = blockwise::values_of<std::uint64_t>(*bytes);
      const Array<std::uint32_t> components = components_->read_as<std::uint32_t>(block.write_box);
      dispatch(labels.type(), [&](auto zero) {
        using T = decltype(zero);
        T* voxel = labels.view<T>().data();
        for (std::int64_t i = 0; i < components.size(); ++i) {
          const std::uint32_t component = components.data()[i];
          if (component != 0 && table[component - 1] != 0) voxel[i] = static_cast<T>(table[component - 1]);
        }
      });
    }
    output.write(0, block.write_box, labels);
  }

 private:
  const Set& set_;
  std::filesystem::path choice_;
  blockwise::PartialReader tables_;
  std::shared_ptr<storage::Dataset> components_;
};

class RefineStage : public blockwise::Stage {
 public:
  explicit RefineStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override {
    return {"label background", "join faces", "choose holes", "fill holes"};
  }

  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    const std::string scratch = run.scratch("background");
    if (index == 0) return std::make_unique<LabelBackground>(set_, scratch);
    if (index == 1)
      return std::make_unique<blockwise::JoinFaces>(scratch, set_.domain, set_.block_shape,
                                                    Connectivity::kFace);
    if (index == 2) return std::make_unique<ChooseHoles>(run.step(0), run.step(1));
    return std::make_unique<FillHoles>(set_, scratch, run.step(2));
  }

  std::vector<StepPlan> plans() const override {
    const Shape3& chunk_shape = set_.labels->spec().chunk_shape;
    return {LabelBackground(set_, "").plan(),
            blockwise::JoinFaces::plan_over(set_.domain, set_.block_shape, chunk_shape), StepPlan::solve(),
            set_.fill_plan()};
  }

 private:
  Set set_;
};

}  // namespace

void RefineOptions::bind(OptionTable& table) {
  table.add("fill_holes", fill_holes,
            {"give enclosed background the id of the one object around it", "", -1e300, 1e300, {}});
}

std::unique_ptr<blockwise::Stage> make_refine_stage(const StageDescription& description) {
  return std::make_unique<RefineStage>(description);
}

}  // namespace organon::stages
