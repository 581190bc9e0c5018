// CSV tables, and the encoded tables between steps.

#include "fuzz_input.h"
#include "organon/tables/histogram.h"
#include "organon/tables/overlap_table.h"
#include "organon/tables/region_graph.h"
#include "organon/tables/table_text.h"

namespace organon::fuzz {
namespace {

void run(const Input& input) {
  allow_errors([&] {
    const std::string text = tables::to_csv(tables::from_csv(input.text, "a.csv"));
    ORGANON_CHECK(tables::to_csv(tables::from_csv(text, "written")) == text);
  });
  allow_errors([&] {
    const tables::OverlapTable table = tables::OverlapTable::decode(input.bytes);
    ORGANON_CHECK(tables::OverlapTable::decode(table.encode()).overlaps() == table.overlaps());
  });
  allow_errors([&] {
    const tables::Histogram histogram = tables::Histogram::decode(input.bytes);
    ORGANON_CHECK(tables::Histogram::decode(histogram.encode()) == histogram);
  });
  allow_errors([&] {
    const tables::RegionGraph graph = tables::RegionGraph::decode(input.bytes);
    ORGANON_CHECK(tables::RegionGraph::decode(graph.encode()) == graph);
    ORGANON_CHECK(merge(graph, tables::RegionGraph()) == graph);
  });
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
