#include "organon/app/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>

#include "organon/app/compare_command.h"
#include "organon/app/crops_command.h"
#include "organon/app/look_commands.h"
#include "organon/app/network_command.h"
#include "organon/app/plan_cell.h"
#include "organon/app/run_cell.h"
#include "organon/app/run_commands.h"
#include "organon/app/stage_command.h"
#include "organon/app/terminal_progress.h"
#include "organon/app/verb_chain.h"
#include "organon/base/error.h"
#include "organon/base/gpu.h"
#include "organon/base/json.h"
#include "organon/blockwise/worker.h"
#include "organon/config/cell_config.h"
#ifdef ORGANON_WITH_NN
#include "organon/stages/training/train_network.h"
#endif

namespace organon::app {
namespace {

// Every verb's own state, alive while its callback may run.
struct StageArguments {
  const StageVerb* verb = nullptr;
  std::vector<VerbChain> ways;
  std::vector<ChainOptions> options;          // of each way
  std::size_t way = 0;                        // that was asked for
  std::map<std::string, std::string> values;  // by option name, as typed
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::string> paths;  // inputs, then outputs, of verbs whose number of inputs varies
  std::string block_shape;
  std::string box_nm;
  std::vector<std::string> settings;  // --set key=value
  ExecutionOptions execution;
};

void add_execution_options(CLI::App& command, ExecutionOptions& execution) {
  command.add_option("--workers", execution.workers, "worker processes; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->group("Running");
  command
      .add_option(
          "--engine", execution.engine,
          "where workers live: local, or slurm (--workers tasks of a job array; run it where jobs are "
          "submitted, with the data where every node sees them) [local]")
      ->check(CLI::IsMember({"local", "slurm"}))
      ->group("Running");
  command
      .add_option("--sbatch-args", execution.sbatch_args,
                  "further arguments of sbatch, such as \"--partition=gpu --gres=gpu:1 --time=4:00:00\"")
      ->group("Running");
  command.add_flag("--dry-run", execution.dry_run, "print the plan (blocks, bytes, memory, time) and stop")
      ->group("Running");
  command.add_flag("--json", execution.json, "machine-readable lines on stdout")->group("Running");
  command.add_flag("--force", execution.force, "run even where the result is complete and unchanged")
      ->group("Running");
  command
      .add_option("--memory", execution.memory,
                  "bytes that all workers may take together, such as 8GiB [what is free]")
      ->group("Running");
  command
      .add_option(
          "--timeout-s", execution.timeout_s,
          "seconds after which a block is tried again; 0: 20 times what 95 of 100 blocks took, and at "
          "least a minute; -1: never")
      ->group("Running");
  command
      .add_option("--silent-s", execution.silent_s,
                  "seconds without a sign of life after which a worker is taken for dead [180]")
      ->check(CLI::Range(1.0, 1e6))
      ->group("Running");
  command
      .add_option("--max-failed-share", execution.max_failed_share,
                  "stop early where more than this share of a step's blocks (and ten) is given up [0.1]")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Running");
  command
      .add_flag("--no-fsync", execution.no_fsync,
                "do not wait for the disk: faster, but a power cut may lose finished blocks")
      ->group("Running");
}

void add_device_option(CLI::App& command, ExecutionOptions& execution) {
  command
      .add_option("--device", execution.device,
                  "kind of device that networks predict on: cuda, cpu, or cpu_bfloat16, a processor made for "
                  "these numbers (with precision auto only). All workers of a run keep to one, "
                  "whose voxels differ from another's in the last bits; a finished result stays, unless "
                  "--force [that of its run; of a new one the best that its first worker has]")
      ->check(CLI::IsMember({"cuda", "cpu_bfloat16", "cpu"}))
      ->group("Running");
}

bool is_optional(const std::string& input) { return input.starts_with('['); }
bool is_list(const std::string& input) { return input.ends_with("..."); }

bool has_fixed_inputs(const StageVerb& verb) {
  return std::none_of(verb.inputs.begin(), verb.inputs.end(),
                      [](const std::string& input) { return is_optional(input) || is_list(input); });
}

std::string synopsis(const StageVerb& verb) {
  std::vector<std::string> words = verb.inputs;
  words.insert(words.end(), verb.outputs.begin(), verb.outputs.end());
  return fmt::format("{}", fmt::join(words, " "));
}

// Inputs come first, outputs last; what lies between them in number is optional or a list.
void split_paths(StageArguments& arguments) {
  const StageVerb& verb = *arguments.verb;
  const std::size_t num_outputs = verb.outputs.size();
  const auto fewest_inputs = static_cast<std::size_t>(std::count_if(
      verb.inputs.begin(), verb.inputs.end(), [](const std::string& input) { return !is_optional(input); }));
  const bool is_open = std::any_of(verb.inputs.begin(), verb.inputs.end(), is_list);
  const std::size_t found = arguments.paths.size();
  if (found < fewest_inputs + num_outputs || (!is_open && found > verb.inputs.size() + num_outputs)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected {}, found {} paths; see organon {} --help", verb.name,
                            synopsis(verb), found, verb.name));
  }
  const auto outputs_begin = arguments.paths.end() - static_cast<std::ptrdiff_t>(num_outputs);
  arguments.inputs.assign(arguments.paths.begin(), outputs_begin);
  arguments.outputs.assign(outputs_begin, arguments.paths.end());
}

bool has_option(const OptionTable& table, const std::string& name) {
  return std::any_of(table.options().begin(), table.options().end(),
                     [&](const OptionTable::Option& option) { return option.name == name; });
}

// Sets an option of the way that was asked for. What belongs to another way, or means something else in it,
// is told apart.
void set_option(StageArguments& arguments, const std::string& name, const std::string& text) {
  OptionTable& table = arguments.options[arguments.way].table();
  const std::string here = arguments.ways.size() > 1 ? name_of_way(arguments.ways, arguments.way) : "";
  for (std::size_t other = 0; !has_option(table, name) && other < arguments.ways.size(); ++other) {
    if (!has_option(arguments.options[other].table(), name)) continue;
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{} is an option of {} {}, not {}; see organon {} --help", flag_of(name),
                    arguments.verb->name, name_of_way(arguments.ways, other), here, arguments.verb->name));
  }
  try {
    table.set(name, text);
  } catch (const Error& error) {
    if (here.empty()) throw;
    throw Error(error.kind(), fmt::format("{}; {} {}: see organon {} --help", error.message(),
                                          arguments.verb->name, here, arguments.verb->name));
  }
}

