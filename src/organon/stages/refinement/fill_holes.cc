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

// A component of a block's background that becomes part of an object.
struct Filling {
  std::uint32_t component = 0;
  std::uint32_t unused = 0;  // so that all bytes are known
  std::uint64_t id = 0;
};
std::int64_t closed_key(std::int64_t block) { return blockwise::further_key(block, 0); }

// The id of the one object around a whole component; 0: it is no hole.
std::uint64_t filling_of(const ComponentPiece& component) {
  return component.state == 0 ? component.met_id : 0;
}

// Labels the background of each block and notes which objects each component borders.
class LabelBackground : public Step {
 public:
  LabelBackground(const Set& set, std::string scratch) : set_(set), scratch_(std::move(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_over_blocks();
    plan.reads(set_.labels->address(), Shape3::cube(1));
    plan.reuse = blockwise::Reuse::kAnywhere;
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
    const std::vector<bool> is_open =
        blockwise::find_open(components.view(), found.components.count(), box, set_.domain);
    std::vector<ComponentPiece> open;
    std::vector<Filling> closed;
    for (std::size_t i = 0; i < is_open.size(); ++i) {
      ComponentPiece piece = blockwise::piece_of(found.components, i, box);
      const voxel::Surroundings& around = found.surroundings[i];
      piece.met_id = around.met_id;
      if (around.touches_edge) piece.state |= ComponentPiece::kTouchesEdge;
      if (around.meets_several) piece.state |= ComponentPiece::kMeetsSeveral;
      if (is_open[i]) {
        open.push_back(piece);
      } else if (filling_of(piece) != 0) {
        closed.push_back({piece.label, 0, filling_of(piece)});
      }
    }
    if (!open.empty()) output.emit(block.id, blockwise::bytes_of(open));
    if (!closed.empty()) output.emit(closed_key(block.id), blockwise::bytes_of(closed));
    if (!open.empty() || !closed.empty()) output.write<std::uint32_t>(0, box, components.view());
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
    for (const std::int64_t block : resolved.blocks) {
      const auto [begin, end] = resolved.pieces_of(block);
      std::vector<Filling> fillings;
      for (std::uint64_t piece = begin; piece < end; ++piece) {
        const std::uint64_t id = filling_of(resolved.components[resolved.component_of[piece]]);
        if (id != 0) fillings.push_back({resolved.labels[piece], 0, id});
      }
      if (!fillings.empty()) output.emit(block, blockwise::bytes_of(fillings));
    }
  }

 private:
  blockwise::PartialReader pieces_;
  blockwise::PartialReader joins_;
};

class FillHoles : public Step {
 public:
  FillHoles(const Set& set, const std::string& scratch, const std::filesystem::path& pieces,
            const std::filesystem::path& choice)
      : set_(set),
        pieces_folder_(pieces),
        choice_folder_(choice),
        pieces_(pieces),
        choice_(choice),
        components_(storage::open_dataset(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.fill_plan();
    plan.reads(set_.labels->address());
    plan.reads(components_->address());
    plan.partials.push_back(
        {pieces_folder_, [](const Block& block) { return std::vector{closed_key(block.id)}; }});
    plan.partials.push_back({choice_folder_, [](const Block& block) { return std::vector{block.id}; }});
    plan.reuse = blockwise::Reuse::kAnywhere;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    AnyArray labels = set_.labels->read(block.write_box);
    if (const std::vector<std::uint64_t> filling = filling_by_component(block.id); !filling.empty()) {
      const Array<std::uint32_t> components = components_->read_as<std::uint32_t>(block.write_box);
      dispatch(labels.type(), [&](auto zero) {
        using T = decltype(zero);
        T* voxel = labels.view<T>().data();
        for (std::int64_t i = 0; i < components.size(); ++i) {
          const std::uint32_t component = components.data()[i];
          if (component < filling.size() && filling[component] != 0)
            voxel[i] = static_cast<T>(filling[component]);
        }
      });
    }
    output.write(0, block.write_box, labels);
  }

 private:
  // Nothing where nothing is filled.
  std::vector<std::uint64_t> filling_by_component(std::int64_t block) const {
    std::vector<std::uint64_t> filling;
    if (!set_.options.fill_holes) return filling;
    for (const auto& bytes : {pieces_.read(closed_key(block)), choice_.read(block)}) {
      if (!bytes) continue;
      for (const Filling& one : blockwise::values_of<Filling>(*bytes)) {
        if (one.component >= filling.size()) filling.resize(std::size_t{one.component} + 1, 0);
        filling[one.component] = one.id;
      }
    }
    return filling;
  }

  const Set& set_;
  std::filesystem::path pieces_folder_;
  std::filesystem::path choice_folder_;
  blockwise::PartialReader pieces_;
  blockwise::PartialReader choice_;
  std::shared_ptr<storage::Dataset> components_;
};

class RefineStage : public blockwise::Stage {
 public:
  explicit RefineStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
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
    return std::make_unique<FillHoles>(set_, scratch, run.step(0), run.step(2));
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
