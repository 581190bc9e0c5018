#include "organon/app/compare_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "organon/app/compare_api.h"
#include "organon/app/find_portal.h"
#include "organon/app/server/serve.h"
#include "organon/app/verb_chain.h"
#include "organon/base/cancellation.h"
#include "organon/base/json.h"

namespace organon::app {
namespace {

constexpr char kPage[] = "compare.html";

int compare(const CompareArguments& arguments) {
  stages::ComparisonOptions options;
  OptionTable table;
  options.bind(table);
  for (const auto& [name, text] : arguments.values) table.set(name, text);
  server::ServeOptions serving;
  serving.folder = find_page(kPage);
  serving.host = arguments.host;
  serving.port = arguments.port;

  stages::Comparison comparison(arguments.addresses, options, arguments.folder);
  CompareApi api(comparison, [](const std::string& words) { fmt::print(stderr, "organon: {}\n", words); });
  serving.answer_api = [&api](const server::ApiRequest& request) { return api.answer(request); };
  const stages::ComparisonRecord record = comparison.record();
  // The names stand in the files: the one who judges may be the one who started this.
  fmt::print(stderr, "A is taken as {}, B as {}\n", record.inputs["a"]["kind"].get<std::string>(),
             record.inputs["b"]["kind"].get<std::string>());
  fmt::print(stderr, "{} of {} trials answered; kept in {}, not to be read before the end\n",
             record.answered.size(), record.options.trials, arguments.folder);
  server::serve(
      serving,
      [&](const std::string& url) {
        if (arguments.json) {
          fmt::print("{}\n", Json({{"url", url + kPage}}).dump());
        } else {
          fmt::print("compare at {}{}\nCtrl-C ends it; the same command goes on\n", url, kPage);
        }
        std::fflush(stdout);
      },
      is_cancelled);
  return 0;
}

std::string help_text(const OptionTable::Option& option) {
  return option.default_text.empty() ? option.info.help
                                     : fmt::format("{} [{}]", option.info.help, option.default_text);
}

}  // namespace

void add_compare_command(CLI::App& app, CompareArguments& arguments, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("compare", "judge two predictions or segmentations by eye, blinded, in the browser")
          ->group("Quality");
  command->add_option("A", arguments.addresses.a, "a prediction or labels")->required();
  command->add_option("B", arguments.addresses.b, "another of the same cell")->required();
  command->add_option("--raw", arguments.addresses.raw, "raw, shown below both")->required();
  command->add_option("--output", arguments.folder, "folder of the answers; one that has some goes on")
      ->required();
  command->add_option("--mask", arguments.addresses.mask, "boxes lie in it in part; else anywhere");
  stages::ComparisonOptions defaults;
  OptionTable table;
  defaults.bind(table);
  for (const OptionTable::Option& option : table.options()) {
    command->add_option(flag_of(option.name), arguments.values[option.name], help_text(option))
        ->type_name(option.info.unit.empty() ? "VALUE" : option.info.unit);
  }
  command->add_option("--port", arguments.port, "the next free one is taken where it is busy; 0: any [8080]")
      ->check(CLI::Range(0, 65535));
  command->add_option("--host", arguments.host,
                      "address to listen on; 0.0.0.0 lets other machines in [127.0.0.1]");
  command->add_flag("--json", arguments.json, "print the address as JSON");
  command->footer(
      "Each trial shows a random box twice, with A over raw on one side and B on the other; nobody can tell "
      "which\n"
      "is which before the end. Keys: 1 left is better, 2 right is better, g both good, n both bad, u takes "
      "the\n"
      "last answer back. Then the page tells how often each was better, and the probability of so uneven "
      "answers\n"
      "where both are equally good (binomial, two-sided; answers that prefer none are dealt by chance).\n"
      "Before the end the probability is told after each ten answers; they cannot be taken back any more.\n"
      "The grid is that of the volume with the largest voxels; finer ones must fit it by whole factors.\n"
      "Results: comparison.csv, a row per trial, and comparison.json, which `organon choose` reads as scores "
      "(metric\n"
      "manual_preference).\n\n"
      "Example:\n"
      "  organon compare cell.n5/predictions/mito other.n5/predictions/mito --raw cell.n5/raw \\\n"
      "      --mask cell.n5/mask --label mito --name-a setup03@650000 --name-b setup01@900000 --output "
      "by_eye");
  command->callback([&arguments, &exit_code, command] {
    // Options that were not typed keep their defaults.
    std::erase_if(arguments.values,
                  [&](const auto& entry) { return command->count(flag_of(entry.first)) == 0; });
    exit_code = compare(arguments);
  });
}

}  // namespace organon::app
