#include "organon/stages/evaluation/score_segmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/evaluation/score_objects.h"
#include "organon/stages/evaluation/score_picture.h"
#include "organon/stages/evaluation/score_report.h"
#include "organon/stages/evaluation/scored_volumes.h"
#include "organon/tables/overlap_table.h"
#include "organon/tables/variation_of_information.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::PartialReader;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// Above this many voxels of the region, distances are measured clipped only: 0.9 GiB a worker at the bound.
constexpr std::int64_t kMaxWholeVoxels = std::int64_t{1} << 27;
// Objects of a matched pair whose common box has more voxels are not measured: 1.7 GiB at the bound.
constexpr std::int64_t kMaxPairVoxels = std::int64_t{1} << 26;
// Both objects, what counts, and what measuring takes.
constexpr std::int64_t kPairBytes = 16 + 1 + 6;
// Of the distance transform: a float a voxel, and of the three masks.
constexpr std::int64_t kDistanceBytes = 4;
// The program itself, and chunks in the making.
constexpr std::int64_t kSpareBytes = 32 << 20;

// What a block of the first step leaves, under 4 * block id + one of these.
enum Partial : std::int64_t { kSums = 0, kSlices = 1, kOverlaps = 2, kBoxes = 3, kNumPartials = 4 };

// Foreground of one slice, for choosing the one to show.
struct SliceCount {
  std::int64_t z = 0;
  std::int64_t truth = 0;
  std::int64_t predicted = 0;
};

struct Set {
  ScoredVolumes volumes;
  std::filesystem::path output;
  std::string options_json;
  std::string box_nm;
  Shape3 block_shape;
  Shape3 halo;

  explicit Set(const StageDescription& description)
      : volumes(description),
        output(description.outputs.at(0)),
        options_json(description.options_json),
        box_nm(description.box_nm) {
    if (output.extension() != ".json") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: the name of the scores must end in .json", output.string()));
    }
    const storage::DatasetSpec& spec = volumes.spec();
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    const double reach_nm =
        std::max(volumes.options().clip_distance_nm, volumes.options().tolerance_nm) * (1 + 1e-6);
    const SizeNm& size = spec.grid.voxel_size_nm;
    const auto voxels = [&](double voxel_nm, std::int64_t extent) {
      return static_cast<std::int64_t>(
          std::min(std::floor(reach_nm / voxel_nm), static_cast<double>(extent)));
    };
    halo = {voxels(size.z, spec.shape.z), voxels(size.y, spec.shape.y), voxels(size.x, spec.shape.x)};
  }

  bool measures_whole() const { return volumes.region().volume() <= kMaxWholeVoxels; }
  voxel::ScoreOptions score_options() const {
    return {volumes.options().clip_distance_nm, volumes.options().tolerance_nm};
  }
  voxel::ScoreOptions whole_options() const {
    return {std::numeric_limits<double>::infinity(), volumes.options().tolerance_nm};
  }
};

class CompareBlocks : public Step {
 public:
  explicit CompareBlocks(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.volumes.region(), set_.block_shape);
    const Box read_box = Box::of_shape(set_.block_shape).grow(set_.halo, set_.halo);
    const std::int64_t object_bytes = set_.volumes.options().instances ? 17 * set_.block_shape.product() : 0;
    plan.bytes_per_worker = set_.volumes.reading_bytes(read_box.shape()) +
                            kDistanceBytes * read_box.volume() + object_bytes + kSpareBytes;
    plan.bytes_read = plan.blocks().count() * read_box.volume() * set_.volumes.bytes_per_voxel();
    plan.voxels_per_second = 3e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow(set_.halo, set_.halo).intersect(set_.volumes.region());
    const Box inner = block.write_box.translate(view_box.begin * -1);
    const MaskArrays masks = set_.volumes.read_masks(view_box);
    const voxel::AgreementSums sums = voxel::compare_masks(
        masks.views(), inner, set_.volumes.spec().grid.voxel_size_nm, set_.score_options());
    output.emit(kNumPartials * block.id + kSums, blockwise::bytes_of(std::vector{sums}));

    std::vector<SliceCount> slices;
    for (std::int64_t z = inner.begin.z; z < inner.end.z; ++z) {
      SliceCount slice{z + view_box.begin.z, 0, 0};
      for (std::int64_t y = inner.begin.y; y < inner.end.y; ++y) {
        for (std::int64_t x = inner.begin.x; x < inner.end.x; ++x) {
          slice.truth += masks.truth(z, y, x);
          slice.predicted += masks.predicted(z, y, x);
        }
      }
      if (slice.truth + slice.predicted > 0) slices.push_back(slice);
    }
    if (!slices.empty()) output.emit(kNumPartials * block.id + kSlices, blockwise::bytes_of(slices));

