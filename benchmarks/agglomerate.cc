// Times the region graph of fragments and its agglomeration on one core.
//
//   agglomerate FRAGMENTS --shape Z,Y,X --levels FILE [--face lower|later]
//               [--statistic quantile|mean|highest] [--quantile 25] [--relative 0|1] [--threshold 0.9]
//               [--balance linear|tanh] [--repeats 3] [--result FILE]
//
// FRAGMENTS: raw uint32, x fastest; levels: raw uint8. --result writes the objects as raw uint32: for each
// fragment the smallest id of its object. Prints one line of JSON; of the repeats, the fastest counts, in
// seconds of processor time. Edges are those of the region graph; all are merged, whatever the threshold;
// with --balance those that necks speak for.

#include "organon/voxel/agglomerate.h"

#include "measuring.h"
#include "organon/voxel/balance_regions.h"
#include "organon/voxel/measure_interfaces.h"

namespace organon::benchmarks {
namespace {

void run(const Arguments& arguments) {
  const Shape3 shape = parse_shape(arguments.text("shape"));
  const auto fragments = read_raw<std::uint32_t>(arguments.volume, shape);
  const auto levels = read_raw<std::uint8_t>(arguments.text("levels"), shape);
  const Box whole = Box::of_shape(shape);
  const auto face_level =
      arguments.text("face") == "later" ? voxel::FaceLevel::kLaterVoxels : voxel::FaceLevel::kLower;
  voxel::AgglomerateOptions options;
  const std::string& statistic = arguments.text("statistic");
  options.statistic = statistic == "mean"      ? voxel::InterfaceStatistic::kMean
                      : statistic == "highest" ? voxel::InterfaceStatistic::kHighest
                                               : voxel::InterfaceStatistic::kQuantile;
  options.quantile_percent = arguments.real("quantile");
  options.is_relative = arguments.number("relative") != 0;

  tables::RegionGraph graph;
  const double graph_seconds = seconds_of(arguments.number("repeats"), [&] {
    graph = voxel::measure_interfaces<std::uint32_t>(fragments, levels, whole, whole, face_level);
  });
  std::vector<voxel::Merge> merges;
  const std::string& balance = arguments.text("balance");
  voxel::BalanceOptions balance_options;
  balance_options.scale = balance == "linear" ? voxel::LevelScale::kLinear : voxel::LevelScale::kTanh;
  const double merge_seconds = seconds_of(arguments.number("repeats"), [&] {
    merges =
        balance.empty() ? voxel::agglomerate(graph, options) : voxel::balance_regions(graph, balance_options);
  });
  const auto objects = voxel::cut(graph, merges, arguments.real("threshold"));
  std::vector<std::uint32_t> object_of(graph.regions.empty() ? 1 : graph.regions.back().id + 1, 0);
  for (std::size_t i = 0; i < objects.size(); ++i)
    object_of[graph.regions[i].id] = static_cast<std::uint32_t>(objects[i]);
  if (!arguments.text("result").empty()) {
    auto result = Array<std::uint32_t>::uninitialized(shape);
    for (std::int64_t i = 0; i < result.size(); ++i) result.data()[i] = object_of[fragments.data()[i]];
    write_raw(arguments.text("result"), result);
  }
  std::printf(
      "{\"graph_seconds\": %.4f, \"seconds\": %.4f, \"regions\": %zu, \"edges\": %zu, \"merges\": %zu, "
      "\"edges_per_second\": %.0f, \"peak_mib\": %.0f}\n",
      graph_seconds, merge_seconds, graph.regions.size(), graph.interfaces.size(), merges.size(),
      static_cast<double>(graph.interfaces.size()) / merge_seconds, peak_mib());
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(argc, argv,
                                      {{"shape", ""},
                                       {"levels", ""},
                                       {"face", "lower"},
                                       {"statistic", "quantile"},
                                       {"quantile", "25"},
                                       {"relative", "0"},
                                       {"threshold", "0.9"},
                                       {"balance", ""},
                                       {"repeats", "3"},
                                       {"result", ""}},
                                      organon::benchmarks::run);
}
