#include "organon/tables/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace organon::tables {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 300;
constexpr double kLeft = 60;
constexpr double kRight = 150;
constexpr double kTop = 40;
constexpr double kBottom = 40;
constexpr int kNumTicks = 4;
constexpr std::array<const char*, 10> kColors = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
                                                 "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else
      result += c;
  }
  return result;
}

class Panel {
 public:
  Panel(const LinePlot& plot, double top) : plot_(plot), top_(top) {}

  std::string svg() const {
    std::string text = fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", kLeft,
                                   top_ - 10, escaped(plot_.title));
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
                        kLeft + kPlotWidth / 2, y_of_share(0) + 34, escaped(plot_.x_label));
    if (plot_.marked_x >= 0) {
      text += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#555\" "
          "stroke-dasharray=\"4 3\"/>\n",
          x_of(plot_.marked_x), y_of_share(0), y_of_share(1));
    }
    for (std::size_t i = 0; i < plot_.lines.size(); ++i) {
      const char* color = kColors[i % kColors.size()];
      std::string points;
      for (const auto& [x, y] : plot_.lines[i].points)
        if (std::isfinite(x) && std::isfinite(y)) points += fmt::format("{:.1f},{:.1f} ", x_of(x), y_of(y));
      text += fmt::format(
          "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>"
          "<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n",
          color, points, kLeft + kPlotWidth + 10, top_ + 16 + 18 * static_cast<double>(i), color,
          escaped(plot_.lines[i].name));
    }
    return text;
  }

 private:
  static constexpr double kPlotWidth = kWidth - kLeft - kRight;

  double x_of(double x) const { return kLeft + kPlotWidth * x / plot_.highest_x; }
  double y_of_share(double share) const { return top_ + (kHeight - kTop - kBottom) * (1 - share); }
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
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, kHeight * static_cast<double>(plots.size()));
  for (std::size_t i = 0; i < plots.size(); ++i)
    text += Panel(plots[i], kTop + kHeight * static_cast<double>(i)).svg();
  return text + "</svg>\n";
}

}  // namespace organon::tables
