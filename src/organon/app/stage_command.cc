#include "organon/app/stage_command.h"

#include <fmt/format.h>

#include <CLI/StringTools.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"

namespace organon::app {
namespace {

constexpr std::size_t kMaxFailuresShown = 5;

}  // namespace

std::int64_t bytes_from_text(const std::string& text) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},         {"B", 1},      {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
      {"TiB", 0x1p40}, {"K", 0x1p10}, {"M", 0x1p20},   {"G", 0x1p30},   {"T", 0x1p40}};
  const char* end = text.data() + text.size();
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const auto unit = kUnits.find(std::string(rest, end));
  if (error != std::errc() || unit == kUnits.end() || !(number > 0 && number < 1e15)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("expected bytes such as 8GiB, found '{}'", text));
  }
  return static_cast<std::int64_t>(number * unit->second);
}

std::string program_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

void print_plan_header() {
  fmt::print(stderr, "{:<19} {:<20} {:>8} {:>11} {:>11} {:>11} {:>9}\n", "verb", "step", "blocks", "read",
             "written", "per worker", "time");
}

void print_plan(const std::string& title, const std::vector<blockwise::PlanLine>& lines, bool as_json) {
  if (as_json) {
    for (const auto& line : lines) {
      const Json json = {{"stage", title},
                         {"step", line.step},
                         {"blocks", line.num_blocks},
                         {"bytes_read", line.bytes_read},
                         {"bytes_written", line.bytes_written},
                         {"bytes_per_worker", line.bytes_per_worker},
                         {"seconds", line.seconds}};
      fmt::print("{}\n", json.dump());
    }
    return;
  }
  for (const auto& line : lines) {
    fmt::print(stderr, "{:<19} {:<20} {:>8} {:>11} {:>11} {:>11} {:>9}\n", title, line.step, line.num_blocks,
               bytes_text(static_cast<double>(line.bytes_read)),
               bytes_text(static_cast<double>(line.bytes_written)),
               bytes_text(static_cast<double>(line.bytes_per_worker)), clock_text(line.seconds));
  }
}

void print_report(const blockwise::StageDescription& description, bool as_json) {
  const auto& report = stage_verb(description.verb).report;
  if (!report) return;
  std::filesystem::path file = report(description);
  if (as_json) file.replace_extension(".json");
  fmt::print("{}", read_text(file));
}

int execute_stage(const blockwise::StageDescription& description, const ExecutionOptions& options,
                  Progress& progress) {
  const std::string& target = description.outputs.back();
  if (options.dry_run) {
    const int workers =
        options.workers > 0 ? options.workers : static_cast<int>(std::thread::hardware_concurrency());
    if (!options.json) print_plan_header();
    print_plan(blockwise::title_of(description), blockwise::plan_stage(*make_stage(description), workers),
               options.json);
    return 0;
  }
  blockwise::RunOptions run_options;
  run_options.workers = options.workers;
  run_options.fsync = options.no_fsync ? Fsync::kNo : Fsync::kYes;
  run_options.worker_program = program_path();
  run_options.force = options.force;
  run_options.device = options.device;
  run_options.uses_slurm = options.engine == "slurm";
  run_options.sbatch_arguments = CLI::detail::split_up(options.sbatch_args);
  if (!options.memory.empty()) run_options.memory_bytes = bytes_from_text(options.memory);
  run_options.limits.timeout_s = options.timeout_s;
  run_options.limits.silent_s = options.silent_s;
  run_options.max_failed_share = options.max_failed_share;
  const blockwise::RunFolder run(blockwise::run_folder_of(target));
  const blockwise::RunResult result =
      blockwise::run_stage(description, make_stage, run, run_options, progress);
  if (options.json) {
    Json failed = Json::array();
    for (const auto& failure : result.failures)
      failed.push_back({{"step", failure.step}, {"block", failure.block}, {"message", failure.message}});
    fmt::print("{}\n", Json({{"event", "done"},
                             {"verb", description.verb},
                             {"output", target},
                             {"unchanged", result.was_unchanged},
                             {"blocks", result.num_blocks},
                             {"kept", result.num_kept},
                             {"failed", failed},
                             {"result", result.result},
                             {"seconds", result.seconds}})
                           .dump());
  }
  if (result.was_unchanged && !options.is_quiet) {
    fmt::print(stderr, "{}: {} is complete and unchanged\n", description.verb, target);
  }
  if (result.num_kept > 0) {
    fmt::print(stderr, "{}: the input grew or changed in part: {} of {} blocks kept\n", description.verb,
               result.num_kept, result.num_blocks);
  }
  if (result.failures.empty()) return 0;
  fmt::print(stderr,
             "{}: {} of {} blocks failed; finished blocks are kept, run the same command again to retry:\n",
             description.verb, result.failures.size(), result.num_blocks);
  for (std::size_t i = 0; i < std::min(kMaxFailuresShown, result.failures.size()); ++i) {
    const blockwise::BlockFailure& failure = result.failures[i];
    fmt::print(
        stderr,
        "  {}\n    alone, and its input drawn:  organon block '{}' --step {} --block {} --draw block.png\n",
        failure.message, run.path().string(), failure.step + 1, failure.block);
  }
  if (result.failures.size() > kMaxFailuresShown)
    fmt::print(stderr, "  ... all of them:  organon status '{}'\n", run.path().string());
  return 1;
}

}  // namespace organon::app
