#include "organon/stages/refinement/edit_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/refinement/label_edits.h"
#include "organon/voxel/union_find.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// A part of an object: all of it, where it is not split.
struct Part {
  std::uint64_t id = 0;
  std::uint64_t number = 0;
  bool operator==(const Part& other) const { return id == other.id && number == other.number; }
  bool operator<(const Part& other) const { return std::tie(id, number) < std::tie(other.id, other.number); }
};

struct PartSums {
  Part part;
  std::uint64_t first_voxel = 0;
  std::uint64_t voxels = 0;
};

struct PartName {
  Part part;
  std::uint64_t new_id = 0;
};

double squared_distance(const PointNm& a, const PointNm& b) {
  const double z = a.z - b.z, y = a.y - b.y, x = a.x - b.x;
  return z * z + y * y + x * x;
}

struct Set {
  EditOptions options;
  std::shared_ptr<storage::Dataset> labels;
  std::vector<LabelEdit> edits;
  std::map<std::uint64_t, std::vector<PointNm>> splits;  // by id, the points of its parts
  std::string output;
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<EditOptions>(description.options_json);
    labels = storage::open_dataset(description.inputs.at(0));
    output = description.outputs.at(0);
    const storage::DatasetSpec& spec = labels->spec();
    blockwise::require_labels(*labels);
    if (description.inputs.size() > 1) {
      const std::string& file = description.inputs[1];
      edits = parse_label_edits(read_text(file), std::filesystem::path(file).filename().string());
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  /// Looks up which objects are split: not before the labels are there. Errors: kInvalidArgument.
  void resolve_splits() {
    for (const LabelEdit& edit : edits) {
      if (edit.action != LabelEdit::Action::kSplit) continue;
      const std::uint64_t id = id_at(edit.objects.front().point_nm);
      for (const ObjectName& object : edit.objects) {
        if (id_at(object.point_nm) != id) {
          throw Error(ErrorKind::kInvalidArgument,
                      fmt::format("the points of a split, {} and {} nm, lie in objects {} and {}, not in one",
                                  to_string(edit.objects.front().point_nm), to_string(object.point_nm), id,
                                  id_at(object.point_nm)));
        }
        splits[id].push_back(object.point_nm);
      }
    }
  }

  /// Errors: kInvalidArgument where no object is there.
  std::uint64_t id_at(const PointNm& point_nm) const {
    const Index3 voxel = labels->spec().grid.voxel_containing(point_nm);
    std::uint64_t id = 0;
    if (labels->spec().domain().contains(voxel))
      id = labels->read_as<std::uint64_t>(Box::at(voxel, {1, 1, 1})).data()[0];
    if (id != 0) return id;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: no object at {} nm (z,y,x), which an edit names", labels->address(),
                            to_string(point_nm)));
  }
  std::uint64_t number_at(const std::vector<PointNm>& points, const PointNm& at) const {
    std::size_t nearest = 0;
    for (std::size_t i = 1; i < points.size(); ++i)
      if (squared_distance(points[i], at) < squared_distance(points[nearest], at)) nearest = i;
    return nearest;
  }
  /// The part that holds the voxel around a point.
  Part part_at(const PointNm& point_nm) const {
    const std::uint64_t id = id_at(point_nm);
    const auto points = splits.find(id);
    if (points == splits.end()) return {id, 0};
    const VoxelGrid& grid = labels->spec().grid;
    return {id, number_at(points->second, grid.to_nm(grid.voxel_containing(point_nm)))};
  }

  bool is_part_of_volume() const { return !(domain == labels->spec().domain()); }

  /// Calls use(part, first, end) for runs of voxels along x of one part: raster indices in `ids`.
  template <class Use>
  void for_each_run(const Array<std::uint64_t>& ids, const Box& box, const Use& use) const {
    const Shape3 shape = ids.shape();
    for (std::int64_t row = 0; row < shape.z * shape.y; ++row) {
      throw_if_cancelled();
      for (std::int64_t x = 0; x < shape.x;) {
        const std::int64_t first = row * shape.x + x;
        const std::uint64_t id = ids.data()[first];
        std::int64_t length = 1;
        while (x + length < shape.x && ids.data()[first + length] == id) ++length;
        const auto points = id == 0 ? splits.end() : splits.find(id);
        if (id != 0 && points == splits.end()) {
          use(Part{id, 0}, first, first + length);
        } else if (id != 0) {
          for (std::int64_t i = 0; i < length; ++i) {
            const Index3 voxel = box.begin + Index3{row / shape.y, row % shape.y, x + i};
            use(Part{id, number_at(points->second, labels->spec().grid.to_nm(voxel))}, first + i,
                first + i + 1);
          }
        }
        x += length;
      }
    }
  }

  StepPlan plan_over_blocks() const {
    StepPlan plan = StepPlan::over(domain, block_shape);
    plan.reads(labels->address());
    plan.bytes_per_worker = 20 * block_shape.product();
    plan.bytes_read = static_cast<std::int64_t>(size_of(labels->spec().data_type)) * domain.volume();
    plan.voxels_per_second = 100e6;
    return plan;
  }
  StepPlan rename_plan(DataType type) const {
    StepPlan plan = plan_over_blocks();
    storage::DatasetSpec spec = labels->spec();
    spec.shard_shape = {};
    spec.data_type = type;
    spec.fill_value = 0;
    plan.outputs = {{output, spec, {{"role", "labels"}}}};
    plan.bytes_written = static_cast<std::int64_t>(size_of(type)) * domain.volume();
    return plan;
  }
};

