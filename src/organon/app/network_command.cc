#include "organon/app/network_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "organon/app/stage_command.h"
#include "organon/blockwise/runner.h"
#ifdef ORGANON_WITH_NN
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/nn/export_script.h"
#endif

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

#ifdef ORGANON_WITH_NN
// Of a network without borders the whole output is a tile; what predict leaves out of it comes on top.
Shape3 tile_asked_for(const NetworkArguments& arguments, const nn::NetworkOptions& options) {
  constexpr std::int64_t kPredictTile = 128, kPredictHalo = 32;
  const std::vector<std::int64_t>& tile = arguments.tile;
  if (tile.size() > 1 && tile.size() != 3)
    throw Error(ErrorKind::kInvalidArgument, "--tile: expected z,y,x or one number");
  if (!tile.empty()) return {tile.front(), tile[tile.size() / 2], tile.back()};
  return Shape3::cube(kPredictTile + (options.is_valid() ? 0 : 2 * kPredictHalo * options.output_scale));
}

int network_export_command(const NetworkArguments& arguments) {
  std::filesystem::path path = arguments.file;
  if (std::filesystem::is_directory(path)) path /= "network.organon";
  const nn::NetworkFile file = nn::decode_network(read_text(path), path.string());
  const nn::ScriptInfo info =
      nn::export_script(file, arguments.module, tile_asked_for(arguments, file.info.options));
  fmt::print(stderr, "{} and {}: input {}, output {} voxels; {}\n", arguments.module,
             nn::script_info_path(arguments.module).string(), to_string(info.input_shape),
             to_string(info.output_shape), fmt::join(info.classes, ", "));
  return 0;
}

void add_export(CLI::App& network, NetworkArguments& arguments, int& exit_code) {
  CLI::App* command =
      network.add_subcommand("export", "write a trained network as a TorchScript module for other programs");
  command->add_option("NETWORK", arguments.file, "a network's file, or the folder of its training")
      ->required();
  command
      ->add_option("OUT", arguments.module, "module to write, ending in .pt; its facts go to .json beside it")
      ->required();
  command
      ->add_option("--tile", arguments.tile,
                   "least output of the input that the facts name, z,y,x or an edge [128; padded "
                   "networks 192, of which predict leaves out its halo]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{2048}))
      ->type_name("voxels");
  command->footer(
      "The module has the running mean of the weights, as predict uses them. It takes raw in [-1, 1] "
      "(contrast\n"
      "limits), N 1 Z Y X of any size that fits the network, and gives N classes Z Y X, boundary distances "
      "in\n"
      "about [-1, 1]. Networks with valid padding give whole steps of their coarsest level. organon predict "
      "takes\n"
      "it as it takes any module (docs/formats/network.md).\n\n"
      "Examples:\n"
      "  organon network export networks/mito mito.pt\n"
      "  python3 -c 'import torch; print(torch.jit.load(\"mito.pt\")(torch.zeros(1, 1, 64, 64, 64)).shape)'\n"
      "  organon predict cell.n5/raw mito.pt cell.n5/predictions");
  command->callback([&] { exit_code = network_export_command(arguments); });
}
#endif

void add_info(CLI::App& network, NetworkArguments& arguments, int& exit_code) {
  CLI::App* info = network.add_subcommand(
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
                   "read around tiles of padded networks, as predict --halo has it [32]")
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

}  // namespace

void add_network_command(CLI::App& app, NetworkArguments& arguments, int& exit_code) {
  CLI::App* network =
      app.add_subcommand("network", "what a network is and takes, and out of organon: network info, export")
          ->group("Learn");
  network->require_subcommand(1);
  add_info(*network, arguments, exit_code);
#ifdef ORGANON_WITH_NN
  add_export(*network, arguments, exit_code);
#endif
}

}  // namespace organon::app
