#include "organon/app/plan_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "organon/app/cell_stages.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/json.h"

namespace organon::app {
namespace {

// `limits`: of raw. Before the import they are not known, and do not change a plan.
std::vector<blockwise::StageDescription> all_stages(const CellStages& stages,
                                                    const std::vector<double>& limits) {
  std::vector<blockwise::StageDescription> all = stages.imports();
  for (auto& stage : stages.after_imports(limits.empty() ? std::vector<double>{0, 255} : limits))
    all.push_back(std::move(stage));
  return all;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "organon-plan-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_system_error("cannot make a folder", pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string address_below(const std::filesystem::path& folder, const std::string& address) {
  const std::string whole = storage::address_in(std::filesystem::current_path(), address);
  const std::filesystem::path path = storage::parse_address(whole).path;
  const std::string scheme = whole.substr(0, whole.size() - path.string().size());
  return scheme + (folder / path.relative_path()).string();
}

bool reads_output_of(const blockwise::StageDescription& stage, const blockwise::StageDescription& earlier) {
  // Tables lie as CSV, JSON and SQLite under one name.
  const auto path_of = [](const std::string& address) {
    const auto path = std::filesystem::absolute(storage::parse_address(address).path).lexically_normal();
    return path.extension() == ".csv" || path.extension() == ".json"
               ? std::filesystem::path(path).replace_extension()
               : path;
  };
  const auto holds = [](const std::filesystem::path& outer, const std::filesystem::path& inner) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
  };
  for (const std::string& input : stage.inputs) {
    for (const std::string& output : earlier.outputs) {
      const auto read = path_of(input);
      const auto written = path_of(output);
      if (holds(read, written) || holds(written, read)) return true;
    }
  }
  return false;
}

void print_cell_plan(const config::CellConfig& config, const ExecutionOptions& options) {
  const TemporaryFolder temporary;
  const CellStages stages(config, config.folder);
  const CellStages stand_ins(config, temporary.path());
  print_plans(all_stages(stages, stages.raw_limits()), all_stages(stand_ins, stages.raw_limits()), options);
}

void print_plans(const std::vector<blockwise::StageDescription>& stages,
                 const std::vector<blockwise::StageDescription>& stand_ins, const ExecutionOptions& options) {
  const int workers =
      options.workers > 0 ? options.workers : static_cast<int>(std::thread::hardware_concurrency());
  double seconds = 0;
  if (!options.json) print_plan_header();
  std::vector<std::size_t> to_do;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string& output = stages[i].outputs.front();
    const std::string what = blockwise::title_of(stages[i]);
    const auto stand_in = make_stage(stand_ins[i]);
    if (i + 1 < stages.size()) stand_in->stand_in_for_outputs();
    // What is complete now is not for long where something that it reads is made anew.
    const bool has_all_inputs = std::none_of(to_do.begin(), to_do.end(), [&](std::size_t earlier) {
      return reads_output_of(stages[i], stages[earlier]);
    });
    const blockwise::RunFolder run(blockwise::run_folder_of(output));
    if (has_all_inputs && !options.force && blockwise::is_complete(stages[i], make_stage, run)) {
      if (!options.json) fmt::print(stderr, "{:<19} complete\n", what);
      continue;
    }
    to_do.push_back(i);
    const auto lines = blockwise::plan_stage(has_all_inputs ? *make_stage(stages[i]) : *stand_in, workers);
    print_plan(what, lines, options.json);
    for (const auto& line : lines) seconds += line.seconds;
  }
  if (!options.json) {
    fmt::print(stderr, "about {} in all, by typical rates; bytes are upper bounds of decoded voxels\n",
               clock_text(seconds));
  }
}

}  // namespace organon::app
