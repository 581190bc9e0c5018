#include "organon/app/run_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "organon/app/cell_stages.h"
#include "organon/app/cell_status.h"
#include "organon/app/plan_cell.h"
#include "organon/app/run_study.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/config/study_config.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

// One line per class: the scores that people look at first.
void print_scores(const config::CellConfig& config, const CellStages& stages) {
  if (config.truth.empty()) return;
  const std::vector<const char*> columns = {"f1", "jaccard", "precision", "recall", "mean_false_distance_nm"};
  fmt::print(stderr, "\n{:<16}", "class");
  for (const char* column : columns) fmt::print(stderr, " {:>10}", column);
  fmt::print(stderr, "\n");
  for (const config::ClassConfig& organelle : config.classes) {
    if (!organelle.is_predicted()) continue;
    const std::string file = stages.scores(organelle.name);
    const Json row = parse_json(read_text(file), file).at("scores").at(0);
    fmt::print(stderr, "{:<16}", organelle.name);
    for (const char* column : columns) {
      const Json& value = row.at(column);
      fmt::print(stderr, " {:>{}}", value.is_null() ? "-" : fmt::format("{:.4g}", value.get<double>()),
                 std::max<std::size_t>(10, std::string_view(column).size()));
    }
    fmt::print(stderr, "\n");
  }
}

void check_until(const std::string& until, const CellStages& stages) {
  if (until.empty()) return;
  stage_verb(until);
  std::vector<std::string> verbs;
  const auto note = [&](const std::vector<blockwise::StageDescription>& some) {
    for (const auto& stage : some)
      if (verbs.empty() || verbs.back() != stage.verb) verbs.push_back(stage.verb);
  };
  note(stages.imports());
  note(stages.after_imports({}));
  if (std::find(verbs.begin(), verbs.end(), until) != verbs.end()) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("--until {}: this cell has no such stage, but {}", until, fmt::join(verbs, ", ")));
}

}  // namespace

bool keep_contrast_limits(const std::string& path, double low, double high) {
  const std::string text = read_text(path);
  std::string result;
  bool is_done = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    std::string_view line(text.data() + begin, end - begin);
    result += line;
    begin = end;
    const std::size_t first = line.find_first_not_of(" \t");
    if (is_done || first == std::string_view::npos || !line.substr(first).starts_with("[raw]")) continue;
    if (!line.ends_with('\n')) result += '\n';
    result += fmt::format("contrast_limits = [{}, {}]  # estimated; change it and run again\n", low, high);
    is_done = true;
  }
  if (is_done) write_text_atomically(path, result);
  return is_done;
}

int run_cell_command(const RunCellArguments& arguments) {
  if (config::is_study(arguments.config_path)) return run_study_command(arguments);
  config::CellConfig config = config::read_cell_config(arguments.config_path);
  if (arguments.execution.dry_run) {
    print_cell_plan(config, arguments.execution);
    return 0;
  }
  const CellStages stages(config, config.folder);
  check_until(arguments.until, stages);
  const blockwise::RunLock lock(run_of_cell(config).path());
  const std::unique_ptr<Progress> progress = make_progress(arguments.execution.json);
  const auto run = [&](const blockwise::StageDescription& description) {
    return execute_stage(description, arguments.execution, *progress);
  };
  for (const blockwise::StageDescription& description : stages.imports()) {
    if (const int code = run(description); code != 0) return code;
  }
  const std::vector<double> limits = stages.raw_limits();
  if (config.contrast_limits.empty() && limits.size() == 2 && !stages.imports().empty()) {
    const bool is_kept = keep_contrast_limits(config.path.string(), limits[0], limits[1]);
    fmt::print(stderr, "contrast limits {} to {} were estimated and {} {}\n", limits[0], limits[1],
               is_kept ? "kept in" : "may be set as contrast_limits of raw in", config.path.string());
  }
  if (arguments.until == "import") return 0;
  const auto all = stages.after_imports(limits);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const int code = run(all[i]); code != 0) return code;
    const bool is_last_of_verb = i + 1 == all.size() || all[i + 1].verb != all[i].verb;
    if (is_last_of_verb && all[i].verb == arguments.until) return 0;
  }
  print_scores(config, stages);
  fmt::print(stderr, "\n{} is published in {}; look at it with:  organon serve {}\n", config.name,
             stages.published(), stages.published());
  return 0;
}

}  // namespace organon::app
