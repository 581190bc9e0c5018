#include "organon/app/run_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "organon/app/cell_status.h"
#include "organon/app/draw_block.h"
#include "organon/app/run_study.h"
#include "organon/app/stage_command.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/blockwise/status.h"
#include "organon/blockwise/verify.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

using blockwise::RunFolder;
using blockwise::RunStatus;
using blockwise::StepStatus;

constexpr std::size_t kMostShown = 10;

std::string state_of(const RunStatus& status) {
  if (status.is_running) return "running";
  if (status.is_complete) return "complete";
  const bool has_failed = std::any_of(status.steps.begin(), status.steps.end(),
                                      [](const StepStatus& step) { return step.failed > 0; });
  return has_failed ? "failed" : "stopped";
}

Json to_json(const RunFolder& run, const RunStatus& status) {
  Json steps = Json::array();
  for (const StepStatus& step : status.steps) {
    Json failures = Json::array();
    for (const auto& [block, message] : step.failures)
      failures.push_back({{"block", block}, {"message", message}});
    steps.push_back({{"step", step.name},
                     {"blocks", step.num_blocks},
                     {"ready", step.ready},
                     {"processing", step.processing},
                     {"orphaned", step.orphaned},
                     {"completed", step.completed},
                     {"skipped", step.skipped},
                     {"failed", step.failed},
                     {"kept", step.kept},
                     {"blocks_per_second", step.blocks_per_second},
                     {"seconds_left", step.seconds_left ? Json(*step.seconds_left) : Json()},
                     {"peak_bytes", step.peak_bytes},
                     {"failures", failures},
                     {"workers", step.workers}});
  }
  return {{"run", run.path().string()},
          {"verb", status.description.verb},
          {"outputs", status.description.outputs},
          {"state", state_of(status)},
          {"session", status.session},
          {"device", status.device.empty() ? Json() : Json(status.device)},
          {"num_steps", status.num_steps},
          {"steps", steps}};
}

void print_status(const RunFolder& run, const RunStatus& status) {
  fmt::print("{}: {}{}\n", blockwise::title_of(status.description), state_of(status),
             status.device.empty() ? "" : ", on " + status.device);
  fmt::print("  {:<22} {:>9} {:>9} {:>10} {:>9} {:>8} {:>7} {:>8} {:>9} {:>9} {:>9}\n", "step", "blocks",
             "ready", "processing", "completed", "skipped", "failed", "orphaned", "blocks/s", "left", "peak");
  for (const StepStatus& step : status.steps) {
    fmt::print("  {:<22} {:>9} {:>9} {:>10} {:>9} {:>8} {:>7} {:>8} {:>9.3g} {:>9} {:>9}\n", step.name,
               step.num_blocks, step.ready, step.processing, step.completed, step.skipped, step.failed,
               step.orphaned, step.blocks_per_second,
               step.seconds_left ? clock_text(*step.seconds_left) : "-",
               bytes_text(static_cast<double>(step.peak_bytes)));
  }
  const std::size_t left = status.num_steps - std::min(status.num_steps, status.steps.size());
  if (left > 0 && !status.steps.empty()) fmt::print("  {} of {} steps to come\n", left, status.num_steps);
  for (std::size_t i = 0; i < status.steps.size(); ++i) {
    const StepStatus& step = status.steps[i];
    for (const auto& [block, message] : step.failures) {
      fmt::print(
          "  failed: {}\n    alone, and its input drawn:  organon block '{}' --step {} --block {} --draw "
          "block.png\n",
          message, run.path().string(), i + 1, block);
    }
  }
}

// The cell.toml or study.toml that a place is, or holds; empty where it does neither.
std::filesystem::path cell_toml_at(const std::filesystem::path& place) {
  if (place.extension() == ".toml" && std::filesystem::is_regular_file(place)) return place;
  for (const char* name : {"cell.toml", "study.toml"})
    if (std::filesystem::is_regular_file(place / name)) return place / name;
  return {};
}