int run_stage_verb(StageArguments& arguments) {
  if (!has_fixed_inputs(*arguments.verb)) split_paths(arguments);
  for (const auto& [name, text] : arguments.values) set_option(arguments, name, text);
  for (const std::string& setting : arguments.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("--set {}: expected key=value", setting));
    }
    set_option(arguments, setting.substr(0, equals), setting.substr(equals + 1));
  }
  blockwise::StageDescription description;
  description.inputs = arguments.inputs;
  description.outputs = arguments.outputs;
  description.box_nm = arguments.box_nm;
  if (!arguments.block_shape.empty()) {
    std::vector<std::int64_t> values;
    OptionTable table;
    table.add("block_shape", values, {"", "voxels", 1, 1e9, {}});
    table.set("block_shape", arguments.block_shape);
    if (values.size() == 1) values.resize(3, values[0]);
    if (values.size() != 3) throw Error(ErrorKind::kInvalidArgument, "--block-shape: expected z,y,x");
    description.block_shape = {values[0], values[1], values[2]};
  }
  const auto stages = arguments.options[arguments.way].stages(description);
  if (arguments.execution.dry_run && stages.size() > 1) {
    const TemporaryFolder temporary;
    description.outputs = {address_below(temporary.path(), description.outputs.at(0))};
    print_plans(stages, arguments.options[arguments.way].stages(description), arguments.execution);
    return 0;
  }
  const std::unique_ptr<Progress> progress = make_progress(arguments.execution.json);
  for (const blockwise::StageDescription& stage : stages)
    if (const int code = execute_stage(stage, arguments.execution, *progress); code != 0) return code;
  if (arguments.execution.dry_run) return 0;
  for (const blockwise::StageDescription& stage : stages) print_report(stage, arguments.execution.json);
  return 0;
}

