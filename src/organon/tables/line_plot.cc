#include "organon/tables/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/tables/svg_text.h"

namespace organon::tables {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 300;
constexpr double kLeft = 60;
constexpr double kRight = 150;
constexpr double kTop = 40;
constexpr double kBottom = 40;
constexpr int kNumTicks = 4;
constexpr double kNameHeight = 18;

// As high as its names need.
double height_of(const LinePlot& plot) {
  return std::max(kHeight, kTop + kNameHeight * static_cast<double>(plot.lines.size()) + kBottom);
}

class Panel {
 public:
  Panel(const LinePlot& plot, double top) : plot_(plot), top_(top) {}

  std::string svg() const {
    std::string text = fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", kLeft,
                                   top_ - 10, svg_escaped(plot_.title));
    for (int tick = 0; tick <= kNumTicks; ++tick) {
      const double share = static_cast<double>(tick) / kNumTicks;
      const double at = y_of_share(share);
      text += fmt::format(
          "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>"
          "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>\n",
          kLeft, kLeft + kPlotWidth, at, at, kLeft - 6, at + 4, value_of_share(share));
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:g}</text>\n",
                          x_of(plot_.highest_x * share), y_of_share(0) + 18, plot_.highest_x * share);
    }
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                        kLeft + kPlotWidth / 2, y_of_share(0) + 34, svg_escaped(plot_.x_label));
    if (plot_.marked_x >= 0) {
      text += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#555\" "
          "stroke-dasharray=\"4 3\"/>\n",
          x_of(plot_.marked_x), y_of_share(0), y_of_share(1));
    }
    for (std::size_t i = 0; i < plot_.lines.size(); ++i) {
      const char* color = kPlotColors[i % kPlotColors.size()];
      std::string points;
      std::pair<double, double> first;
      std::size_t num_points = 0;
      for (const auto& [x, y] : plot_.lines[i].points) {
        if (!std::isfinite(x) || !std::isfinite(y)) continue;
        points += fmt::format("{:.1f},{:.1f} ", x_of(x), y_of(y));
        if (++num_points == 1) first = {x_of(x), y_of(y)};
      }
      // A line through one point would not be seen.
      if (num_points == 1)
        text += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", first.first,
                            first.second, color);
      text += fmt::format(
          "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>"
          "<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n",
          color, points, kLeft + kPlotWidth + 10, top_ + 16 + kNameHeight * static_cast<double>(i), color,
          svg_escaped(plot_.lines[i].name));
    }
    return text;
  }

 private:
  static constexpr double kPlotWidth = kWidth - kLeft - kRight;

  double x_of(double x) const { return kLeft + kPlotWidth * x / plot_.highest_x; }
  double y_of_share(double share) const { return top_ + (height_of(plot_) - kTop - kBottom) * (1 - share); }
  double y_of(double value) const {
    const double share = plot_.is_logarithmic
                             ? std::log(std::max(value, 1.0)) / std::log(std::max(plot_.highest_y, 2.0))
                             : value / plot_.highest_y;
    return y_of_share(std::clamp(share, 0.0, 1.0));
  }
  double value_of_share(double share) const {
    return plot_.is_logarithmic ? std::pow(std::max(plot_.highest_y, 2.0), share) : plot_.highest_y * share;
  }

  const LinePlot& plot_;
  double top_;
};

}  // namespace

std::string to_svg(const std::vector<LinePlot>& plots) {
  std::string text;
  double top = kTop;
  for (const LinePlot& plot : plots) {
    text += Panel(plot, top).svg();
    top += height_of(plot);
  }
  return svg_head(kWidth, top - kTop) + text + "</svg>\n";
}

}  // namespace organon::tables