class SumParts : public Step {
 public:
  explicit SumParts(Set set) : set_(std::move(set)) {}
  StepPlan plan() const override { return set_.plan_over_blocks(); }

  void process(const Block& block, BlockOutput& output) const override {
    const auto ids = set_.labels->read_as<std::uint64_t>(block.write_box);
    const BlockGrid own(Box::of_shape(ids.shape()), {1, 1, 1});
    const Shape3& shape = set_.labels->spec().shape;
    std::map<Part, PartSums> sums;
    set_.for_each_run(ids, block.write_box, [&](const Part& part, std::int64_t first, std::int64_t end) {
      const auto [at, is_new] = sums.try_emplace(part);
      if (is_new) {
        const Index3 voxel = block.write_box.begin + own.position_of(first);
        at->second = {part, static_cast<std::uint64_t>((voxel.z * shape.y + voxel.y) * shape.x + voxel.x), 0};
      }
      at->second.voxels += static_cast<std::uint64_t>(end - first);
    });
    std::vector<PartSums> list;
    for (const auto& [part, sum] : sums) list.push_back(sum);
    if (!list.empty()) output.emit(block.id, blockwise::bytes_of(list));
  }

 private:
  const Set set_;
};

class ApplyEdits : public Step {
 public:
  ApplyEdits(Set set, const std::filesystem::path& sums) : set_(std::move(set)), sums_(sums) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = 8 * sums_.num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const std::vector<PartSums> parts = all_parts();
    const auto index_of = [&](const Part& part) {
      return std::lower_bound(parts.begin(), parts.end(), part, before);
    };
    // All parts of an object, or the one that holds a point; nothing where no voxel of it is in the domain.
    const auto named = [&](const ObjectName& name) {
      std::vector<std::uint32_t> indices;
      const bool is_point = name.id == 0;
      const Part wanted = is_point ? set_.part_at(name.point_nm) : Part{name.id, 0};
      for (auto at = index_of(wanted); at != parts.end() && at->part.id == wanted.id; ++at) {
        if (is_point && !(at->part == wanted)) break;
        indices.push_back(static_cast<std::uint32_t>(at - parts.begin()));
      }
      if (indices.empty()) {
        const std::string where = is_point ? fmt::format(" at {} nm", to_string(name.point_nm)) : "";
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("{}: no object {}{}{}, which an edit names", set_.labels->address(),
                                wanted.id, where, set_.is_part_of_volume() ? " in the chosen box" : ""));
      }
      return indices;
    };
    voxel::UnionFind<std::uint32_t> sets(static_cast<std::uint32_t>(parts.size()));
    std::set<std::uint32_t> kept, dropped;
    bool is_any_kept = false;
    for (const LabelEdit& edit : set_.edits) {
      std::vector<std::uint32_t> indices;
      for (const ObjectName& name : edit.objects)
        for (const std::uint32_t index : named(name)) indices.push_back(index);
      if (edit.action == LabelEdit::Action::kMerge)
        for (const std::uint32_t index : indices) sets.unite(indices.front(), index);
      if (edit.action == LabelEdit::Action::kKeep) kept.insert(indices.begin(), indices.end());
      if (edit.action == LabelEdit::Action::kDrop) dropped.insert(indices.begin(), indices.end());
      is_any_kept = is_any_kept || edit.action == LabelEdit::Action::kKeep;
    }
    // What holds for a part holds for all that it was merged with.
    std::set<std::uint32_t> kept_roots, dropped_roots;
    for (const std::uint32_t index : kept) kept_roots.insert(sets.find(index));
    for (const std::uint32_t index : dropped) dropped_roots.insert(sets.find(index));

    struct Object {
      std::uint64_t first_voxel;
      std::uint64_t voxels;
    };
    std::map<std::uint32_t, Object> objects;
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
      const auto [at, is_new] =
          objects.try_emplace(sets.find(i), Object{parts[i].first_voxel, parts[i].voxels});
      if (is_new) continue;
      at->second.first_voxel = std::min(at->second.first_voxel, parts[i].first_voxel);
      at->second.voxels += parts[i].voxels;
    }
    std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
    const double voxel_nm3 = set_.labels->spec().grid.voxel_volume_nm3();
    for (const auto& [root, object] : objects) {
      if (dropped_roots.contains(root) || (is_any_kept && !kept_roots.contains(root))) continue;
      if (static_cast<double>(object.voxels) * voxel_nm3 >= set_.options.min_volume_nm3)
        order.emplace_back(object.first_voxel, root);
    }
    std::sort(order.begin(), order.end());
    std::map<std::uint32_t, std::uint64_t> new_id;
    for (std::size_t i = 0; i < order.size(); ++i) new_id[order[i].second] = i + 1;
    std::vector<PartName> names;
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
      const auto id = new_id.find(sets.find(i));
      names.push_back({parts[i].part, id == new_id.end() ? 0 : id->second});
    }
    output.emit(0, blockwise::bytes_of(names));
  }

 private:
  static bool before(const PartSums& sums, const Part& part) { return sums.part < part; }

  std::vector<PartSums> all_parts() const {
    std::map<Part, PartSums> all;
    for (const std::int64_t key : sums_.keys()) {
      for (const PartSums& own : blockwise::values_of<PartSums>(sums_.read(key).value())) {
        const auto [at, is_new] = all.try_emplace(own.part, own);
        if (is_new) continue;
        at->second.first_voxel = std::min(at->second.first_voxel, own.first_voxel);
        at->second.voxels += own.voxels;
      }
      throw_if_cancelled();
    }
    std::vector<PartSums> parts;
    for (const auto& [part, sums] : all) parts.push_back(sums);
    return parts;
  }

  const Set set_;
  blockwise::PartialReader sums_;
};

