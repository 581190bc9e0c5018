#include "organon/app/look_commands.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "organon/app/find_portal.h"
#include "organon/app/server/serve.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/cancellation.h"
#include "organon/base/json.h"
#include "organon/base/parallel.h"
#include "organon/stages/ingest/inspect.h"
#include "organon/storage/digest.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

constexpr char kLook[] = "Look at, bring in, prepare data";
constexpr char kAtlas[] = "Atlas";
constexpr int kNarrowest = 40;
constexpr int kWidest = 120;

int terminal_width() {
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::clamp<int>(size.ws_col, kNarrowest, kWidest);
}

int inspect_command(const LookArguments& arguments) {
  const stages::DatasetReport report = stages::inspect(arguments.dataset, arguments.max_mvoxels * 1'000'000);
  fmt::print("{}\n", arguments.json ? stages::to_json(report) : stages::to_text(report, terminal_width()));
  return 0;
}

// The digest of one dataset, its regions spread over the cores.
Hash128 digest_in_parallel(const storage::Dataset& dataset, Progress& progress) {
  const BlockGrid regions = storage::digest_regions(dataset.spec());
  std::vector<Hash128> leaves(static_cast<std::size_t>(storage::digest_tiles(dataset.spec()).count()));
  for_each_in_parallel(
      regions.count(),
      [&](std::int64_t region) { storage::compute_digest_leaves(dataset, regions.box_of(region), leaves); },
      progress, "digest", "regions");
  return storage::digest_root(dataset.spec(), leaves);
}

int digest_command(const LookArguments& arguments) {
  for (const std::string& address : arguments.digest_datasets) {
    // A group stands for its finest level.
    const auto dataset = storage::open_multiscale(address).levels.front();
    const bool is_long = ::isatty(STDERR_FILENO) != 0 && dataset->spec().shape.product() > (1 << 24);
    TerminalProgress terminal;
    SilentProgress silent;
    const Hash128 digest = digest_in_parallel(*dataset, is_long ? static_cast<Progress&>(terminal) : silent);
    if (is_long) terminal.finish("done");
    if (arguments.json) {
      fmt::print("{}\n", Json({{"dataset", address},
                               {"digest", to_hex(digest)},
                               {"shape", to_string(dataset->spec().shape)},
                               {"type", to_string(dataset->spec().data_type)}})
                             .dump());
    } else {
      fmt::print("{}  {}\n", to_hex(digest), address);
    }
  }
  return 0;
}

// The page of a training stays where it is installed: its folder holds data alone, and the page reads that.
void add_page_of_training(server::ServeOptions& options) {
  constexpr char kPage[] = "training.html";
  if (!std::filesystem::exists(options.folder / "training.json")) return;
  options.page_folder = find_page(kPage);
  options.first_page = kPage;
}

int serve_command(const LookArguments& arguments) {
  server::ServeOptions options;
  options.folder = arguments.folder;
  add_page_of_training(options);
  options.host = arguments.host;
  options.port = arguments.port;
  server::serve(
      options,
      [&](const std::string& url) {
        if (arguments.json) {
          fmt::print("{}\n", Json({{"url", url}}).dump());
        } else {
          fmt::print("serving {} at {}\nCtrl-C ends it\n", arguments.folder, url);
        }
        std::fflush(stdout);
      },
      is_cancelled);
  return 0;
}

}  // namespace

void add_look_commands(CLI::App& app, LookArguments& arguments, int& exit_code) {
  CLI::App* inspect =
      app.add_subcommand("inspect", "format, shape, type, chunks, voxel size, levels, values of a dataset")
          ->group(kLook);
  inspect
      ->add_option("DATASET", arguments.dataset,
                   "a dataset, a group of levels, or a volume as import takes it")
      ->required();
  inspect->add_option("--max-mvoxels", arguments.max_mvoxels, "values are sampled from so many [32 Mvoxels]")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->type_name("Mvoxels");
  inspect->add_flag("--json", arguments.json, "machine-readable, on stdout");
  inspect->footer("Example:\n  organon inspect cell.n5/raw");
  inspect->callback([&] { exit_code = inspect_command(arguments); });

  CLI::App* digest =
      app.add_subcommand("digest", "hash of a dataset's voxels: equal for equal voxels, whatever the format")
          ->group(kLook);
  digest->add_option("DATASETS", arguments.digest_datasets, "one or more datasets")->required();
  digest->add_flag("--json", arguments.json, "machine-readable lines on stdout");
  digest->footer("Example:\n  organon digest cell.n5/refined/mito other.zarr/refined/mito");
  digest->callback([&] { exit_code = digest_command(arguments); });

  CLI::App* serve =
      app.add_subcommand("serve", "show a published folder, or a training, in the browser")->group(kAtlas);
  serve
      ->add_option("FOLDER", arguments.folder,
                   "what publish made, or the network that train makes, also meanwhile")
      ->required();
  serve->add_option("--port", arguments.port, "the next free one is taken where it is busy; 0: any [8080]")
      ->check(CLI::Range(0, 65535));
  serve->add_option("--host", arguments.host,
                    "address to listen on; 0.0.0.0 lets other machines in [127.0.0.1]");
  serve->add_flag("--json", arguments.json, "print the address as JSON");
  serve->footer("Examples:\n  organon serve published --port 8080\n  organon serve networks/mito");
  serve->callback([&] { exit_code = serve_command(arguments); });
}

}  // namespace organon::app
