#include "organon/stages/refinement/fill_holes.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/voxel/label_components.h"

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

bool touches_edge(const Index3& index, const Box& domain) {
  return !domain.contains(Box{index - Index3{1, 1, 1}, index + Index3{2, 2, 2}});
}

// Labels the background of each block and notes which objects each component borders.
class LabelBackground : public Step {
 public:
  LabelBackground(const Set& set, std::string scratch) : set_(set), scratch_(std::move(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_over_blocks();
    plan.reads(set_.labels->address(), Shape3::cube(1));
    plan.outputs = {{scratch_, blockwise::block_labels_spec(set_.labels->spec())}};
    const std::int64_t read_voxels = Box::of_shape(set_.block_shape).grow(1).volume();
    plan.bytes_per_worker = 16 * read_voxels + 16 * set_.block_shape.product();
    plan.bytes_read = plan.blocks().count() * read_voxels *
                      static_cast<std::int64_t>(size_of(set_.labels->spec().data_type));
    plan.bytes_written = 4 * plan.domain.volume();
    plan.voxels_per_second = 30e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box domain = set_.domain;
    const Box box = block.write_box;
    const Box view_box = box.grow(1).intersect(domain);
    const Array<std::uint64_t> labels = read_labels(view_box);
    const Shape3 shape = box.shape();
    Array<std::uint8_t> background = Array<std::uint8_t>::uninitialized(shape);
    const auto own_labels = labels.view().part(box.translate(Index3{} - view_box.begin));
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const std::uint64_t* from = own_labels.row(z, y);
        std::uint8_t* to = background.view().row(z, y);
        for (std::int64_t x = 0; x < shape.x; ++x) to[x] = from[x] == 0;
      }
    }
    Array<std::uint32_t> components = Array<std::uint32_t>::uninitialized(shape);
    const voxel::Components found = voxel::label_components(background, Connectivity::kFace, components);
    if (found.count() == 0) return;
    std::vector<ComponentPiece> pieces = blockwise::pieces_of(found, box, set_.labels->spec().shape);
    note_neighbours(labels, view_box, components, box, pieces);
    output.write<std::uint32_t>(0, box, components.view());
    output.emit(block.id, blockwise::bytes_of(pieces));
  }

 private:
  Array<std::uint64_t> read_labels(const Box& box) const {
    const AnyArray stored = set_.labels->read(box);
    Array<std::uint64_t> labels = Array<std::uint64_t>::uninitialized(box.shape());
    with_ids(stored, [&](auto ids) { std::copy_n(ids.data(), labels.size(), labels.data()); });
    return labels;
  }

  void note_neighbours(const Array<std::uint64_t>& labels, const Box& view_box,
                       const Array<std::uint32_t>& components, const Box& box,
                       std::vector<ComponentPiece>& pieces) const {
    const Shape3 view_shape = view_box.shape();
    // Rows without objects have no bordering ids: most of a volume is passed over by this.
    std::vector<bool> has_object(static_cast<std::size_t>(view_shape.z * view_shape.y));
    for (std::int64_t z = 0; z < view_shape.z; ++z) {
      for (std::int64_t y = 0; y < view_shape.y; ++y) {
        const std::uint64_t* row = labels.view().row(z, y);
        has_object[static_cast<std::size_t>(z * view_shape.y + y)] =
            std::any_of(row, row + view_shape.x, [](std::uint64_t id) { return id != 0; });
      }
    }
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
        const Box around =
            Box{{z - 1, y - 1, box.begin.x - 1}, {z + 2, y + 2, box.end.x + 1}}.intersect(view_box);
        const std::uint32_t* row = components.view().row(z - box.begin.z, y - box.begin.y);
        const bool row_touches_edge = z == set_.domain.begin.z || z + 1 == set_.domain.end.z ||
                                      y == set_.domain.begin.y || y + 1 == set_.domain.end.y;
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
          const std::uint32_t component = row[x - box.begin.x];
          if (component == 0) continue;
          if (row_touches_edge || touches_edge({z, y, x}, set_.domain)) {
            pieces[component - 1].state |= ComponentPiece::kTouchesEdge;
          }
        }
        for (std::int64_t nz = around.begin.z; nz < around.end.z; ++nz) {
          for (std::int64_t ny = around.begin.y; ny < around.end.y; ++ny) {
            if (!has_object[static_cast<std::size_t>((nz - view_box.begin.z) * view_shape.y + ny -
                                                     view_box.begin.y)])
              continue;
            const std::uint64_t* near = labels.view().row(nz - view_box.begin.z, ny - view_box.begin.y);
            for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
              const std::uint32_t component = row[x - box.begin.x];
              if (component == 0) continue;
              const std::int64_t from = std::max(x - 1, view_box.begin.x) - view_box.begin.x;
              const std::int64_t to = std::min(x + 2, view_box.end.x) - view_box.begin.x;
              for (std::int64_t i = from; i < to; ++i) pieces[component - 1].meet(near[i]);
            }
          }
        }
      }
    }
  }

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
      : set_(set), tables_(choice), components_(storage::open_dataset(scratch)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.fill_plan();
    plan.reads(set_.labels->address());
    plan.reads(components_->address());
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