class Rename : public Step {
 public:
  Rename(Set set, const std::filesystem::path& names) : set_(std::move(set)) {
    names_ = blockwise::values_of<PartName>(blockwise::PartialReader(names).read(0).value());
    std::uint64_t highest = 0;
    for (const PartName& name : names_) highest = std::max(highest, name.new_id);
    type_ = smallest_unsigned_type(highest);
  }

  StepPlan plan() const override {
    StepPlan plan = set_.rename_plan(type_);
    plan.bytes_per_worker += static_cast<std::int64_t>(names_.size() * sizeof(PartName));
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const auto ids = set_.labels->read_as<std::uint64_t>(block.write_box);
    AnyArray result(type_, block.write_box.shape());
    std::fill(result.bytes().begin(), result.bytes().end(), std::byte{0});
    dispatch(type_, [&](auto zero) {
      using Id = decltype(zero);
      Id* to = result.view<Id>().data();
      PartName last;
      set_.for_each_run(ids, block.write_box, [&](const Part& part, std::int64_t first, std::int64_t end) {
        if (part != last.part) {
          last = *std::lower_bound(names_.begin(), names_.end(), part,
                                   [](const PartName& name, const Part& other) { return name.part < other; });
        }
        std::fill(to + first, to + end, static_cast<Id>(last.new_id));
      });
    });
    output.write(0, block.write_box, result);
  }

 private:
  const Set set_;
  std::vector<PartName> names_;  // ascending by part, all parts there are
  DataType type_ = DataType::kUint8;
};

class EditStage : public blockwise::Stage {
 public:
  explicit EditStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override { return {"sum parts", "apply edits", "rename"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    Set set = set_;
    set.resolve_splits();
    if (index == 0) return std::make_unique<SumParts>(std::move(set));
    if (index == 1) return std::make_unique<ApplyEdits>(std::move(set), run.step(0));
    return std::make_unique<Rename>(std::move(set), run.step(1));
  }
  std::vector<StepPlan> plans() const override {
    return {SumParts(set_).plan(), StepPlan::solve(), set_.rename_plan(DataType::kUint32)};
  }

 private:
  Set set_;
};

}  // namespace

void EditOptions::bind(OptionTable& table) {
  table.add("min_volume_nm3", min_volume_nm3,
            {"objects that are smaller after the edits are dropped; 0: none", "nm^3", 0, 1e18, {}});
}

std::unique_ptr<blockwise::Stage> make_edit_stage(const StageDescription& description) {
  return std::make_unique<EditStage>(description);
}

}  // namespace organon::stages