// Waits a second; false where status is to be shown once only, or nothing runs.
bool goes_on_watching(const RunArguments& arguments, bool is_running) {
  std::fflush(stdout);
  if (!arguments.watch || !is_running || is_cancelled()) return false;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  return true;
}

void begin_screen(const RunArguments& arguments) {
  if (arguments.watch && ::isatty(STDOUT_FILENO) != 0) fmt::print("\033[H\033[2J");
}

int study_status_command(const RunArguments& arguments, const std::filesystem::path& study_toml) {
  bool is_running = false;
  do {
    const config::StudyConfig study = config::read_study_config(study_toml);
    begin_screen(arguments);
    is_running = print_study_status(study, arguments.json);
  } while (goes_on_watching(arguments, is_running));
  return 0;
}

int status_command(const RunArguments& arguments) {
  const std::filesystem::path cell_toml = cell_toml_at(arguments.place);
  if (!cell_toml.empty() && config::is_study(cell_toml)) return study_status_command(arguments, cell_toml);
  for (;;) {
    std::vector<CellStageStatus> cell;
    std::optional<config::CellConfig> config;
    if (!cell_toml.empty()) {
      config = config::read_cell_config(cell_toml);
      cell = read_cell_status(*config);
    }
    auto runs =
        cell_toml == arguments.place ? std::vector<RunFolder>() : blockwise::find_runs(arguments.place);
    // Of a cell's folder, what is not the cell's besides.
    std::erase_if(runs, [&](const RunFolder& run) {
      return std::any_of(cell.begin(), cell.end(), [&](const CellStageStatus& stage) {
        std::error_code missing;
        return std::filesystem::equivalent(stage.run.path(), run.path(), missing);
      });
    });
    if (runs.empty() && !config) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: no run is kept here: name a cell.toml, an output, a run folder, or a folder",
                      arguments.place));
    }
    begin_screen(arguments);
    bool is_running = config && print_cell_status(*config, cell, arguments.json);
    for (const RunFolder& run : runs) {
      if (!std::filesystem::exists(run.path() / "stage.json")) continue;  // about to begin
      const RunStatus status = blockwise::read_status(run);
      is_running = is_running || status.is_running;
      if (arguments.json) {
        fmt::print("{}\n", to_json(run, status).dump());
      } else {
        print_status(run, status);
      }
    }
    if (!goes_on_watching(arguments, is_running)) return 0;
  }
}

int block_command(const RunArguments& arguments) {
  const auto runs = blockwise::find_runs(arguments.place);
  if (runs.size() != 1) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected one run or its output, found {}", arguments.place, runs.size()));
  }
  const RunFolder& run = runs.front();
  const auto step = static_cast<std::size_t>(arguments.step - 1);
  if (!arguments.picture.empty()) {
    const auto stage = make_stage(run.read_description());
    const auto names = stage->steps();
    if (step >= names.size()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--step: this run has steps 1 to {}", names.size()));
    }
    const blockwise::StepPlan plan = stage->make_step(step, run)->plan();
    if (arguments.block >= plan.blocks().count()) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("--block: step {} has blocks 0 to {}",
                                                           arguments.step, plan.blocks().count() - 1));
    }
    draw_block_inputs(plan, plan.blocks().box_of(arguments.block), arguments.picture);
    fmt::print(stderr, "drew what block {} of step {} reads: {}\n", arguments.block, arguments.step,
               arguments.picture);
  }
  blockwise::run_block(run, make_stage, step, arguments.block, Fsync::kYes);
  fmt::print(stderr, "block {} of step {} is done; run the stage again to finish it\n", arguments.block,
             arguments.step);
  return 0;
}

// The datasets that an address stands for: itself, or the levels of a group.
std::vector<std::string> datasets_of(const std::string& address) {
  std::vector<std::string> datasets;
  for (const auto& level : storage::open_multiscale(address).levels) datasets.push_back(level->address());
  return datasets;
}

