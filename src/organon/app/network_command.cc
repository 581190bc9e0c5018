#include "organon/app/network_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "organon/app/stage_command.h"
#include "organon/blockwise/runner.h"

namespace organon::app {
namespace {

int network_info_command(NetworkArguments& arguments) {
  NetworkQuestion question = arguments.question;
  question.memory_bytes =
      arguments.memory.empty() ? blockwise::available_memory_bytes() : bytes_from_text(arguments.memory);
  const NetworkReport report = report_on(question);
  fmt::print("{}\n", arguments.json ? to_json(report) : to_text(report));
  return 0;
}

}  // namespace

void add_network_command(CLI::App& app, NetworkArguments& arguments, int& exit_code) {
  CLI::App* network =
      app.add_subcommand("network", "what a network is and takes: network info")->group("Learn");
  network->require_subcommand(1);
  CLI::App* info = network->add_subcommand(
      "info", "what a network sees, its inputs and outputs, parameters, and memory and work per tile");
  info->add_option("NETWORK", arguments.question.network,
                   fmt::format("a network's file, the folder of its training, or a preset: {}",
                               fmt::join(nn::network_preset_names(), ", ")))
      ->required();
  info->add_option("--classes", arguments.question.num_classes, "outputs of the network [a file's own; 14]")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  info->add_option("--memory", arguments.memory,
                   "bytes that a worker may take, such as 8GiB, for which the largest tile is told [what is "
                   "free]")
      ->type_name("BYTES");
  info->add_option("--halo", arguments.question.halo,
                   "read around tiles of networks with same padding, as predict --halo has it [32]")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1024}))
      ->type_name("voxels");
  info->add_option("--set", arguments.question.settings,
                   "an option of a preset as key=value, such as features=16,32,64; names as printed")
      ->type_name("KEY=VALUE");
  info->add_flag("--json", arguments.json, "machine-readable, on stdout");
  info->footer(
      "One row per size of input, z,y,x or an edge^3: what of the output predict uses as a tile; upper "
      "bounds of\n"
      "memory on a processor, of predicting one input in float32, and of training on two (a batch of 2, one "
      "thread);\n"
      "millions of multiplications and additions per voxel of the tile; these against a tile without "
      "borders.\n\n"
      "Examples:\n"
      "  organon network info paper --classes 34 --memory 64GiB\n"
      "  organon network info compact --set features=24,48,96,192 --set stem=1\n"
      "  organon network info networks/mito/network.organon --json");
  info->callback([&] { exit_code = network_info_command(arguments); });
}

}  // namespace organon::app
