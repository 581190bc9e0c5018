#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "organon/stages/evaluation/choose_report.h"
#include "organon/tables/dot_plot.h"
#include "organon/tables/line_plot.h"
#include "organon/tables/svg_text.h"

namespace organon::stages {
namespace {

// From here on the axis of iterations counts thousands.
constexpr double kManyIterations = 10'000;

// More than a reader would compare.
constexpr std::size_t kMostComparedGroups = 40;

// Shares end at 1; what has a unit at a round number above the largest.
double end_of_axis(const Metric& metric, double largest) {
  const bool has_unit = metric.title.find('(') != std::string_view::npos;
  return has_unit ? tables::round_up_for_axis(std::max(largest, 1e-3)) : 1.0;
}

void raise(double& largest, double value) {
  if (std::isfinite(value)) largest = std::max(largest, value);
}

std::string best_plot(const Choice& choice, const Metric& metric) {
  std::vector<const ClassChoice*> classes;
  for (const ClassChoice& chosen : choice.groups.front().classes) classes.push_back(&chosen);
  std::stable_sort(classes.begin(), classes.end(), [&](const ClassChoice* a, const ClassChoice* b) {
    return metric.higher_is_better ? a->validation() > b->validation() : a->validation() < b->validation();
  });
  tables::DotPlot plot;
  plot.title = "The best network of each class";
  plot.x_label = metric.title;
  plot.series = {{"validation", {}}, {"test (chosen on other datasets)", {}}};
  double largest = 0;
  for (const ClassChoice* chosen : classes) {
    plot.categories.push_back(chosen->label);
    plot.series[0].values.push_back(chosen->validation());
    plot.series[1].values.push_back(chosen->test());
    raise(largest, chosen->validation());
    raise(largest, chosen->test());
  }
  plot.highest_x = end_of_axis(metric, largest);
  return tables::to_svg(plot);
}

// Two groups are compared where they differ in one of family and voxel size, and both state the other or
// neither does.
bool are_comparable(const ChoiceGroup& a, const ChoiceGroup& b) {
  if (a.family == b.family)
    return a.raw_voxel_size_nm != b.raw_voxel_size_nm && a.raw_voxel_size_nm > 0 && b.raw_voxel_size_nm > 0;
  return a.raw_voxel_size_nm == b.raw_voxel_size_nm && !a.family.empty() && !b.family.empty();
}

std::string comparison_plot(const Choice& choice, const Metric& metric) {
  std::vector<tables::ScatterPlot> plots;
  const std::size_t num_groups = std::min(choice.groups.size(), kMostComparedGroups);
  for (std::size_t i = 0; i < num_groups; ++i) {
    for (std::size_t j = i + 1; j < num_groups; ++j) {
      const ChoiceGroup& a = choice.groups[i];
      const ChoiceGroup& b = choice.groups[j];
      if (!are_comparable(a, b)) continue;
      std::map<std::string, double> scores;
      for (const ClassChoice& chosen : a.classes) scores[chosen.label] = chosen.validation();
      tables::ScatterPlot plot;
      plot.title = fmt::format("{} against {}: {} is better {} the line", b.name(), a.name(), b.name(),
                               metric.higher_is_better ? "above" : "below");
      plot.x_label = fmt::format("{}, {}", metric.title, a.name());
      plot.y_label = fmt::format("{}, {}", metric.title, b.name());
      double largest = 0;
      for (const ClassChoice& chosen : b.classes) {
        const auto other = scores.find(chosen.label);
        if (other == scores.end()) continue;
        plot.points.push_back({chosen.label, other->second, chosen.validation()});
        raise(largest, other->second);
        raise(largest, chosen.validation());
      }
      plot.highest = end_of_axis(metric, largest);
      if (!plot.points.empty()) plots.push_back(std::move(plot));
    }
  }
  return tables::to_svg(plots);
}

std::string iteration_plot(const Choice& choice, const Metric& metric) {
  double last_iteration = 1;
  for (const SetupChoice& setup : choice.setups)
    for (const MeanScore& score : setup.scores)
      raise(last_iteration, static_cast<double>(score.candidate.iteration));
  const double unit = last_iteration >= kManyIterations ? 1000 : 1;
  std::vector<tables::LinePlot> plots;
  std::string label;
  for (const SetupChoice& setup : choice.setups) {
    if (plots.empty() || setup.label != label) {
      label = setup.label;
      tables::LinePlot& plot = plots.emplace_back();
      plot.title = fmt::format("{}: {}", label, metric.title);
      plot.x_label = unit > 1 ? "iteration (thousands)" : "iteration";
      plot.highest_x = tables::round_up_for_axis(last_iteration / unit);
      plot.highest_y = 0;
    }
    tables::LinePlot& plot = plots.back();
    // A line per kind of raw: candidates are in order of iteration.
    std::map<std::string, tables::PlotLine> lines;
    for (const MeanScore& score : setup.scores) {
      tables::PlotLine& line = lines[score.candidate.raw_dataset];
      line.points.emplace_back(
          static_cast<double>(std::max<std::int64_t>(score.candidate.iteration, 0)) / unit, score.score);
      raise(plot.highest_y, score.score);
    }
    for (auto& [raw, line] : lines) {
      const std::string name = setup.setup.empty() ? "no set-up" : setup.setup;
      line.name = tables::svg_shortened(lines.size() > 1 ? name + " " + raw : name, 18);
      plot.lines.push_back(std::move(line));
    }
  }
  for (tables::LinePlot& plot : plots) plot.highest_y = end_of_axis(metric, plot.highest_y);
  return tables::to_svg(plots);
}

}  // namespace

std::vector<NamedText> choice_plots(const Choice& choice, const ChooseOptions& options) {
  const Metric& metric = metrics()[options.query().metric];
  return {{"best.svg", best_plot(choice, metric)},
          {"comparisons.svg", comparison_plot(choice, metric)},
          {"iterations.svg", iteration_plot(choice, metric)}};
}

}  // namespace organon::stages