std::string run_explanation() {
  return "A file with [[setups]] is a study: networks are trained on crops of one or several cells, each of "
         "their\n"
         "checkpoints predicts the crops with role = \"holdout\" and is scored on them, and choose answers "
         "over all\n"
         "which is best for which class. To judge the checkpoints of a training that exists:\n\n"
         "  name = \"check\"\n"
         "  evaluate_every = 25000           # only iterations that are multiples; without it all\n"
         "  [[datasets]]\n"
         "  name = \"hela-2\"\n"
         "  raw = \"hela-2.n5/raw\"          # with a level of the network's voxel size\n"
         "  [[datasets.crops]]\n"
         "  name = \"113\"\n"
         "  labels = \"crops.n5/113\"        # ids of the taxonomy, heinrich2021 where none is named\n"
         "  role = \"holdout\"\n"
         "  [[setups]]\n"
         "  name = \"setup03\"\n"
         "  network = \"networks/setup03\"   # or, to train one: classes = \"many\", voxel_size_nm = 4\n\n"
         "Scores lie in scores/<setup>/<iteration>, answers, tables and plots in choice.\n\n"
         "Examples:\n  organon run cell.toml --dry-run\n  organon run study.toml";
}

void add_stage_verb(CLI::App& app, const StageVerb& verb, std::deque<StageArguments>& all, int& exit_code) {
  StageArguments& arguments = all.emplace_back();
  arguments.verb = &verb;
  arguments.ways = ways_of(verb);
  CLI::App* command = app.add_subcommand(verb.name, verb.summary)->group(verb.group);
  std::string footer;
  for (const VerbChain& way : arguments.ways) {
    arguments.options.emplace_back(way);
    if (!way.explanation.empty()) footer += way.explanation + "\n\n";
  }
  footer += arguments.ways.size() > 1 ? "Examples:" : "Example:";
  for (const VerbChain& way : arguments.ways) footer += "\n  organon " + way.example;
  command->footer(footer);
  if (has_fixed_inputs(verb)) {
    arguments.inputs.resize(verb.inputs.size());
    arguments.outputs.resize(verb.outputs.size());
    for (std::size_t i = 0; i < verb.inputs.size(); ++i)
      command->add_option(verb.inputs[i], arguments.inputs[i], "")->required();
    for (std::size_t i = 0; i < verb.outputs.size(); ++i)
      command->add_option(verb.outputs[i], arguments.outputs[i], "")->required();
  } else {
    command->add_option("PATHS", arguments.paths, synopsis(verb))->required();
  }
  for (std::size_t way = 0; way < arguments.ways.size(); ++way) {
    if (arguments.ways[way].flag.empty()) continue;
    command->add_flag_callback(
        "--" + arguments.ways[way].flag, [&arguments, way] { arguments.way = way; },
        arguments.ways[way].summary);
  }
  const std::vector<OptionHelp> options = option_help(arguments.ways, arguments.options);
  for (const OptionHelp& option : options) {
    CLI::Option* added = command->add_option(flag_of(option.name), arguments.values[option.name], option.text)
                             ->type_name(option.unit.empty() ? "VALUE" : option.unit);
    // Those that not every way has stand under the names of the ways that have them.
    std::vector<std::string> ways;
    for (std::size_t way = 0; way < arguments.ways.size(); ++way)
      if (option.is_in_way[way]) ways.push_back(name_of_way(arguments.ways, way));
    if (ways.size() < arguments.ways.size()) added->group(fmt::format("Only {}", fmt::join(ways, ", ")));
  }
  command->add_option("--set", arguments.settings, "any option as key=value")->group("Running");
  command->add_option("--block-shape", arguments.block_shape, "voxels of one block, z,y,x: whole chunks")
      ->group("Running");
  command
      ->add_option(
          "--box-nm", arguments.box_nm,
          "only this part, z0,y0,x0,z1,y1,x1 in nm: voxels whose centres lie in it, grown to whole chunks")
      ->group("Running");
  add_execution_options(*command, arguments.execution);
  if (verb.takes_device) add_device_option(*command, arguments.execution);
  command->callback([&arguments, &exit_code, command] {
    // Options that were not typed keep their defaults.
    std::erase_if(arguments.values,
                  [&](const auto& entry) { return command->count(flag_of(entry.first)) == 0; });
    exit_code = run_stage_verb(arguments);
  });
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{
      "organon: from a raw whole-cell FIB-SEM volume to an atlas of its organelles.\n"
      "All lengths are in nanometres, all axes in the order z,y,x."};
  app.set_version_flag("--version", std::string("organon ") + ORGANON_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(38);
  int exit_code = 0;

  std::deque<StageArguments> stages;
  for (const StageVerb& verb : stage_verbs()) add_stage_verb(app, verb, stages, exit_code);

  LookArguments look;
  add_look_commands(app, look, exit_code);
  NetworkArguments network;
  add_network_command(app, network, exit_code);
  CropsArguments crops;
  add_crops_command(app, crops, exit_code);
  CompareArguments compare;
  add_compare_command(app, compare, exit_code);
  RunArguments runs;
  add_run_commands(app, runs, exit_code);

  RunCellArguments run_cell;
  CLI::App* run =
      app.add_subcommand("run", "run a whole cell.toml or study.toml, every stage that is not complete")
          ->group("A whole cell");
  run->add_option("TOML", run_cell.config_path, "description of a cell, or of a study of many networks")
      ->required();
  run->add_option("--until", run_cell.until, "stop after this stage");
  add_execution_options(*run, run_cell.execution);
  add_device_option(*run, run_cell.execution);
  run->footer(run_explanation());
  run->callback([&] { exit_code = run_cell_command(run_cell); });

  std::string work_folder;
  blockwise::WorkerOptions worker;
  bool no_fsync = false;
  CLI::App* work =
      app.add_subcommand("work", "one worker of a run (started by the other verbs)")->group("A whole cell");
  work->add_option("RUN_FOLDER", work_folder)->required();
  work->add_option("--step", worker.step);
  work->add_option("--session", worker.session);
  work->add_option("--number", worker.number);
  work->add_option("--of-workers", worker.of_workers);
  work->add_option("--timeout-s", worker.limits.timeout_s);
  work->add_option("--memory", worker.limits.memory_bytes);
  work->add_option("--silent-s", worker.limits.silent_s);
  work->add_flag("--alone", worker.is_alone);
  bool follows = false;
  work->add_flag("--follow", follows);
  work->add_flag("--no-fsync", no_fsync);
  work->callback([&] {
    worker.is_process = true;
    choose_gpu(worker.number);
    // What Slurm gives a task, in MiB.
    const char* slurm_memory = std::getenv("SLURM_MEM_PER_NODE");
    if (worker.limits.memory_bytes == 0 && slurm_memory != nullptr)
      worker.limits.memory_bytes = std::atoll(slurm_memory) << 20;
    worker.fsync = no_fsync ? Fsync::kNo : Fsync::kYes;
    const blockwise::RunFolder run_folder(work_folder);
    const auto outcome = follows ? blockwise::follow_steps(run_folder, make_stage, worker)
                                 : blockwise::work(run_folder, make_stage, worker);
    exit_code = outcome == blockwise::WorkerOutcome::kStopped ? blockwise::kStoppedExitCode : 0;
  });

#ifdef ORGANON_WITH_NN
  stages::RankPlace place;
  CLI::App* rank = app.add_subcommand("train-rank", "one process of a training by several (started by train)")
                       ->group("A whole cell");
  std::string ranks_folder;
  rank->add_option("RUN_FOLDER", work_folder)->required();
  rank->add_option("RANKS_FOLDER", ranks_folder)->required();
  rank->add_option("--ranks-per-node", place.ranks_per_node)->check(CLI::PositiveNumber);
  rank->add_option("--rank", place.rank)->required()->check(CLI::PositiveNumber);
  rank->callback([&] {
    place.run = work_folder;
    place.folder = ranks_folder;
    exit_code = stages::run_training_rank(place);
  });
#endif

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    std::vector<std::string> verbs;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
      verbs.push_back(command->get_name());
    if (argc > 1 && argv[1][0] != '-' && std::find(verbs.begin(), verbs.end(), argv[1]) == verbs.end()) {
      const std::string nearest = nearest_word(argv[1], verbs);
      throw Error(ErrorKind::kInvalidArgument,
                  nearest.empty() ? fmt::format("unknown verb '{}'; see organon --help", argv[1])
                                  : fmt::format("unknown verb '{}'; did you mean '{}'?", argv[1], nearest));
    }
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}; see organon {}--help", error.what(),
                            argc > 1 && argv[1][0] != '-' ? std::string(argv[1]) + " " : ""));
  }
  return exit_code;
}

}  // namespace organon::app
