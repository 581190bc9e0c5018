#include "organon/stages/segmentation/make_fragments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/blockwise/iterate.h"
#include "organon/blockwise/object_numbers.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/segmentation/prediction_set.h"
#include "organon/voxel/measure_interfaces.h"
#include "organon/voxel/smooth.h"
#include "organon/voxel/watershed.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::BlockState;
using blockwise::BlockStates;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;
using voxel::BasinExit;
using voxel::PlateauVoxel;

constexpr char kGraphFile[] = "region_graph";
constexpr double kValuesPerGreyLevel = 256;  // as voxel::smooth()
constexpr double kHighestGreyLevel = 255;

// Exits of a block's basins lie beside its pieces, under a key of their own.
std::int64_t exits_key(std::int64_t block) { return blockwise::further_key(block, 1); }

struct Set : PredictionSet {
  WatershedOptions options;

  explicit Set(const StageDescription& description)
      : Set(description, options_from_json<WatershedOptions>(description.options_json)) {}

  const Shape3& volume_shape() const { return prediction->spec().shape; }
  StepPlan plan_over_blocks(std::int64_t bytes_per_voxel, double voxels_per_second) const {
    StepPlan plan = StepPlan::over(domain, block_shape);
    const std::int64_t read_voxels = read_box(Box::of_shape(block_shape)).volume();
    plan.bytes_per_worker = bytes_per_voxel * Box::of_shape(block_shape).grow(1).volume();
    plan.bytes_read = plan.blocks().count() * read_voxels;
    plan.voxels_per_second = voxels_per_second;
    return plan;
  }
  Box read_box(const Box& write_box) const { return write_box.grow(halo, halo).grow(1); }

 private:
  Set(const StageDescription& description, const WatershedOptions& chosen)
      : PredictionSet(description, chosen.chunk_shape, chosen.sigma_nm), options(chosen) {}
};

// A block of smoothed values with the voxels around it.
struct Values {
  Array<std::uint16_t> array;
  voxel::AscentBlock block;

  Values(const Set& set, const Box& box, const Box& read_box, Array<std::uint16_t> values)
      : array(std::move(values)), block{array.view(), read_box, box, set.volume_shape()} {}
  static Values read(const Set& set, const storage::Dataset& values, const Box& box) {
    const Box read_box = box.grow(1).intersect(set.domain);
    return {set, box, read_box, values.read_as<std::uint16_t>(read_box)};
  }
  bool is_background() const {
    return std::all_of(array.data(), array.data() + array.size(), [](std::uint16_t v) { return v == 0; });
  }
};

// What the blocks beside this one know of plateaus, in raster order.
std::vector<PlateauVoxel> plateaus_of(const std::map<std::int64_t, BlockState>& states) {
  std::vector<PlateauVoxel> voxels;
  for (const auto& [block, state] : states) {
    const auto own = blockwise::values_of<PlateauVoxel>(state.bytes);
    voxels.insert(voxels.end(), own.begin(), own.end());
  }
  std::sort(voxels.begin(), voxels.end(),
            [](const PlateauVoxel& a, const PlateauVoxel& b) { return a.voxel < b.voxel; });
  return voxels;
}

BlockState state_of(const voxel::AscentBlock& block, std::span<const PlateauVoxel> around) {
  Array<std::uint32_t> distance = Array<std::uint32_t>::uninitialized(block.box.shape());
  voxel::distances_to_exits(block, around, distance);
  const auto left = voxel::plateau_voxels_at_faces(block, distance);
  const auto bytes = blockwise::bytes_of(left);
  return {std::any_of(left.begin(), left.end(),
                      [](const PlateauVoxel& one) { return one.distance_voxels != PlateauVoxel::kNoExit; }),
          {bytes.begin(), bytes.end()}};
}

