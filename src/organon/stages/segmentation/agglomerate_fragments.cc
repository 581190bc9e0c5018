#include "organon/stages/segmentation/agglomerate_fragments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/segmentation/make_fragments.h"
#include "organon/stages/segmentation/merge_report.h"
#include "organon/voxel/agglomerate.h"
#include "organon/voxel/balance_regions.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr std::int64_t kMergesKey = 0;
constexpr std::int64_t kTimesGraph = 8;  // of the graph's bytes: queues, indices and lists of a merge
constexpr std::int64_t kIdsKey = 1;      // per fragment id, from 0: the id of its object

struct Set {
  AgglomerateFragmentsOptions options;
  std::shared_ptr<storage::Dataset> fragments;
  std::string output;
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<AgglomerateFragmentsOptions>(description.options_json);
    fragments = storage::open_dataset(description.inputs.at(0));
    output = description.outputs.at(0);
    const storage::DatasetSpec& spec = fragments->spec();
    blockwise::require_labels(*fragments);
    if (!description.box_nm.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  "a part of the fragments cannot be agglomerated: their graph is that of the whole volume");
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    domain = spec.domain();
  }

  double voxel_nm3() const { return fragments->spec().grid.voxel_volume_nm3(); }

  StepPlan relabel_plan(DataType type) const {
    StepPlan plan = StepPlan::over(domain, block_shape);
    storage::DatasetSpec spec = fragments->spec();
    spec.data_type = type;
    plan.outputs = {{output, spec, {{"role", "labels"}}}};
    plan.reads(fragments->address());
    plan.bytes_per_worker = 24 * block_shape.product();
    plan.bytes_read = static_cast<std::int64_t>(size_of(fragments->spec().data_type)) * domain.volume();
    plan.bytes_written = static_cast<std::int64_t>(size_of(type)) * domain.volume();
    plan.voxels_per_second = 100e6;
    return plan;
  }
};

voxel::AgglomerateOptions options_of(const AgglomerateFragmentsOptions& options, double voxel_nm3) {
  voxel::AgglomerateOptions result;
  result.statistic = options.statistic == "mean"      ? voxel::InterfaceStatistic::kMean
                     : options.statistic == "highest" ? voxel::InterfaceStatistic::kHighest
                                                      : voxel::InterfaceStatistic::kQuantile;
  result.quantile_percent = options.quantile;
  result.is_relative = options.relative;
  if (options.max_both_volume_nm3 > 0) {
    // Never 0, which means no limit.
    result.max_both_voxels = std::max(
        static_cast<std::uint64_t>(std::ceil(options.max_both_volume_nm3 / voxel_nm3)), std::uint64_t{1});
  }
  return result;
}

class MergeRegions : public Step {
 public:
  explicit MergeRegions(const Set& set) : set_(set) {}

  // Before anything runs the fragments may be stand-ins without a graph.
  static StepPlan plan_of(const Set& set) {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = kTimesGraph * region_graph_bytes(set.fragments->address());
    return plan;
  }
  StepPlan plan() const override {
    // Says that it is missing: trying again, as with a block, would not help.
    if (region_graph_bytes(set_.fragments->address()) == 0) read_region_graph(set_.fragments->address());
    return plan_of(set_);
  }

  void process(const Block&, BlockOutput& output) const override {
    const tables::RegionGraph graph = read_region_graph(set_.fragments->address());
    // Tables are by id.
    if (!graph.regions.empty() && graph.regions.back().id != graph.regions.size()) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: the region graph has {} fragments, expected ids up to that, found {}",
                              set_.fragments->address(), graph.regions.size(), graph.regions.back().id));
    }
    const auto merges = merges_of(graph);
    const std::vector<ObjectId> roots =
        voxel::cut(graph, merges, set_.options.threshold > 0 ? set_.options.threshold : 1);
    // Fragments are in raster order of first voxels, so objects are in that of their first fragments.
    std::vector<std::uint64_t> voxels(graph.regions.size() + 1, 0);
    for (std::size_t i = 0; i < roots.size(); ++i) voxels[roots[i]] += graph.regions[i].voxels;
    std::vector<std::uint64_t> id_of_root(voxels.size(), 0);
    std::uint64_t num_objects = 0;
    for (std::size_t root = 1; root < voxels.size(); ++root) {
      const double volume_nm3 = static_cast<double>(voxels[root]) * set_.voxel_nm3();
      if (voxels[root] > 0 && volume_nm3 >= set_.options.min_volume_nm3) id_of_root[root] = ++num_objects;
    }
    std::vector<std::uint64_t> ids(voxels.size(), 0);
    for (std::size_t i = 0; i < roots.size(); ++i) ids[graph.regions[i].id] = id_of_root[roots[i]];
    output.emit(kMergesKey, blockwise::bytes_of(merges));
    output.emit(kIdsKey, blockwise::bytes_of(ids));
  }

 private:
  std::vector<voxel::Merge> merges_of(const tables::RegionGraph& graph) const {
    if (set_.options.threshold > 0)
      return voxel::agglomerate(graph, options_of(set_.options, set_.voxel_nm3()), throw_if_cancelled);
    voxel::BalanceOptions options;
    options.scale =
        set_.options.level_scale == "tanh" ? voxel::LevelScale::kTanh : voxel::LevelScale::kLinear;
    return voxel::balance_regions(graph, options, throw_if_cancelled);
  }

  const Set& set_;
};

