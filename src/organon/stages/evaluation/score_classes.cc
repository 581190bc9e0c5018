#include "organon/stages/evaluation/score_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/evaluation/score_report.h"
#include "organon/stages/evaluation/scored_volumes.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::PartialReader;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr std::int64_t kMaxVoxels = std::int64_t{1} << 27;
// A float of the distance transform.
constexpr std::int64_t kDistanceBytes = 4;
constexpr std::int64_t kSpareBytes = 32 << 20;
// Columns that people are shown.
const std::vector<std::string> kShown = {"class",
                                         "f1",
                                         "mean_false_distance_nm",
                                         "precision",
                                         "recall",
                                         "true_positive_voxels",
                                         "false_positive_voxels",
                                         "false_negative_voxels"};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "evaluate, all classes: " + message);
}

// What the first step leaves of a class.
struct ClassSums {
  voxel::AgreementSums clipped;
  voxel::AgreementSums whole;
};

struct Set {
  StageDescription description;
  EvaluateClassesOptions options;
  std::filesystem::path output;

  explicit Set(const StageDescription& given)
      : description(given),
        options(options_from_json<EvaluateClassesOptions>(given.options_json)),
        output(given.outputs.at(0)) {
    if (output.extension() != ".json")
      refuse(fmt::format("{}: the name of the scores must end in .json", output.string()));
    if (options.classes.empty()) refuse("no classes are named");
    check_length("ids", options.ids.size(), true);
    check_length("truth_volumes", options.truth_volumes.size(), true);
    check_length("masks", options.masks.size(), true);
    check_length("truth_expand_nm", options.truth_expand_nm.size(), true);
    for (const auto* numbers : {&options.truth_volumes, &options.masks}) {
      for (const std::int64_t number : *numbers) {
        if (number < (numbers == &options.masks ? -1 : 0) || number + 1 >= num_inputs())
          refuse(fmt::format("there is no volume {}: {} volumes follow the predictions", number,
                             num_inputs() - 1));
      }
    }
  }

  std::size_t num_classes() const { return options.classes.size(); }

  /// What `evaluate` would be asked for one class.
  StageDescription of_class(std::size_t number) const {
    const auto volume = [&](std::int64_t place) {
      return description.inputs.at(static_cast<std::size_t>(place) + 1);
    };
    EvaluateOptions one;
    one.class_name = options.classes[number];
    one.kind = "prediction";
    if (!options.ids.empty() && options.ids[number] != "any") one.ids = options.ids[number];
    if (!options.truth_expand_nm.empty()) one.truth_expand_nm = options.truth_expand_nm[number];
    one.threshold = options.threshold;
    one.clip_distance_nm = options.clip_distance_nm;
    one.tolerance_nm = options.tolerance_nm;
    StageDescription asked = description;
    asked.options_json = options_to_json(one);
    asked.inputs = {description.inputs.at(0) + "/" + options.classes[number],
                    volume(options.truth_volumes.empty() ? 0 : options.truth_volumes[number])};
    if (!options.masks.empty() && options.masks[number] >= 0)
      asked.inputs.push_back(volume(options.masks[number]));
    return asked;
  }

 private:
  std::int64_t num_inputs() const { return static_cast<std::int64_t>(description.inputs.size()); }
  void check_length(const char* name, std::size_t found, bool may_be_empty) const {
    if (found == num_classes() || (may_be_empty && found == 0)) return;
    refuse(fmt::format("{}: {} classes need as many, found {}", name, num_classes(), found));
  }
};

class CompareClasses : public Step {
 public:
  explicit CompareClasses(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over_tasks(static_cast<std::int64_t>(set_.num_classes()));
    std::int64_t voxels = 0;
    for (std::size_t number = 0; number < set_.num_classes(); ++number) {
      const ScoredVolumes volumes(set_.of_class(number));
      const Box& region = volumes.region();
      if (region.volume() > kMaxVoxels) {
        refuse(
            fmt::format("{}: {} voxels would be compared, at most {} are: say --box-nm, or evaluate class "
                        "by class",
                        set_.options.classes[number], region.volume(), kMaxVoxels));
      }
      voxels = std::max(voxels, region.volume());
      plan.bytes_per_worker =
          std::max(plan.bytes_per_worker,
                   volumes.reading_bytes(region.shape()) + kDistanceBytes * region.volume() + kSpareBytes);
      plan.bytes_read += region.volume() * volumes.bytes_per_voxel();
    }
    plan.voxels_per_second = 3e6 / static_cast<double>(std::max<std::int64_t>(voxels, 1));
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const ScoredVolumes volumes(set_.of_class(static_cast<std::size_t>(block.id)));
    const MaskArrays masks = volumes.read_masks(volumes.region());
    const Box all = Box::of_shape(masks.counted.shape());
    const SizeNm& size_nm = volumes.spec().grid.voxel_size_nm;
    ClassSums sums;
    sums.clipped = voxel::compare_masks(masks.views(), all, size_nm,
                                        {set_.options.clip_distance_nm, set_.options.tolerance_nm});
    // Without truth there will be no row.
    if (sums.clipped.truth() > 0) {
      sums.whole = voxel::compare_masks(masks.views(), all, size_nm,
                                        {std::numeric_limits<double>::infinity(), set_.options.tolerance_nm});
    }
    output.emit(block.id, blockwise::bytes_of(std::vector{sums}));
  }