// What an address stands for: the levels of a group, or an output of another kind with its run.
std::vector<std::function<blockwise::Verification(Progress&)>> verifications_of(const std::string& address) {
  const RunFolder run(blockwise::run_folder_of(address));
  std::vector<std::function<blockwise::Verification(Progress&)>> verifications;
  std::vector<std::string> datasets;
  try {
    datasets = datasets_of(address);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound || !std::filesystem::exists(run.path() / "stage.json")) throw;
    verifications.emplace_back([run](Progress&) { return blockwise::verify_files(run); });
  }
  for (const std::string& dataset : datasets)
    verifications.emplace_back(
        [dataset](Progress& progress) { return blockwise::verify_dataset(dataset, progress); });
  return verifications;
}

void print_verification(const std::string& address, const blockwise::Verification& found, bool as_json) {
  if (as_json) {
    Json damage = Json::array();
    for (const auto& one : found.damage) damage.push_back({{"place", one.place}, {"reason", one.reason}});
    fmt::print("{}\n", Json({{"dataset", address},
                             {"against", found.run ? "ledger" : "decoding"},
                             {"chunks", found.num_chunks},
                             {"stored", found.num_stored},
                             {"files", found.num_files},
                             {"bytes", found.bytes_read},
                             {"damage", damage}})
                           .dump());
    return;
  }
  std::string what;
  if (found.num_chunks > 0) {
    what = fmt::format("{} of {} chunks stored, {} read", found.num_stored, found.num_chunks,
                       bytes_text(static_cast<double>(found.bytes_read)));
  }
  if (found.num_files > 0) what += fmt::format("{}{} files", what.empty() ? "" : ", ", found.num_files);
  fmt::print("{}: {}, {}: {}\n", address, what,
             found.run ? "compared with the ledger" : "decoded (nothing is known of how it was made)",
             found.damage.empty() ? "sound" : fmt::format("{} damaged", found.damage.size()));
  for (std::size_t i = 0; i < std::min(kMostShown, found.damage.size()); ++i)
    fmt::print("  {}: {}\n", found.damage[i].place, found.damage[i].reason);
  if (found.damage.size() > kMostShown)
    fmt::print("  ... and {} more; all with --json\n", found.damage.size() - kMostShown);
}

int verify_command(const RunArguments& arguments, bool repairs) {
  const std::unique_ptr<Progress> progress = make_progress(arguments.json);
  SilentProgress silent;
  Progress& shown = ::isatty(STDERR_FILENO) != 0 ? *progress : silent;
  bool is_sound = true;
  for (const std::string& group : arguments.addresses) {
    for (const auto& verify : verifications_of(group)) {
      const blockwise::Verification found = verify(shown);
      if (&shown == progress.get() && found.num_chunks > 0) shown.finish("read");
      print_verification(group, found, arguments.json);
      if (found.damage.empty()) continue;
      if (!repairs) {
        is_sound = false;
        continue;
      }
      blockwise::RunOptions options;
      options.workers = arguments.workers;
      options.worker_program = program_path();
      const auto result = blockwise::repair_dataset(found, make_stage, options, *progress);
      for (const auto& failure : result.failures) fmt::print(stderr, "  {}\n", failure.message);
      const blockwise::Verification again = verify(silent);
      print_verification(group, again, arguments.json);
      is_sound = is_sound && result.failures.empty() && again.damage.empty();
    }
  }
  if (!is_sound && !repairs && !arguments.json)
    fmt::print(stderr, "organon repair computes damaged chunks again\n");
  return is_sound ? 0 : 1;
}

int clean_command(const RunArguments& arguments) {
  const auto waste = blockwise::find_waste(arguments.folder);
  std::int64_t freed = 0;
  bool is_any_going = false;
  for (const auto& one : waste) {
    const bool is_in_use = !one.run.empty() && RunFolder(one.run).is_running();
    const bool goes = (one.is_safe || arguments.scratch) && !is_in_use;
    if (goes) freed += one.bytes;
    is_any_going = is_any_going || goes;
    if (arguments.json) {
      fmt::print("{}\n", Json({{"path", one.path.string()},
                               {"reason", one.reason},
                               {"bytes", one.bytes},
                               {"removed", goes && arguments.yes}})
                             .dump());
    } else {
      fmt::print("{:>10}  {}{}: {}\n", bytes_text(static_cast<double>(one.bytes)),
                 goes ? "" : "(with --scratch) ", one.path.string(), one.reason);
    }
    if (goes && arguments.yes) std::filesystem::remove_all(one.path);
  }
  if (arguments.json) return 0;
  if (!is_any_going) {
    fmt::print("{}: nothing to clean\n", arguments.folder);
  } else {
    fmt::print("{} {}\n", bytes_text(static_cast<double>(freed)),
               arguments.yes ? "freed" : "can go: the same command with --yes removes them");
  }
  return 0;
}

}  // namespace

