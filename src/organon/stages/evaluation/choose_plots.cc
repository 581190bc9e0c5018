#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

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

// That a plot of dots tells apart.
constexpr std::size_t kMostKindsOfMarks = 4;

constexpr char kThousands[] = "iteration (thousands)";

// Shares end at 1; what has a unit at a round number above the largest.
double end_of_axis(const Metric& metric, double largest) {
  const bool has_unit = metric.title.find('(') != std::string_view::npos;
  return has_unit ? tables::round_up_for_axis(std::max(largest, 1e-3)) : 1.0;
}

void raise(double& largest, double value) {
  if (std::isfinite(value)) largest = std::max(largest, value);
}

// Classes by what is reached with any network, the best first.
std::vector<const ClassChoice*> ranked(const ChoiceGroup& group, const Metric& metric) {
  std::vector<const ClassChoice*> classes;
  for (const ClassChoice& chosen : group.classes) classes.push_back(&chosen);
  std::stable_sort(classes.begin(), classes.end(), [&](const ClassChoice* a, const ClassChoice* b) {
    return metric.higher_is_better ? a->validation() > b->validation() : a->validation() < b->validation();
  });
  return classes;
}

std::string best_plot(const Choice& choice, const Metric& metric) {
  tables::DotPlot plot;
  plot.title = "The best network of each class; small dots: each crop";
  plot.x_label = metric.title;
  plot.series = {{"validation", {}}, {"test (chosen on other datasets)", {}}};
  double largest = 0;
  for (const ClassChoice* chosen : ranked(choice.groups.front(), metric)) {
    plot.categories.push_back(chosen->label);
    plot.series[0].values.push_back(chosen->validation());
    plot.series[1].values.push_back(chosen->test());
    std::vector<double>& validation = plot.series[0].singles.emplace_back();
    std::vector<double>& test = plot.series[1].singles.emplace_back();
    for (const CropChoice& crop : chosen->crops) {
      if (crop.validation) validation.push_back(crop.validation->score);
      if (crop.test_score) test.push_back(*crop.test_score);
    }
    for (const std::vector<double>& singles : {validation, test})
      for (const double single : singles) raise(largest, single);
  }
  plot.highest_x = end_of_axis(metric, largest);
  return tables::to_svg(plot);
}

// Per class the best of each family of set-ups, or of each voxel size; nothing where there are fewer than two
// of them.
std::optional<std::string> group_plot(const Choice& choice, const Metric& metric, bool by_family) {
  tables::DotPlot plot;
  plot.title = by_family ? "The best network of each family of set-ups"
                         : "The best network for raw of each voxel size";
  plot.x_label = fmt::format("{}, validation", metric.title);
  const std::vector<const ClassChoice*> classes = ranked(choice.groups.front(), metric);
  for (const ClassChoice* chosen : classes) plot.categories.push_back(chosen->label);
  double largest = 0;
  for (const ChoiceGroup& group : choice.groups) {
    const bool is_wanted = by_family ? !group.family.empty() && group.raw_voxel_size_nm == 0
                                     : group.family.empty() && group.raw_voxel_size_nm > 0;
    if (!is_wanted || plot.series.size() == kMostKindsOfMarks) continue;
    std::map<std::string, double> scores;
    for (const ClassChoice& chosen : group.classes) scores[chosen.label] = chosen.validation();
    tables::DotSeries& series = plot.series.emplace_back();
    series.name = group.name();
    for (const std::string& label : plot.categories) {
      const auto found = scores.find(label);
      series.values.push_back(found == scores.end() ? ScoredRow::kNothing : found->second);
      raise(largest, series.values.back());
    }
  }
  if (plot.series.size() < 2) return std::nullopt;
  plot.highest_x = end_of_axis(metric, largest);
  return tables::to_svg(plot);
}