    if (!set_.volumes.options().instances) return;
    const ObjectArrays objects = set_.volumes.read_objects(block.write_box);
    tables::OverlapTable overlaps;
    overlaps.add_voxels(objects.segmented, objects.truth);
    const std::vector<std::byte> bytes = overlaps.encode();
    output.emit(kNumPartials * block.id + kOverlaps, bytes);
    std::vector<ObjectBox> boxes = boxes_of(objects.segmented, block.write_box, false);
    const std::vector<ObjectBox> of_truth = boxes_of(objects.truth, block.write_box, true);
    boxes.insert(boxes.end(), of_truth.begin(), of_truth.end());
    if (!boxes.empty()) output.emit(kNumPartials * block.id + kBoxes, blockwise::bytes_of(boxes));
  }

 private:
  const Set& set_;
};

// Two blocks: how far false positives lie from the truth, and false negatives from the prediction.
class MeasureWhole : public Step {
 public:
  explicit MeasureWhole(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(Box::of_shape({1, 1, 2}), {1, 1, 1});
    if (!set_.measures_whole()) return plan;
    const Box& region = set_.volumes.region();
    plan.bytes_per_worker =
        set_.volumes.reading_bytes(region.shape()) + kDistanceBytes * region.volume() + kSpareBytes;
    plan.bytes_read = 2 * region.volume() * set_.volumes.bytes_per_voxel();
    plan.voxels_per_second = 2 * 10e6 / static_cast<double>(2 * region.volume());
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    if (!set_.measures_whole()) return;
    const MaskArrays masks = set_.volumes.read_masks(set_.volumes.region());
    const bool positives = block.id == 0;
    const voxel::FalseVoxels result = voxel::measure_false_voxels(
        positives ? masks.predicted : masks.truth, positives ? masks.truth : masks.predicted,
        Box::of_shape(masks.counted.shape()), set_.volumes.spec().grid.voxel_size_nm, set_.whole_options());
    output.emit(block.id, blockwise::bytes_of(std::vector{result}));
  }

 private:
  const Set& set_;
};

tables::OverlapTable read_overlaps(const std::filesystem::path& blocks) {
  tables::OverlapTable overlaps;
  const PartialReader reader(blocks);
  for (const std::int64_t key : reader.keys())
    if (key % kNumPartials == kOverlaps)
      overlaps.merge(tables::OverlapTable::decode(reader.read(key).value()));
  return overlaps;
}

// Hausdorff distances of matched objects, each pair on the box around both. Leaves one number per pair, in
// their order; less than 0 where the box is too large.
class MeasureObjects : public Step {
 public:
  MeasureObjects(const Set& set, std::filesystem::path blocks) : set_(set), blocks_(std::move(blocks)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    if (!set_.volumes.options().instances) return plan;
    const Box& region = set_.volumes.region();
    const std::int64_t voxels = std::min(kMaxPairVoxels, region.volume());
    plan.bytes_per_worker =
        set_.volumes.reading_bytes(region.shape()) - 3 * region.volume() + kPairBytes * voxels + kSpareBytes;
    plan.bytes_read = 2 * region.volume() * set_.volumes.bytes_per_voxel();
    plan.voxels_per_second = 5e6 / static_cast<double>(region.volume());
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    if (!set_.volumes.options().instances) return;
    const tables::ObjectMatches matches = tables::match_objects(read_overlaps(blocks_));
    const auto boxes = read_boxes();
    std::vector<double> distances_nm;
    distances_nm.reserve(matches.pairs.size());
    for (const tables::ObjectPair& pair : matches.pairs) {
      const Box box = boxes.at({pair.segmented, 0}).unite(boxes.at({pair.truth, 1}));
      if (box.volume() > kMaxPairVoxels) {
        distances_nm.push_back(-1);
        continue;
      }
      const ObjectArrays objects = set_.volumes.read_objects(box);
      distances_nm.push_back(
          hausdorff_nm(objects.segmented, objects.truth, pair, set_.volumes.spec().grid.voxel_size_nm));
      output.report(static_cast<double>(distances_nm.size()) / static_cast<double>(matches.pairs.size()),
                    "objects");
    }
    if (!distances_nm.empty()) output.emit(0, blockwise::bytes_of(distances_nm));
  }

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, Box> read_boxes() const {
    std::map<std::pair<std::uint64_t, std::uint64_t>, Box> boxes;
    const PartialReader reader(blocks_);
    for (const std::int64_t key : reader.keys()) {
      if (key % kNumPartials != kBoxes) continue;
      for (const auto& part : blockwise::values_of<ObjectBox>(reader.read(key).value())) {
        const auto [at, is_new] = boxes.try_emplace({part.id, part.is_truth}, part.box);
        if (!is_new) at->second = at->second.unite(part.box);
      }
    }
    return boxes;
  }

  const Set& set_;
  std::filesystem::path blocks_;
};