void add_run_commands(CLI::App& app, RunArguments& arguments, int& exit_code) {
  constexpr char kTrust[] = "Trust and tidy";
  CLI::App* status =
      app.add_subcommand("status", "how far a cell or a run is: stages, blocks, rate, time left, failures")
          ->group(kTrust);
  status
      ->add_option(
          "PLACE", arguments.place,
          "a cell.toml or its folder: all stages in order; an output, a run folder, or a folder with "
          "either: each run's steps")
      ->required();
  status->add_flag("--watch", arguments.watch, "show it every second until nothing runs");
  status->add_flag("--json", arguments.json, "machine-readable lines on stdout");
  status->footer(
      "Stages of a cell are\n"
      "  complete  and unchanged: the next organon run leaves them as they are\n"
      "  running   blocks and time of this session, and what is left of the step\n"
      "  failed    some blocks were given up; the same organon run tries them again\n"
      "  stopped   cut short; the next organon run goes on\n"
      "  changed   complete, but options or inputs are others now: made anew by the next organon run\n"
      "  waiting   not begun, or what they read is not complete\n\n"
      "Examples:\n  organon status cell.toml --watch\n  organon status cell.n5/predictions");
  status->callback([&] { exit_code = status_command(arguments); });

  CLI::App* block =
      app.add_subcommand("block", "run one block of a run that began, in this process")->group(kTrust);
  block->add_option("PLACE", arguments.place, "a run folder, or its output")->required();
  block->add_option("--step", arguments.step, "which step of the stage; 1 is the first")
      ->check(CLI::Range(1, 1000))
      ->required();
  block->add_option("--block", arguments.block, "which block of the step")
      ->check(CLI::NonNegativeNumber)
      ->required();
  block->add_option("--draw", arguments.picture, "first draw what it reads into this PNG");
  block->footer("Example:\n  organon block cell.n5/labels/mito --step 1 --block 17 --draw block.png");
  block->callback([&] { exit_code = block_command(arguments); });

  for (const bool repairs : {false, true}) {
    CLI::App* verb = app.add_subcommand(repairs ? "repair" : "verify",
                                        repairs ? "verify, and compute damaged chunks again"
                                                : "read every chunk and compare it with what was written")
                         ->group(kTrust);
    verb->add_option("DATASETS", arguments.addresses, "datasets or groups of levels")->required();
    verb->add_flag("--json", arguments.json, "machine-readable lines on stdout");
    if (repairs) {
      verb->add_option("--workers", arguments.workers, "worker processes; 0: one per core")
          ->check(CLI::Range(0, 4096));
    }
    verb->footer(fmt::format("Example:\n  organon {} cell.n5/refined/mito", verb->get_name()));
    verb->callback([&, repairs] { exit_code = verify_command(arguments, repairs); });
  }

  CLI::App* clean = app.add_subcommand("clean", "what no one needs any more, with sizes")->group(kTrust);
  clean->add_option("FOLDER", arguments.folder, "of a cell")->required();
  clean->add_flag("--yes", arguments.yes, "remove it");
  clean->add_flag("--scratch", arguments.scratch,
                  "also what runs could go on with that were cut short, or whose input grows");
  clean->add_flag("--json", arguments.json, "machine-readable lines on stdout");
  clean->footer("Example:\n  organon clean cell/ --yes");
  clean->callback([&] { exit_code = clean_command(arguments); });
}

}  // namespace organon::app
