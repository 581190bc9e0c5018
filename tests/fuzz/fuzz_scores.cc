// Rows of scores, which `choose` takes from any folder; comparisons, with which `compare` goes on.

#include "fuzz_input.h"
#include "organon/stages/evaluation/choose_report.h"
#include "organon/stages/evaluation/comparison_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace organon::stages;
  organon::fuzz::allow_errors([&] {
    const auto rows = parse_scores({reinterpret_cast<const char*>(data), size}, "scores.json");
    if (!rows) return;
    (void)records_of(*rows);
    ChooseOptions options;
    options.until_stop = true;
    options.stop = {0, 20, 30, 100};
    const Choice choice = choose_networks(*rows, options);
    (void)choice_files(choice, options, {});
    (void)choice_plots(choice, options);
  });
  organon::fuzz::allow_errors([&] {
    const auto record =
        ComparisonRecord::parse({reinterpret_cast<const char*>(data), size}, "comparison.json");
    (void)record.to_json();
    (void)record.to_csv();
  });
  return 0;
}