// Round 0: smooths, and finds the ways out of plateaus that each block sees by itself.
class Smooth : public Step {
 public:
  Smooth(const Set& set, std::string values) : set_(set), values_(std::move(values)) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_over_blocks(12, 25e6);
    plan.reads(set_.prediction->address(), Shape3(Index3(set_.halo) + Index3{1, 1, 1}));
    plan.bytes_per_worker += 3 * set_.read_box(Box::of_shape(set_.block_shape)).volume();
    storage::DatasetSpec spec = blockwise::block_labels_spec(set_.spec_of(DataType::kUint16));
    spec.data_type = DataType::kUint16;
    plan.outputs = {{values_, spec}};
    plan.bytes_written = 2 * plan.domain.volume();
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const storage::DatasetSpec& spec = set_.prediction->spec();
    const Box box = block.write_box.grow(1).intersect(set_.domain);
    const Array<std::uint8_t> input = blockwise::read_with_border<std::uint8_t>(
        *set_.prediction, box.grow(set_.halo, set_.halo), Border::kReflect);
    Array<std::uint16_t> smoothed = Array<std::uint16_t>::uninitialized(box.shape());
    voxel::smooth(input, voxel::gaussian_kernels(set_.options.sigma_nm, spec.grid.voxel_size_nm), smoothed);
    // At least 1: 0 is background.
    const auto lowest =
        static_cast<std::uint16_t>(std::max(std::ceil(set_.options.threshold * kValuesPerGreyLevel), 1.0));
    for (std::int64_t i = 0; i < smoothed.size(); ++i)
      if (smoothed.data()[i] < lowest) smoothed.data()[i] = 0;
    const Values values(set_, block.write_box, box, std::move(smoothed));
    if (values.is_background()) return;
    output.write<std::uint16_t>(0, block.write_box,
                                values.array.view().part(block.write_box.translate(Index3{} - box.begin)));
    const BlockState state = state_of(values.block, {});
    if (!state.bytes.empty()) BlockStates::emit(block, state, output);
  }

 private:
  const Set& set_;
  std::string values_;
};

// Later rounds: with what the neighbours found in the round before.
class Spread : public Step {
 public:
  Spread(const Set& set, const std::string& values, const std::vector<std::filesystem::path>& rounds_before)
      : set_(set), values_(storage::open_dataset(values)), before_(rounds_before) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_over_blocks(12, 500e6);
    plan.reads(values_->address(), Shape3::cube(1));
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const auto own = before_.of(block.id);
    if (!own) return;
    const auto beside = before_.beside(set_.blocks(), block.id);
    const bool is_touched =
        std::any_of(beside.begin(), beside.end(), [](const auto& state) { return state.second.is_changed; });
    if (!is_touched) return;
    const Values values = Values::read(set_, *values_, block.write_box);
    BlockState state = state_of(values.block, plateaus_of(beside));
    state.is_changed = state.bytes != own->bytes;
    if (state.is_changed) BlockStates::emit(block, state, output);
  }

 private:
  const Set& set_;
  std::shared_ptr<storage::Dataset> values_;
  BlockStates before_;
};

class LabelBasins : public Step {
 public:
  LabelBasins(const Set& set, const std::string& values, const std::vector<std::filesystem::path>& rounds,
              std::string basins)
      : set_(set), values_(storage::open_dataset(values)), plateaus_(rounds), basins_(std::move(basins)) {}

  StepPlan plan() const override {
    StepPlan plan = plan_over(set_, basins_);
    plan.reads(values_->address(), Shape3::cube(1));
    return plan;
  }
  static StepPlan plan_over(const Set& set, const std::string& basins) {
    StepPlan plan = set.plan_over_blocks(24, 15e6);
    plan.outputs = {{basins, blockwise::block_labels_spec(set.spec_of(DataType::kUint32))}};
    plan.bytes_written = 4 * plan.domain.volume();
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Values values = Values::read(set_, *values_, block.write_box);
    if (values.is_background()) return;
    const auto around = plateaus_of(plateaus_.beside(set_.blocks(), block.id));
    Array<std::uint32_t> distance = Array<std::uint32_t>::uninitialized(block.write_box.shape());
    voxel::distances_to_exits(values.block, around, distance);
    Array<std::uint32_t> labels = Array<std::uint32_t>::uninitialized(block.write_box.shape());
    const voxel::BlockBasins basins = voxel::label_basins(values.block, around, distance, labels);
    blockwise::leave_components(
        block, set_.domain, basins.components, labels.view(), [](const voxel::Component&) { return true; },
        output);
    if (!basins.exits.empty()) output.emit(exits_key(block.id), blockwise::bytes_of(basins.exits));
  }

 private:
  const Set& set_;
  std::shared_ptr<storage::Dataset> values_;
  BlockStates plateaus_;
  std::string basins_;
};

// Which basins of neighbouring blocks the exits lead to.
class JoinBasins : public Step {
 public:
  JoinBasins(const Set& set, const std::string& basins, const std::filesystem::path& exits)
      : set_(set), basins_(storage::open_dataset(basins)), exits_(exits) {}

