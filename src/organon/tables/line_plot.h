#pragma once

#include <string>
#include <utility>
#include <vector>

namespace organon::tables {

/// A line through points (x, y); points that are not finite are left out.
struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// One picture of several lines over a common x axis from 0.
struct LinePlot {
  std::string title;
  std::string x_label;
  std::vector<PlotLine> lines;
  double highest_x = 1;
  double highest_y = 1;         ///< what lies above is drawn at the edge
  bool is_logarithmic = false;  ///< y from 1 to highest_y, by its logarithm
  double marked_x = -1;         ///< a line from bottom to top; none below 0
};

/// The plots, one below the other, as an SVG picture that browsers and editors show.
std::string to_svg(const std::vector<LinePlot>& plots);

}  // namespace organon::tables