class WriteScores : public Step {
 public:
  WriteScores(const Set& set, std::filesystem::path blocks, std::filesystem::path whole,
              std::filesystem::path objects)
      : set_(set), blocks_(std::move(blocks)), whole_(std::move(whole)), objects_(std::move(objects)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    Box slice = set_.volumes.region();
    slice.end.z = slice.begin.z + 1;
    plan.bytes_per_worker =
        set_.volumes.reading_bytes(slice.shape()) + 64 * kMaxPictureVoxels * kMaxPictureVoxels;
    plan.voxels_per_second = 1;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const EvaluateOptions& options = set_.volumes.options();
    ScoreParts parts;
    parts.class_name = options.class_name;
    parts.keys = options.keys;
    parts.region = options.region;
    parts.kind = set_.volumes.is_prediction() ? "prediction" : "labels";
    if (set_.volumes.is_prediction()) parts.threshold = options.threshold;
    parts.clip_distance_nm = options.clip_distance_nm;
    parts.tolerance_nm = options.tolerance_nm;
    parts.truth_expand_nm = options.truth_expand_nm;
    std::map<std::int64_t, SliceCount> slices;
    const PartialReader reader(blocks_);
    for (const std::int64_t key : reader.keys()) {
      if (key % kNumPartials != kSums && key % kNumPartials != kSlices) continue;
      const std::vector<std::byte> bytes = reader.read(key).value();
      if (key % kNumPartials == kSums) {
        for (const auto& sums : blockwise::values_of<voxel::AgreementSums>(bytes)) parts.clipped.merge(sums);
      } else {
        for (const auto& slice : blockwise::values_of<SliceCount>(bytes)) {
          SliceCount& sum = slices[slice.z];
          sum.truth += slice.truth;
          sum.predicted += slice.predicted;
        }
      }
    }

    std::vector<std::string> notes;
    if (options.instances) parts.objects = score_objects(notes);
    if (parts.clipped.counted() == 0)
      notes.push_back("no voxel counts: the mask and exclude boxes leave none");
    if (set_.measures_whole()) {
      const PartialReader whole_reader(whole_);
      const auto side = [&](std::int64_t key) {
        return blockwise::values_of<voxel::FalseVoxels>(whole_reader.read(key).value()).at(0);
      };
      parts.whole = parts.clipped;
      parts.whole->positives = side(0);
      parts.whole->negatives = side(1);
    } else {
      notes.push_back(
          fmt::format("distances that are not clipped need the whole region in memory: it has {} "
                      "voxels, measured are at most {}",
                      set_.volumes.region().volume(), kMaxWholeVoxels));
    }

    const ScoreRow row = make_score_row(parts);
    const Json provenance = {{"version", ORGANON_VERSION},
                             {"verb", "evaluate"},
                             {"options", parse_json(set_.options_json, "options")},
                             {"box_nm", set_.box_nm}};
    const std::string json = scores_json(row, notes, provenance.dump());
    const auto beside = [&](const char* extension) {
      std::filesystem::path path = set_.output;
      return path.replace_extension(extension);
    };
    write_score_picture(set_.volumes, slice_to_show(slices), beside(".png"));
    output.add_file(beside(".png"));
    output.write_text(beside(".csv"), scores_csv(row));
    output.write_text(beside(".txt"), scores_text(row, notes));
    output.write_text(set_.output, json);
    const std::string hash = to_hex(hash_text(json));
    output.emit(0, std::as_bytes(std::span(hash.data(), hash.size())));
  }

 private:
  ObjectScores score_objects(std::vector<std::string>& notes) const {
    const tables::OverlapTable overlaps = read_overlaps(blocks_);
    ObjectScores scores;
    scores.matches = tables::match_objects(overlaps);
    scores.information = tables::variation_of_information(overlaps);
    std::vector<double> distances_nm;
    const PartialReader reader(objects_);
    if (const auto bytes = reader.read(0)) distances_nm = blockwise::values_of<double>(*bytes);
    const auto too_large =
        std::count_if(distances_nm.begin(), distances_nm.end(), [](double d) { return d < 0; });
    if (too_large > 0) {
      notes.push_back(
          fmt::format("{} matched objects lie in boxes of more than {} voxels: their distance is not "
                      "measured, and neither are scores made of it",
                      too_large, kMaxPairVoxels));
      return scores;
    }
    const Shape3 region = set_.volumes.region().shape();
    const SizeNm& voxel_nm = set_.volumes.spec().grid.voxel_size_nm;
    scores.hausdorff_score = hausdorff_score(
        scores.matches, distances_nm,
        {static_cast<double>(region.z) * voxel_nm.z, static_cast<double>(region.y) * voxel_nm.y,
         static_cast<double>(region.x) * voxel_nm.x},
        voxel_nm);
    double sum_nm = 0;
    for (const double distance_nm : distances_nm) sum_nm += distance_nm;
    if (!distances_nm.empty()) scores.mean_hausdorff_nm = sum_nm / static_cast<double>(distances_nm.size());
    return scores;
  }