  StepPlan plan() const override {
    StepPlan plan = blockwise::JoinFaces::plan_over(set_.domain, set_.block_shape, set_.chunk_shape);
    plan.reads(basins_->address(), Shape3::cube(1));
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const auto bytes = exits_.read(exits_key(block.id));
    if (!bytes) return;
    const BlockGrid blocks(set_.domain, set_.block_shape);
    const BlockGrid voxels(Box::of_shape(set_.volume_shape()), {1, 1, 1});
    std::vector<std::pair<Index3, std::uint32_t>> exits;
    for (const BasinExit& exit : blockwise::values_of<BasinExit>(*bytes))
      exits.emplace_back(voxels.position_of(static_cast<std::int64_t>(exit.voxel)), exit.label);
    std::vector<blockwise::Join> joins;
    const Box& own = block.write_box;
    for (const Index3& side : {Index3{1, 0, 0}, Index3{0, 1, 0}, Index3{0, 0, 1}}) {
      for (const bool is_before : {true, false}) {
        // The voxels of the next block along this side.
        const Box moved = own.translate(is_before ? Index3{} - side : side);
        const Box beyond = moved.intersect(set_.domain);
        const auto is_there = [&](const Index3& voxel) {
          return beyond.contains(voxel) && !own.contains(voxel);
        };
        Box plane;
        for (const auto& [voxel, label] : exits)
          if (is_there(voxel)) plane = plane.unite(Box::at(voxel, {1, 1, 1}));
        if (plane.empty()) continue;
        const Array<std::uint32_t> labels = basins_->read_as<std::uint32_t>(plane);
        const std::int64_t other_block = blocks.id_of(blocks.position_containing(plane.begin));
        for (const auto& [voxel, label] : exits) {
          if (!is_there(voxel)) continue;
          const std::uint32_t other = labels(voxel - plane.begin);
          if (other == 0) throw Error(ErrorKind::kCorruptData, "a basin leads into background");
          joins.push_back({label, other, other_block});
        }
      }
    }
    output.emit(block.id, blockwise::bytes_of(joins));
  }

 private:
  const Set& set_;
  std::shared_ptr<storage::Dataset> basins_;
  blockwise::PartialReader exits_;
};

class NumberFragments : public Step {
 public:
  NumberFragments(const Set& set, const std::filesystem::path& pieces, const std::filesystem::path& joins)
      : blocks_(set.blocks()), pieces_(pieces), joins_(joins) {}
  StepPlan plan() const override { return blockwise::numbering_plan(blocks_, pieces_, joins_); }
  void process(const Block&, BlockOutput& output) const override {
    blockwise::number_objects(
        blocks_, pieces_, joins_, [](const blockwise::ComponentPiece&) { return true; }, output);
  }

 private:
  BlockGrid blocks_;
  blockwise::PartialReader pieces_;
  blockwise::PartialReader joins_;
};

class MeasureInterfaces : public Step {
 public:
  MeasureInterfaces(const Set& set, const std::string& values)
      : set_(set), values_(storage::open_dataset(values)), fragments_(storage::open_dataset(set.output)) {
    // 0 just below the threshold, 255 at the highest prediction.
    const double base = std::max(set.options.threshold - 1, 0.0) * kValuesPerGreyLevel;
    const double span = kHighestGreyLevel * kValuesPerGreyLevel - base;
    for (std::size_t value = 0; value < level_of_.size(); ++value) {
      const double part = span > 0 ? (static_cast<double>(value) - base) / span : 1;
      level_of_[value] = static_cast<std::uint8_t>(std::lround(std::clamp(part, 0.0, 1.0) * 255));
    }
  }

  StepPlan plan() const override {
    StepPlan plan = plan_over(set_);
    for (const auto& dataset : {values_, fragments_})
      plan.inputs.push_back({dataset->address(), [](const Box& box) {
                               return box.grow({0, 0, 0}, Shape3::cube(1));
                             }});
    return plan;
  }
  static StepPlan plan_over(const Set& set) { return set.plan_over_blocks(40, 40e6); }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow({0, 0, 0}, Shape3::cube(1)).intersect(set_.domain);
    const Array<std::uint16_t> values = values_->read_as<std::uint16_t>(view_box);
    Array<std::uint8_t> levels = Array<std::uint8_t>::uninitialized(view_box.shape());
    for (std::int64_t i = 0; i < values.size(); ++i) levels.data()[i] = level_of_[values.data()[i]];
    const auto fragments = fragments_->read_as<std::uint64_t>(view_box);
    const tables::RegionGraph graph = voxel::measure_interfaces<std::uint64_t>(
        fragments, levels, view_box, block.write_box,
        set_.options.face_level == "lower" ? voxel::FaceLevel::kLower : voxel::FaceLevel::kLaterVoxels);
    if (!graph.regions.empty()) output.emit(block.id, graph.encode());
  }

 private:
  const Set& set_;
  std::shared_ptr<storage::Dataset> values_;
  std::shared_ptr<storage::Dataset> fragments_;
  std::vector<std::uint8_t> level_of_ = std::vector<std::uint8_t>(65536);
};