 private:
  const Set& set_;
};

class WriteScores : public Step {
 public:
  WriteScores(const Set& set, std::filesystem::path classes) : set_(set), classes_(std::move(classes)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = kSpareBytes;
    plan.voxels_per_second = 1e3;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const EvaluateClassesOptions& options = set_.options;
    const PartialReader reader(classes_);
    Json rows = Json::array();
    std::vector<ScoreRow> shown_rows;
    std::vector<std::string> notes;
    for (std::size_t number = 0; number < set_.num_classes(); ++number) {
      const auto bytes = reader.read(static_cast<std::int64_t>(number)).value();
      const ClassSums sums = blockwise::values_of<ClassSums>(bytes).at(0);
      if (sums.clipped.truth() == 0) {
        notes.push_back(
            fmt::format("{}: the truth has no voxel of it here that counts", options.classes[number]));
        continue;
      }
      ScoreParts parts;
      parts.class_name = options.classes[number];
      parts.region = options.region;
      parts.keys = options.keys;
      parts.kind = "prediction";
      parts.threshold = options.threshold;
      parts.clip_distance_nm = options.clip_distance_nm;
      parts.tolerance_nm = options.tolerance_nm;
      if (!options.truth_expand_nm.empty()) parts.truth_expand_nm = options.truth_expand_nm[number];
      parts.clipped = sums.clipped;
      parts.whole = sums.whole;
      const ScoreRow row = make_score_row(parts);
      rows.push_back(row_json(row));
      ScoreRow& shown_row = shown_rows.emplace_back();
      for (const auto& column : row)
        if (std::find(kShown.begin(), kShown.end(), column.first) != kShown.end())
          shown_row.push_back(column);
    }
    const std::string json = to_text({{"scores", rows},
                                      {"notes", notes},
                                      {"organon",
                                       {{"version", ORGANON_VERSION},
                                        {"verb", "evaluate"},
                                        {"options", parse_json(options_to_json(options), "options")},
                                        {"box_nm", set_.description.box_nm}}}});
    std::string text = rows_text(shown_rows);
    for (const std::string& note : notes) text += "note: " + note + "\n";
    std::filesystem::path beside = set_.output;
    output.write_text(beside.replace_extension(".txt"), text);
    output.write_text(set_.output, json);
    const std::string hash = to_hex(hash_text(json));
    output.emit(0, std::as_bytes(std::span(hash.data(), hash.size())));
  }

 private:
  const Set& set_;
  std::filesystem::path classes_;
};

class EvaluateClassesStage : public blockwise::Stage {
 public:
  explicit EvaluateClassesStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override { return {"compare classes", "write scores"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<CompareClasses>(set_);
    return std::make_unique<WriteScores>(set_, run.step(0));
  }
  std::vector<StepPlan> plans() const override {
    return {CompareClasses(set_).plan(), WriteScores(set_, "").plan()};
  }
  // Scores of nothing: enough for the plan of `choose`.
  void stand_in_for_outputs() const override {
    std::filesystem::create_directories(set_.output.parent_path());
    write_text_atomically(set_.output, R"({"scores": []})");
  }

 private:
  Set set_;
};

}  // namespace

void EvaluateClassesOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("classes", classes,
           {"names of the classes, predicted at SEGMENTATION/<class>", "", -kAny, kAny, {}})
      .add("ids", ids, {"ids of TRUTH per class, as 3+4+5,8; any: all above 0", "", -kAny, kAny, {}})
      .add(
          "truth_volumes", truth_volumes,
          {"per class which volume after SEGMENTATION is its truth, from 0; none: the first", "", 0, 1e6, {}})
      .add("masks", masks,
           {"per class the volume after SEGMENTATION outside of which nothing counts, from 0; -1: none",
            "",
            -1,
            1e6,
            {}})
      .add("truth_expand_nm", truth_expand_nm,
           {"per class by how much TRUTH is expanded; none: 0", "nm", 0, 1e4, {}});
  EvaluateOptions of_one;
  OptionTable common;
  of_one.bind(common);
  const auto info_of = [&](const char* name) {
    return std::find_if(common.options().begin(), common.options().end(),
                        [&](const OptionTable::Option& option) { return option.name == name; })
        ->info;
  };
  table.add("threshold", threshold, info_of("threshold"))
      .add("clip_distance_nm", clip_distance_nm, info_of("clip_distance_nm"))
      .add("tolerance_nm", tolerance_nm, info_of("tolerance_nm"))
      .add("region", region, info_of("region"))
      .add("dataset", keys.dataset, info_of("dataset"))
      .add("crop", keys.crop, info_of("crop"))
      .add("setup", keys.setup, info_of("setup"))
      .add("family", keys.family, info_of("family"))
      .add("iteration", keys.iteration, info_of("iteration"))
      .add("path", keys.path, info_of("path"))
      .add("raw_dataset", keys.raw_dataset, info_of("raw_dataset"))
      .add("raw_voxel_size_nm", keys.raw_voxel_size_nm, info_of("raw_voxel_size_nm"));
}

std::unique_ptr<blockwise::Stage> make_evaluate_classes_stage(const StageDescription& description) {
  return std::make_unique<EvaluateClassesStage>(description);
}

}  // namespace organon::stages