  // Most truth, or where there is none most prediction; the lowest of equals; the middle where there is
  // nothing.
  std::int64_t slice_to_show(const std::map<std::int64_t, SliceCount>& slices) const {
    const Box& region = set_.volumes.region();
    std::int64_t best = (region.begin.z + region.end.z) / 2;
    std::pair<std::int64_t, std::int64_t> most{0, 0};
    for (const auto& [z, slice] : slices) {
      if (std::pair(slice.truth, slice.predicted) <= most) continue;
      most = {slice.truth, slice.predicted};
      best = z;
    }
    return best;
  }

  const Set& set_;
  std::filesystem::path blocks_;
  std::filesystem::path whole_;
  std::filesystem::path objects_;
};

class EvaluateStage : public blockwise::Stage {
 public:
  explicit EvaluateStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override {
    return {"compare blocks", "measure distances", "measure objects", "write scores"};
  }
  // 2: squared distances of voxels whose squared size is no whole number are rounded otherwise.
  // 3: precision, recall, variation of information undefined where a set is empty; more of objects.
  int algorithm_version() const override { return 3; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<CompareBlocks>(set_);
    if (index == 1) return std::make_unique<MeasureWhole>(set_);
    if (index == 2) return std::make_unique<MeasureObjects>(set_, run.step(0));
    return std::make_unique<WriteScores>(set_, run.step(0), run.step(1), run.step(2));
  }
  std::vector<StepPlan> plans() const override {
    return {CompareBlocks(set_).plan(), MeasureWhole(set_).plan(), MeasureObjects(set_, "").plan(),
            WriteScores(set_, "", "", "").plan()};
  }

 private:
  Set set_;
};

}  // namespace

void EvaluateOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("class_name", class_name, {"name of the class, for the table", "", -kAny, kAny, {}})
      .add("region", region, {"name of the region, for the table", "", -kAny, kAny, {}})
      .add("kind", kind,
           {"what SEGMENTATION is; auto: by its attributes",
            "",
            -kAny,
            kAny,
            {"auto", "labels", "prediction"}})
      .add("threshold", threshold,
           {"a prediction is inside where its value is at least this", "grey levels", 0, 255, {}})
      .add("ids", ids,
           {"ids of TRUTH that belong to the class, as 3+4+5; none: any above 0", "", -kAny, kAny, {}})
      .add("exclude_box_nm", exclude_box_nm,
           {"boxes that do not count, z0,y0,x0,z1,y1,x1 each", "nm", -1e15, 1e15, {}})
      .add("clip_distance_nm", clip_distance_nm,
           {"larger distances count as this one in clipped means", "nm", 0, 1e5, {}})
      .add("tolerance_nm", tolerance_nm,
           {"false voxels up to this far from the other set are forgiven in tolerant scores",
            "nm",
            0,
            1e5,
            {}})
      .add("truth_expand_nm", truth_expand_nm,
           {"TRUTH is expanded by this (paper: 8 for ribosomes, 2 for centrosomes)", "nm", 0, 1e4, {}})
      .add("instances", instances,
           {"also match objects (intersection over union above 0.5) and measure splits, merges, distances",
            "",
            -kAny,
            kAny,
            {}})
      .add("raw", raw, {"raw volume under the outlines of the picture", "", -kAny, kAny, {}})
      .add("dataset", keys.dataset, {"stored in the row: name of the cell", "", -kAny, kAny, {}})
      .add("crop", keys.crop, {"stored in the row: name of the annotated crop", "", -kAny, kAny, {}})
      .add("setup", keys.setup, {"stored in the row: set-up of the network", "", -kAny, kAny, {}})
      .add("family", keys.family,
           {"stored in the row: family of set-ups, such as all, many, few", "", -kAny, kAny, {}})
      .add("iteration", keys.iteration,
           {"stored in the row: iteration of the training; -1: none", "", -1, 1e15, {}})
      .add("path", keys.path, {"stored in the row: where the prediction lies", "", -kAny, kAny, {}})
      .add("raw_dataset", keys.raw_dataset,
           {"stored in the row: raw that was predicted", "", -kAny, kAny, {}})
      .add("raw_voxel_size_nm", keys.raw_voxel_size_nm,
           {"stored in the row: voxel size that the network is made for; 0: not stated", "nm", 0, 1e6, {}})
      .add("refined", keys.refined,
           {"stored in the row: SEGMENTATION is a refined one", "", -kAny, kAny, {}});
}

std::unique_ptr<blockwise::Stage> make_evaluate_stage(const StageDescription& description) {
  return std::make_unique<EvaluateStage>(description);
}

}  // namespace organon::stages
