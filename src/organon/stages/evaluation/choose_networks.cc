#include "organon/stages/evaluation/choose_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/evaluation/choose_report.h"
#include "organon/tables/sqlite_file.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr std::size_t kMostNamedFiles = 10;
// Per byte of files as evaluate writes them: rows, the table of records and its text (10^6 records of 57 MB
// took 1.2 GB). The parsed JSON of the largest.
constexpr std::int64_t kBytesPerByte = 20;
constexpr std::int64_t kParsedBytesPerByte = 16;
constexpr std::int64_t kSpareBytes = 64 << 20;

struct Set {
  std::vector<std::string> inputs;
  std::filesystem::path folder;
  ChooseOptions options;

  explicit Set(const StageDescription& description)
      : inputs(description.inputs),
        folder(storage::parse_address(description.outputs.at(0)).local_path()),
        options(options_from_json<ChooseOptions>(description.options_json)) {
    (void)options.query();
    if (list_score_files(inputs).empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected files of scores (.json), found none", fmt::join(inputs, ", ")));
    }
  }
};

class ChooseStep : public Step {
 public:
  explicit ChooseStep(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    std::int64_t all = 0;
    std::int64_t largest = 0;
    for (const std::filesystem::path& file : list_score_files(set_.inputs)) {
      const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
      all += bytes;
      largest = std::max(largest, bytes);
    }
    plan.bytes_per_worker = kBytesPerByte * all + kParsedBytesPerByte * largest + kSpareBytes;
    plan.bytes_read = all;
    plan.voxels_per_second = 1;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const GatheredScores gathered = gather_scores(set_.inputs);
    output.report(0.3, "scores read");
    std::filesystem::create_directories(set_.folder);
    {
      const ObjectTable records = records_of(gathered.rows);
      const std::filesystem::path database = set_.folder / "scores.sqlite";
      // Written anew, not changed: the same bytes whatever was there.
      std::filesystem::remove(database);
      tables::write_sqlite(database, {{"scores", records}});
      output.add_file(database);
      output.write_text(set_.folder / "scores.csv", tables::to_csv(records));
    }
    output.report(0.6, "store written");
    const Choice choice = choose_networks(gathered.rows, set_.options);
    std::string hashes;
    for (const auto& files : {choice_files(choice, set_.options, notes_on(gathered, choice)),
                              choice_plots(choice, set_.options)}) {
      for (const auto& [name, text] : files) {
        output.write_text(set_.folder / name, text);
        hashes += to_hex(hash_text(text));
      }
    }
    const std::string hash = to_hex(hash_text(hashes));
    output.emit(0, std::as_bytes(std::span(hash.data(), hash.size())));
  }

 private:
  std::vector<std::string> notes_on(const GatheredScores& gathered, const Choice& choice) const {
    const ChoiceQuery query = set_.options.query();
    const auto count = [&](auto is_counted) {
      return std::count_if(gathered.rows.begin(), gathered.rows.end(), is_counted);
    };
    std::vector<std::string> notes;
    notes.push_back(fmt::format("{} rows in {} files, {} of them refined; {} have the score that is compared",
                                gathered.rows.size(), gathered.num_files,
                                count([](const ScoredRow& row) { return row.refined; }),
                                count([&](const ScoredRow& row) { return query.takes(row); })));
    const auto other = count([&](const ScoredRow& row) { return !row.refined && !query.sees(row); });
    if (other > 0) notes.push_back(fmt::format("{} rows are of another threshold and are left out", other));
    std::vector<std::string> missed;
    for (const ClassChoice& chosen : choice.groups.front().classes)
      if (metrics()[query.metric].higher_is_better && chosen.best.score == 0) missed.push_back(chosen.label);
    if (!missed.empty()) {
      notes.push_back(
          fmt::format("no network finds {}; of such a class the first is named", fmt::join(missed, ", ")));
    }
    const std::vector<std::string>& skipped = gathered.skipped;
    if (!skipped.empty()) {
      const std::size_t shown = std::min(skipped.size(), kMostNamedFiles);
      notes.push_back(
          fmt::format("{} .json files hold no scores and are left out: {}{}", skipped.size(),
                      fmt::join(skipped.begin(), skipped.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                      shown < skipped.size() ? ", ..." : ""));
    }
    return notes;
  }

  const Set& set_;
};

class ChooseStage : public blockwise::Stage {
 public:
  explicit ChooseStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override { return {"choose"}; }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder&) const override {
    return std::make_unique<ChooseStep>(set_);
  }
  std::vector<StepPlan> plans() const override { return {ChooseStep(set_).plan()}; }

 private:
  Set set_;
};

}  // namespace

void ChooseOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  constexpr double kMostIterations = 1e15;
  std::vector<std::string> names;
  for (const Metric& each : metrics()) names.emplace_back(each.name);
  table.add("metric", metric, {"score that is compared", "", -kAny, kAny, names})
      .add("threshold", threshold,
           {"predictions evaluated at another threshold are left out", "grey levels", 0, 255, {}})
      .add("clip_distance_nm", clip_distance_nm,
           {"clipped scores with another clip distance are left out", "nm", 0, 1e5, {}})
      .add("tolerance_nm", tolerance_nm,
           {"tolerant scores with another tolerance are left out", "nm", 0, 1e5, {}})
      .add("until_stop", until_stop,
           {"choose only among iterations up to where training would have been stopped", "", -kAny, kAny, {}})
      .add("stop_step", stop.step,
           {"to stop, only iterations that are multiples of this count (paper: 25000); 0: all",
            "iterations",
            0,
            kMostIterations,
            {}})
      .add("must_show_by", stop.must_show_by,
           {"stop a set-up of which nothing is above the threshold by then",
            "iterations",
            0,
            kMostIterations,
            {}})
      .add("least_iteration", stop.least_iteration,
           {"use a set-up at least so far, wherever it would have been stopped",
            "iterations",
            0,
            kMostIterations,
            {}})
      .add("largest_iteration", stop.largest_iteration,
           {"stop here in any case", "iterations", 0, kMostIterations, {}});
}

ChoiceQuery ChooseOptions::query() const {
  return {metric_index(metric), threshold, clip_distance_nm, tolerance_nm};
}

std::unique_ptr<blockwise::Stage> make_choose_stage(const StageDescription& description) {
  return std::make_unique<ChooseStage>(description);
}

}  // namespace organon::stages
