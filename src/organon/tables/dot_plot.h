#pragma once

#include <string>
#include <utility>
#include <vector>

namespace organon::tables {

/// Values of one kind, one per category; those that are not finite are left out.
struct DotSeries {
  std::string name;
  std::vector<double> values;
  /// What each value is the mean of: small dots above the line of the first series, below that of others.
  std::vector<std::vector<double>> singles = {};
};

/// A line per category, on it a mark per series, over a common axis from 0.
struct DotPlot {
  std::string title;
  std::string x_label;  ///< with its unit
  std::vector<std::string> categories;
  std::vector<DotSeries> series;  ///< as many values as categories; at most four kinds of marks
  double highest_x = 1;           ///< what lies above is drawn at the edge
};

/// As an SVG picture. Its height follows the number of categories.
std::string to_svg(const DotPlot& plot);

/// Named points over two axes from 0 to one end, with the diagonal: who is better.
struct ScatterPlot {
  struct Point {
    std::string name;
    double x = 0;
    double y = 0;
  };
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Point> points;  ///< those that are not finite are left out
  double highest = 1;
};

/// The plots, one below the other, as an SVG picture. Names stand in a column at the right, in the order of
/// their points from top to bottom, each with a thin line to its point, so that none hides another.
std::string to_svg(const std::vector<ScatterPlot>& plots);

}  // namespace organon::tables
