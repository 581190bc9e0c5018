#include "organon/stages/segmentation/merge_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "organon/base/json.h"
#include "organon/tables/line_plot.h"
#include "organon/tables/table_text.h"
#include "organon/voxel/union_find.h"

namespace organon::stages {
namespace {

constexpr int kNumCuts = 200;
constexpr int kCutsPerLine = 10;

ObjectTable table_of(const std::vector<voxel::Merge>& merges) {
  std::vector<ObjectId> merged;
  std::vector<std::uint64_t> kept;
  std::vector<double> scores;
  for (const voxel::Merge& merge : merges) {
    merged.push_back(merge.merged);
    kept.push_back(merge.kept);
    scores.push_back(merge.score);
  }
  ObjectTable table(merged, "region");
  table.add_column("became_part_of", kept).add_column("score", scores);
  return table;
}

tables::LinePlot plot_of(const std::vector<Cut>& cuts, double threshold) {
  tables::LinePlot plot;
  plot.title = "objects over the threshold of agglomeration (dashed: chosen)";
  plot.x_label = "threshold";
  plot.is_logarithmic = true;
  plot.marked_x = std::min(threshold, 1.0);
  plot.lines = {{"all", {}}, {"large enough", {}}};
  for (const Cut& cut : cuts) {
    plot.lines[0].points.emplace_back(cut.threshold, static_cast<double>(cut.objects));
    plot.lines[1].points.emplace_back(cut.threshold, static_cast<double>(cut.objects_kept));
    plot.highest_y = std::max(plot.highest_y, static_cast<double>(cut.objects));
  }
  return plot;
}

}  // namespace

std::vector<Cut> cuts_of(const tables::RegionGraph& graph, const std::vector<voxel::Merge>& merges,
                         double voxel_volume_nm3, double min_volume_nm3) {
  std::unordered_map<ObjectId, std::uint32_t> index_of;
  std::vector<std::uint64_t> voxels;
  const auto is_kept = [&](std::uint64_t size) {
    return static_cast<double>(size) * voxel_volume_nm3 >= min_volume_nm3;
  };
  Cut now;
  std::uint64_t largest = 0;
  for (const tables::Region& region : graph.regions) {
    index_of[region.id] = static_cast<std::uint32_t>(voxels.size());
    voxels.push_back(region.voxels);
    largest = std::max(largest, region.voxels);
    now.objects += 1;
    now.objects_kept += is_kept(region.voxels) ? 1 : 0;
  }
  voxel::UnionFind<std::uint32_t> sets(static_cast<std::uint32_t>(voxels.size()));
  std::vector<Cut> cuts;
  auto merge = merges.begin();
  for (int i = 0; i <= kNumCuts; ++i) {
    now.threshold = static_cast<double>(i) / kNumCuts;
    for (; merge != merges.end() && merge->score < now.threshold; ++merge) {
      const std::uint32_t a = sets.find(index_of.at(merge->kept));
      const std::uint32_t b = sets.find(index_of.at(merge->merged));
      const std::uint64_t both = voxels[a] + voxels[b];
      now.objects -= 1;
      now.objects_kept -= is_kept(voxels[a]) ? 1 : 0;
      now.objects_kept -= is_kept(voxels[b]) ? 1 : 0;
      now.objects_kept += is_kept(both) ? 1 : 0;
      voxels[sets.unite(a, b)] = both;
      largest = std::max(largest, both);
    }
    now.largest_volume_nm3 = static_cast<double>(largest) * voxel_volume_nm3;
    cuts.push_back(now);
  }
  return cuts;
}

void write_merge_report(const std::filesystem::path& folder, const std::vector<voxel::Merge>& merges,
                        const std::vector<Cut>& cuts, double threshold, blockwise::BlockOutput& output) {
  output.write_text(folder / "merges.csv", tables::to_csv(table_of(merges)));
  Json json = Json::array();
  std::string csv = "threshold,objects,objects_kept,largest_volume_nm3\n";
  std::string text =
      fmt::format("{:>9} {:>10} {:>12} {:>18}\n", "threshold", "objects", "large enough", "largest um^3");
  const auto chosen = std::min_element(cuts.begin(), cuts.end(), [&](const Cut& a, const Cut& b) {
    return std::abs(a.threshold - threshold) < std::abs(b.threshold - threshold);
  });
  for (const Cut& cut : cuts) {
    csv += fmt::format("{:.3f},{},{},{}\n", cut.threshold, cut.objects, cut.objects_kept,
                       cut.largest_volume_nm3);
    json.push_back({{"threshold", cut.threshold},
                    {"objects", cut.objects},
                    {"objects_kept", cut.objects_kept},
                    {"largest_volume_nm3", cut.largest_volume_nm3}});
    const bool is_chosen = &cut == &*chosen;
    if ((&cut - cuts.data()) % kCutsPerLine != 0 && !is_chosen) continue;
    text += fmt::format("{:>9.3f} {:>10} {:>12} {:>18.4f}{}\n", cut.threshold, cut.objects, cut.objects_kept,
                        cut.largest_volume_nm3 / 1e9, is_chosen ? "  <- chosen" : "");
  }
  output.write_text(folder / "cuts.csv", csv);
  output.write_text(folder / "cuts.txt", text);
  output.write_text(folder / "cuts.json", to_text({{"chosen_threshold", threshold}, {"cuts", json}}));
  if (cuts.size() > 1) output.write_text(folder / "cuts.svg", tables::to_svg({plot_of(cuts, threshold)}));
}

}  // namespace organon::stages