// Each network and class on each crop before and after refinement, the mean over crops.
std::optional<tables::ScatterPlot> refined_plot(const Choice& choice, const Metric& metric) {
  if (choice.refined.empty()) return std::nullopt;
  struct Sums {
    double prediction = 0;
    double refined = 0;
    double count = 0;
  };
  std::map<std::string, Sums> sums;
  for (const RefinedPair& pair : choice.refined) {
    Sums& of_class = sums[pair.label];
    of_class.prediction += pair.prediction_score;
    of_class.refined += pair.refined_score;
    of_class.count += 1;
  }
  tables::ScatterPlot plot;
  plot.title = fmt::format("refined against predicted: refined is better {} the line",
                           metric.higher_is_better ? "above" : "below");
  plot.x_label = fmt::format("{}, predicted", metric.title);
  plot.y_label = fmt::format("{}, refined", metric.title);
  double largest = 0;
  for (const auto& [label, of_class] : sums) {
    plot.points.push_back({label, of_class.prediction / of_class.count, of_class.refined / of_class.count});
    raise(largest, plot.points.back().x);
    raise(largest, plot.points.back().y);
  }
  plot.highest = end_of_axis(metric, largest);
  return plot;
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
  if (auto refined = refined_plot(choice, metric)) plots.push_back(*std::move(refined));
  return tables::to_svg(plots);
}

// The other scores that the stop rule looks at, over the same iterations.
void add_stop_scores(const Choice& choice, const std::string& label, const Metric& metric,
                     const tables::LinePlot& like, std::vector<tables::LinePlot>& plots) {
  for (const auto& [name, member] :
       {std::pair{"f1", &Checkpoint::f1}, {"mean_false_distance_nm", &Checkpoint::mean_false_distance_nm}}) {
    if (metric.name == name) continue;
    const Metric& shown = metrics()[metric_index(name)];
    const double unit = like.x_label == kThousands ? 1000 : 1;
    tables::LinePlot plot = like;
    plot.title = fmt::format("{}: {}", label, shown.title);
    plot.lines.clear();
    double largest = 0;
    for (const SetupChoice& setup : choice.setups) {
      if (setup.label != label) continue;
      tables::PlotLine& line = plot.lines.emplace_back();
      line.name = tables::svg_shortened(setup.setup.empty() ? "no set-up" : setup.setup, 18);
      for (const Checkpoint& checkpoint : setup.checkpoints) {
        line.points.emplace_back(static_cast<double>(std::max<std::int64_t>(checkpoint.iteration, 0)) / unit,
                                 checkpoint.*member);
        raise(largest, checkpoint.*member);
      }
    }
    const bool has_scores =
        std::any_of(plot.lines.begin(), plot.lines.end(), [](const tables::PlotLine& line) {
          return std::any_of(line.points.begin(), line.points.end(),
                             [](const auto& point) { return std::isfinite(point.second); });
        });
    if (!has_scores) continue;  // candidates judged by eye alone
    plot.highest_y = end_of_axis(shown, largest);
    plots.push_back(std::move(plot));
  }
}

std::string iteration_plot(const Choice& choice, const Metric& metric) {
  double last_iteration = 1;
  for (const SetupChoice& setup : choice.setups)
    for (const MeanScore& score : setup.scores)
      raise(last_iteration, static_cast<double>(score.candidate.iteration));
  const double unit = last_iteration >= kManyIterations ? 1000 : 1;
  std::vector<tables::LinePlot> plots;
  std::vector<std::string> labels;  // of plots
  std::string label;
  for (const SetupChoice& setup : choice.setups) {
    if (plots.empty() || setup.label != label) {
      label = setup.label;
      labels.push_back(label);
      tables::LinePlot& plot = plots.emplace_back();
      plot.title = fmt::format("{}: {}", label, metric.title);
      plot.x_label = unit > 1 ? kThousands : "iteration";
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
  std::vector<tables::LinePlot> all;
  for (std::size_t i = 0; i < plots.size(); ++i) {
    plots[i].highest_y = end_of_axis(metric, plots[i].highest_y);
    all.push_back(plots[i]);
    add_stop_scores(choice, labels[i], metric, plots[i], all);
  }
  return tables::to_svg(all);
}

}  // namespace

std::vector<NamedText> choice_plots(const Choice& choice, const ChooseOptions& options) {
  const Metric& metric = metrics()[options.query().metric];
  std::vector<NamedText> plots = {{"best.svg", best_plot(choice, metric)},
                                  {"comparisons.svg", comparison_plot(choice, metric)},
                                  {"iterations.svg", iteration_plot(choice, metric)}};
  for (const auto& [name, by_family] : {std::pair{"families.svg", true}, {"voxel_sizes.svg", false}})
    if (auto plot = group_plot(choice, metric, by_family)) plots.emplace_back(name, *std::move(plot));
  return plots;
}

}  // namespace organon::stages
