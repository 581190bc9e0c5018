#include "organon/stages/analysis/measure_objects.h"

#include <fmt/format.h>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/storage/multiscale.h"
#include "organon/tables/object_table.h"
#include "organon/tables/sqlite_file.h"
#include "organon/tables/table_text.h"
#include "organon/voxel/measure_objects.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

struct Set {
  std::shared_ptr<storage::Dataset> labels;
  std::filesystem::path csv;
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    labels = storage::open_multiscale(description.inputs.at(0)).levels.front();
    csv = description.outputs.at(0);
    const storage::DatasetSpec& spec = labels->spec();
    if (is_floating(spec.data_type)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected labels, found {}", labels->address(), to_string(spec.data_type)));
    }
    if (csv.extension() != ".csv") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: the table's name must end in .csv", csv.string()));
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }
};

class SumBlocks : public Step {
 public:
  explicit SumBlocks(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    plan.reads(set_.labels->address(), Shape3::cube(1));
    plan.reuse = blockwise::Reuse::kAnywhere;
    const std::int64_t read_bytes = Box::of_shape(set_.block_shape).grow(1).volume() *
                                    static_cast<std::int64_t>(size_of(set_.labels->spec().data_type));
    plan.bytes_per_worker = 3 * read_bytes + (std::int64_t{64} << 20);
    plan.bytes_read = plan.blocks().count() * read_bytes;
    plan.voxels_per_second = 150e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow(1).intersect(set_.domain);
    const AnyArray labels = set_.labels->read(view_box);
    std::vector<voxel::ObjectSums> sums;
    with_ids(labels, [&](auto ids) {
      using Id = std::remove_const_t<std::remove_reference_t<decltype(*ids.data())>>;
      sums = voxel::measure_block<Id>(ids, view_box, block.write_box, set_.domain);
    });
    if (!sums.empty()) output.emit(block.id, blockwise::bytes_of(sums));
  }

 private:
  const Set& set_;
};

bool meets_face(const Box& object, const Box& domain) {
  return object.begin.z == domain.begin.z || object.begin.y == domain.begin.y ||
         object.begin.x == domain.begin.x || object.end.z == domain.end.z || object.end.y == domain.end.y ||
         object.end.x == domain.end.x;
}

ObjectTable table_of(const std::vector<voxel::ObjectSums>& sums, const VoxelGrid& grid, const Box& domain) {
  std::vector<ObjectId> ids;
  std::vector<std::uint64_t> touches_edge;
  std::vector<std::int64_t> voxels;
  std::vector<double> volume, surface, faces, cz, cy, cx, bz, by, bx, ez, ey, ex;
  const voxel::SurfaceWeights weights = voxel::surface_weights(grid.voxel_size_nm);
  for (const voxel::ObjectSums& sum : sums) {
    if (sum.voxels == 0) continue;
    const voxel::ObjectMeasures measures = voxel::finish_measures(sum, grid, weights);
    ids.push_back(measures.id);
    voxels.push_back(measures.voxels);
    touches_edge.push_back(meets_face(sum.box, domain) ? 1 : 0);
    volume.push_back(measures.volume_nm3);
    surface.push_back(measures.surface_nm2);
    faces.push_back(measures.surface_faces_nm2);
    cz.push_back(measures.centroid_nm.z), cy.push_back(measures.centroid_nm.y),
        cx.push_back(measures.centroid_nm.x);
    bz.push_back(measures.begin_nm.z), by.push_back(measures.begin_nm.y), bx.push_back(measures.begin_nm.x);
    ez.push_back(measures.end_nm.z), ey.push_back(measures.end_nm.y), ex.push_back(measures.end_nm.x);
  }
  ObjectTable table(ids);
  table.add_column("voxels", voxels).add_column("volume_nm3", volume).add_column("surface_nm2", surface);
  table.add_column("surface_faces_nm2", faces);
  table.add_column("centroid_z_nm", cz).add_column("centroid_y_nm", cy).add_column("centroid_x_nm", cx);
  table.add_column("box_begin_z_nm", bz).add_column("box_begin_y_nm", by).add_column("box_begin_x_nm", bx);
  table.add_column("box_end_z_nm", ez).add_column("box_end_y_nm", ey).add_column("box_end_x_nm", ex);
  table.add_column("touches_edge", touches_edge);
  return table;
}

class WriteTable : public Step {
 public:
  WriteTable(const Set& set, std::filesystem::path sums) : set_(set), sums_(std::move(sums)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    // The sums while they are merged, then the columns of the table and its texts.
    plan.bytes_per_worker = 6 * blockwise::PartialReader(sums_).num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const blockwise::PartialReader reader(sums_);
    // Merged pairwise, so that a row is copied log(blocks) times.
    std::vector<std::vector<voxel::ObjectSums>> parts;
    for (const std::int64_t key : reader.keys()) {
      parts.push_back(blockwise::values_of<voxel::ObjectSums>(reader.read(key).value()));
      for (std::size_t n = parts.size(); n > 1 && parts[n - 2].size() <= parts[n - 1].size(); --n) {
        parts[n - 2] = voxel::merge_sums(parts[n - 2], parts[n - 1]);
        parts.pop_back();
      }
      throw_if_cancelled();
    }
    std::vector<voxel::ObjectSums> sums;
    for (const auto& part : parts) sums = voxel::merge_sums(sums, part);
    const ObjectTable table = table_of(sums, set_.labels->spec().grid, set_.domain);
    std::filesystem::create_directories(std::filesystem::absolute(set_.csv).parent_path());
    std::filesystem::path path = set_.csv;
    tables::write_json(path.replace_extension(".json"), table);
    // Written anew, not changed: the same bytes whatever was there.
    std::filesystem::remove(path.replace_extension(".sqlite"));
    tables::write_sqlite(path, {{set_.csv.stem().string(), table}});
    tables::write_csv(set_.csv, table);
    for (const char* extension : {".json", ".sqlite", ".csv"})
      output.add_file(path.replace_extension(extension));
    const std::string hash = to_hex(hash_text(tables::to_csv(table)));
    output.emit(0, std::as_bytes(std::span(hash.data(), hash.size())));
  }

 private:
  const Set& set_;
  std::filesystem::path sums_;
};

class MeasureStage : public blockwise::Stage {
 public:
  explicit MeasureStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override { return {"sum blocks", "write table"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<SumBlocks>(set_);
    return std::make_unique<WriteTable>(set_, run.step(0));
  }
  std::vector<StepPlan> plans() const override {
    return {SumBlocks(set_).plan(), WriteTable(set_, "").plan()};
  }

 private:
  Set set_;
};

}  // namespace

void MeasureOptions::bind(OptionTable&) {}

std::unique_ptr<blockwise::Stage> make_measure_stage(const StageDescription& description) {
  return std::make_unique<MeasureStage>(description);
}

}  // namespace organon::stages