class NameObjects : public Step {
 public:
  NameObjects(const Set& set, const std::filesystem::path& merged) : set_(set) {
    ids_ = blockwise::values_of<std::uint64_t>(blockwise::PartialReader(merged).read(kIdsKey).value());
    type_ = smallest_unsigned_type(*std::max_element(ids_.begin(), ids_.end()));
  }

  StepPlan plan() const override {
    StepPlan plan = set_.relabel_plan(type_);
    plan.bytes_per_worker += static_cast<std::int64_t>(8 * ids_.size());
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const AnyArray fragments = set_.fragments->read(block.write_box);
    AnyArray objects(type_, block.write_box.shape());
    dispatch(fragments.type(), [&](auto fragment_zero) {
      using Fragment = decltype(fragment_zero);
      dispatch(type_, [&](auto object_zero) {
        using Object = decltype(object_zero);
        if constexpr (std::is_unsigned_v<Fragment> && std::is_unsigned_v<Object>) {
          const Fragment* from = fragments.view<Fragment>().data();
          Object* to = objects.view<Object>().data();
          for (std::int64_t i = 0; i < block.write_box.volume(); ++i) {
            if (from[i] >= ids_.size())
              throw Error(ErrorKind::kCorruptData,
                          fmt::format("fragment {} is not in the region graph", from[i]));
            to[i] = static_cast<Object>(ids_[from[i]]);
          }
        }
      });
    });
    output.write(0, block.write_box, objects);
  }

 private:
  const Set& set_;
  std::vector<std::uint64_t> ids_;
  DataType type_ = DataType::kUint8;
};

class WriteReport : public Step {
 public:
  WriteReport(const Set& set, std::filesystem::path merged) : set_(set), merged_(std::move(merged)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker =
        region_graph_bytes(set_.fragments->address()) + 8 * blockwise::PartialReader(merged_).num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const auto bytes = blockwise::PartialReader(merged_).read(kMergesKey).value();
    const auto merges = blockwise::values_of<voxel::Merge>(bytes);
    auto cuts = cuts_of(read_region_graph(set_.fragments->address()), merges, set_.voxel_nm3(),
                        set_.options.min_volume_nm3);
    // Without a threshold there is one result.
    if (set_.options.threshold == 0) cuts.erase(cuts.begin(), cuts.end() - 1);
    write_merge_report(storage::open_dataset(set_.output)->local_path(), merges, cuts, set_.options.threshold,
                       output);
    const Hash128 hash = hash_bytes(bytes);
    output.emit(0, std::as_bytes(std::span(&hash, 1)));
  }

 private:
  const Set& set_;
  std::filesystem::path merged_;
};

class AgglomerateStage : public blockwise::Stage {
 public:
  explicit AgglomerateStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override { return {"merge regions", "relabel", "write report"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<MergeRegions>(set_);
    if (index == 1) return std::make_unique<NameObjects>(set_, run.step(0));
    return std::make_unique<WriteReport>(set_, run.step(0));
  }
  std::vector<StepPlan> plans() const override {
    return {MergeRegions::plan_of(set_), set_.relabel_plan(DataType::kUint32), StepPlan::solve()};
  }

 private:
  Set set_;
};

}  // namespace

void AgglomerateFragmentsOptions::bind(OptionTable& table) {
  table
      .add("threshold", threshold,
           {"fragments are merged while 1 - (depth of their interface, 0 to 1) is below this; 0: without a "
            "threshold, while necks are deeper than half their bodies",
            "",
            0,
            2,
            {}})
      .add("level_scale", level_scale,
           {"without a threshold: what the prediction is, tanh of a distance or a probability (linear)",
            "",
            -1e300,
            1e300,
            {"tanh", "linear"}})
      .add("statistic", statistic,
           {"with a threshold: what of an interface's depths counts",
            "",
            -1e300,
            1e300,
            {"quantile", "mean", "highest"}})
      .add("quantile", quantile,
           {"with a threshold: share of an interface's faces that may be shallower", "%", 0, 100, {}})
      .add("relative", relative,
           {"with a threshold: depths in parts of the lower peak of both fragments (neck to body), so that "
            "one threshold fits thin "
            "and thick objects",
            "",
            -1e300,
            1e300,
            {}})
      .add("min_volume_nm3", min_volume_nm3, {"smaller objects are dropped; 0: none", "nm^3", 0, 1e18, {}})
      .add("max_both_volume_nm3", max_both_volume_nm3,
           {"with a threshold: two objects of at least this volume each are not merged; 0: no such limit",
            "nm^3",
            0,
            1e18,
            {}});
}

std::unique_ptr<blockwise::Stage> make_agglomerate_stage(const StageDescription& description) {
  return std::make_unique<AgglomerateStage>(description);
}

}  // namespace organon::stages