class WriteGraph : public Step {
 public:
  WriteGraph(const Set& set, const std::filesystem::path& graphs) : set_(set), graphs_(graphs) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = 4 * graphs_.num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    // Merged pairwise, so that an entry is copied log(blocks) times.
    std::vector<tables::RegionGraph> parts;
    for (const std::int64_t key : graphs_.keys()) {
      parts.push_back(tables::RegionGraph::decode(graphs_.read(key).value()));
      for (std::size_t n = parts.size();
           n > 1 && parts[n - 2].interfaces.size() <= parts[n - 1].interfaces.size(); --n) {
        parts[n - 2] = merge(parts[n - 2], parts[n - 1]);
        parts.pop_back();
      }
      throw_if_cancelled();
    }
    tables::RegionGraph graph;
    while (!parts.empty()) {
      graph = merge(parts.back(), graph);
      parts.pop_back();
    }
    const std::vector<std::byte> bytes = graph.encode();
    output.write_file(storage::open_dataset(set_.output)->local_path() / kGraphFile, bytes);
    const Hash128 hash = hash_bytes(bytes);
    output.emit(0, std::as_bytes(std::span(&hash, 1)));
  }

 private:
  const Set& set_;
  blockwise::PartialReader graphs_;
};

class WatershedStage : public blockwise::Stage {
 public:
  explicit WatershedStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override { return names({"smooth", "count changes"}); }
  std::vector<std::string> steps_of(const RunFolder& run) const override {
    return names(blockwise::Rounds(run, 0).names("smooth", "spread"));
  }

  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    const std::string values = run.scratch("values");
    const std::string basins = run.scratch("basins");
    const blockwise::Rounds rounds(run, 0);
    if (rounds.holds(index)) {
      if (rounds.is_count(index)) return rounds.make_count(index);
      const std::size_t round = rounds.round_of(index);
      if (round == 0) return std::make_unique<Smooth>(set_, values);
      return std::make_unique<Spread>(set_, values, rounds.folders(round));
    }
    const std::size_t first = rounds.num_steps();
    switch (index - first) {
      case 0:
        return std::make_unique<LabelBasins>(set_, values, rounds.folders(), basins);
      case 1:
        return std::make_unique<JoinBasins>(set_, basins, run.step(first));
      case 2:
        return std::make_unique<NumberFragments>(set_, run.step(first), run.step(first + 1));
      case 3:
        return std::make_unique<blockwise::LookUpNumbers>(
            [&](DataType type) { return set_.relabel_plan(type); }, basins, run.step(first),
            run.step(first + 2));
      case 4:
        return std::make_unique<MeasureInterfaces>(set_, values);
      default:
        return std::make_unique<WriteGraph>(set_, run.step(first + 4));
    }
  }

  std::vector<StepPlan> plans() const override {
    // Rounds beyond the first are few blocks' work; the type of the ids is known after the solve.
    return {Smooth(set_, "").plan(),
            StepPlan::solve(),
            LabelBasins::plan_over(set_, ""),
            blockwise::JoinFaces::plan_over(set_.domain, set_.block_shape, set_.chunk_shape),
            StepPlan::solve(),
            set_.relabel_plan(DataType::kUint32),
            MeasureInterfaces::plan_over(set_),
            StepPlan::solve()};
  }

 private:
  static std::vector<std::string> names(std::vector<std::string> rounds) {
    for (const char* name :
         {"label basins", "join basins", "number fragments", "relabel", "measure interfaces", "write graph"})
      rounds.emplace_back(name);
    return rounds;
  }

  Set set_;
};

}  // namespace

void WatershedOptions::bind(OptionTable& table) {
  table
      .add("sigma_nm", sigma_nm,
           {"width (sigma) of the Gaussian that smooths the prediction first; 0: none", "nm", 0, 1e4, {}})
      .add(
          "threshold", threshold,
          {"a voxel is foreground where the smoothed prediction is at least this", "grey levels", 0, 255, {}})
      .add("face_level", face_level,
           {"what stands for a face between fragments: the lower of both voxels, or, as the paper, that of "
            "higher index",
            "",
            -1e300,
            1e300,
            {"lower", "later"}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_watershed_stage(const StageDescription& description) {
  return std::make_unique<WatershedStage>(description);
}

tables::RegionGraph read_region_graph(const std::string& address) {
  const auto path = storage::open_dataset(address)->local_path() / kGraphFile;
  const auto bytes = read_file_if_exists(path);
  if (!bytes) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no region graph; make the fragments with organon watershed", address));
  }
  try {
    return tables::RegionGraph::decode(*bytes);
  } catch (const Error& error) {
    throw error.within(path.string());
  }
}

std::int64_t region_graph_bytes(const std::string& address) {
  std::error_code is_missing;
  const auto bytes =
      std::filesystem::file_size(storage::open_dataset(address)->local_path() / kGraphFile, is_missing);
  return is_missing ? 0 : static_cast<std::int64_t>(bytes);
}

}  // namespace organon::stages
