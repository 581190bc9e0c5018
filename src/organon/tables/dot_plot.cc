#include "organon/tables/dot_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "organon/base/check.h"
#include "organon/tables/svg_text.h"

namespace organon::tables {
namespace {

constexpr int kNumTicks = 4;
constexpr std::size_t kMostLetters = 32;
constexpr double kLetterWidth = 7;

std::string text_at(double x, double y, const char* anchor, const std::string& text, const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     svg_escaped(text));
}

std::string line_from(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2,
                     style);
}

// Filled circle, hollow diamond, filled square, hollow triangle: told apart without colour.
std::string mark(std::size_t series, double x, double y, const std::string& told) {
  const char* color = kPlotColors[series % kPlotColors.size()];
  const std::string title = fmt::format("<title>{}</title>", svg_escaped(told));
  switch (series % 4) {
    case 0:
      return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\">{}</circle>\n", x, y,
                         color, title);
    case 1:
      return fmt::format(
          "<path d=\"M{:.1f},{:.1f} l6,6 l-6,6 l-6,-6 z\" fill=\"none\" stroke=\"{}\" "
          "stroke-width=\"1.8\">{}</path>\n",
          x, y - 6, color, title);
    case 2:
      return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"7\" height=\"7\" fill=\"{}\">{}</rect>\n",
                         x - 3.5, y - 3.5, color, title);
    default:
      return fmt::format(
          "<path d=\"M{:.1f},{:.1f} l5.5,9.5 l-11,0 z\" fill=\"none\" stroke=\"{}\" "
          "stroke-width=\"1.8\">{}</path>\n",
          x, y - 5.5, color, title);
  }
}

std::string small_dot(std::size_t series, double x, double y) {
  return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.8\" fill=\"{}\" opacity=\"0.55\"/>\n", x, y,
                     kPlotColors[series % kPlotColors.size()]);
}

constexpr double kRowHeight = 20;
constexpr double kDotTop = 64;
constexpr double kDotBottom = 52;
constexpr double kDotWidth = 460;
constexpr double kMargin = 24;

constexpr double kPanelEdge = 440;
constexpr double kPanelLeft = 64;
constexpr double kPanelTop = 44;
constexpr double kPanelBottom = 52;
constexpr double kNameGap = 36;
constexpr double kNameHeight = 14;
constexpr double kScatterWidth = kPanelLeft + kPanelEdge + kNameGap + kMostLetters * kLetterWidth + 30;

class ScatterPanel {
 public:
  ScatterPanel(const ScatterPlot& plot, double top) : plot_(plot), top_(top) {
    for (const ScatterPlot::Point& point : plot.points)
      if (std::isfinite(point.x) && std::isfinite(point.y)) points_.push_back(point);
    std::stable_sort(points_.begin(), points_.end(),
                     [](const auto& a, const auto& b) { return std::tie(b.y, a.x) < std::tie(a.y, b.x); });
    edge_ = std::max(kPanelEdge, kNameHeight * static_cast<double>(points_.size()));
  }

  double height() const { return kPanelTop + edge_ + kPanelBottom; }

  std::string svg() const {
    std::string text = text_at(kPanelLeft, top_ + 22, "start", plot_.title, " font-weight=\"bold\"");
    for (int tick = 0; tick <= kNumTicks; ++tick) {
      const double value = plot_.highest * tick / kNumTicks;
      const char* style = "stroke=\"#ddd\"";
      text += line_from(kPanelLeft, y_of(value), kPanelLeft + kPanelEdge, y_of(value), style);
      text += line_from(x_of(value), y_of(0), x_of(value), y_of(plot_.highest), style);
      text += text_at(kPanelLeft - 6, y_of(value) + 4, "end", fmt::format("{:.3g}", value));
      text += text_at(x_of(value), y_of(0) + 18, "middle", fmt::format("{:.3g}", value));
    }
    text += line_from(x_of(0), y_of(0), x_of(plot_.highest), y_of(plot_.highest),
                      "stroke=\"#888\" stroke-dasharray=\"4 3\"");
    text += text_at(kPanelLeft + kPanelEdge / 2, y_of(0) + 38, "middle", plot_.x_label);
    const double middle = top_ + kPanelTop + edge_ / 2;
    text += text_at(18, middle, "middle", plot_.y_label,
                    fmt::format(" transform=\"rotate(-90 18 {:.1f})\"", middle).c_str());
    const double name_x = kPanelLeft + kPanelEdge + kNameGap;
    const std::vector<double> name_y = places_of_names();
    for (std::size_t i = 0; i < points_.size(); ++i)
      text += line_from(x_of(points_[i].x), y_of(points_[i].y), name_x - 4, name_y[i],
                        "stroke=\"#bbb\" stroke-width=\"0.7\"");
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const ScatterPlot::Point& point = points_[i];
      text += mark(0, x_of(point.x), y_of(point.y),
                   fmt::format("{}: {:.3g}, {:.3g}", point.name, point.x, point.y));
      text += text_at(name_x, name_y[i] + 4, "start", svg_shortened(point.name, kMostLetters));
    }
    return text;
  }

 private:
  double share_of(double value) const { return std::clamp(value / plot_.highest, 0.0, 1.0); }
  double x_of(double value) const { return kPanelLeft + kPanelEdge * share_of(value); }
  double y_of(double value) const { return top_ + kPanelTop + edge_ * (1 - share_of(value)); }

  // From top to bottom, as near to the points as their height allows.
  std::vector<double> places_of_names() const {
    std::vector<double> places;
    for (const ScatterPlot::Point& point : points_) {
      const double wanted = y_of(point.y);
      places.push_back(places.empty() ? wanted : std::max(wanted, places.back() + kNameHeight));
    }
    // What was pushed out at the bottom is moved up.
    double lowest = top_ + kPanelTop + edge_;
    for (std::size_t i = places.size(); i-- > 0; lowest = places[i] - kNameHeight)
      places[i] = std::min(places[i], lowest);
    return places;
  }

  const ScatterPlot& plot_;
  double top_;
  double edge_;  // of the panel from bottom to top: higher where there are many names
  std::vector<ScatterPlot::Point> points_;
};

}  // namespace

std::string to_svg(const DotPlot& plot) {
  std::size_t letters = 0;
  for (const std::string& name : plot.categories)
    letters = std::max(letters, std::min(name.size(), kMostLetters + 3));
  const double left = kMargin + kLetterWidth * static_cast<double>(letters) + 10;
  const double bottom = kDotTop + kRowHeight * static_cast<double>(plot.categories.size());
  const auto x_of = [&](double value) {
    return left + kDotWidth * std::clamp(value / plot.highest_x, 0.0, 1.0);
  };
  std::string text = svg_head(left + kDotWidth + 2 * kMargin, bottom + kDotBottom);
  text += text_at(kMargin, 22, "start", plot.title, " font-weight=\"bold\"");
  double legend_x = left;
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    const DotSeries& series = plot.series[s];
    ORGANON_CHECK(series.values.size() == plot.categories.size());
    text += mark(s, legend_x + 6, 42, series.name);
    text += text_at(legend_x + 18, 46, "start", svg_shortened(series.name, kMostLetters));
    legend_x += 36 + kLetterWidth * static_cast<double>(std::min(series.name.size(), kMostLetters + 3));
  }
  for (int tick = 0; tick <= kNumTicks; ++tick) {
    const double value = plot.highest_x * tick / kNumTicks;
    text += line_from(x_of(value), kDotTop, x_of(value), bottom, "stroke=\"#ddd\"");
    text += text_at(x_of(value), bottom + 18, "middle", fmt::format("{:.3g}", value));
  }
  text += text_at(left + kDotWidth / 2, bottom + 38, "middle", plot.x_label);
  for (std::size_t c = 0; c < plot.categories.size(); ++c) {
    const double y = kDotTop + kRowHeight * (static_cast<double>(c) + 0.5);
    text += text_at(left - 10, y + 4, "end", svg_shortened(plot.categories[c], kMostLetters));
    double low = HUGE_VAL;
    double high = -HUGE_VAL;
    std::string marks;
    for (std::size_t s = 0; s < plot.series.size(); ++s) {
      if (c < plot.series[s].singles.size())
        for (const double single : plot.series[s].singles[c])
          if (std::isfinite(single)) text += small_dot(s, x_of(single), y + (s == 0 ? -6 : 6));
      const double value = plot.series[s].values[c];
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
      marks += mark(s, x_of(value), y,
                    fmt::format("{}, {}: {:.3g}", plot.categories[c], plot.series[s].name, value));
    }
    if (low < high) text += line_from(x_of(low), y, x_of(high), y, "stroke=\"#999\"");
    text += marks;
  }
  return text + "</svg>\n";
}

std::string to_svg(const std::vector<ScatterPlot>& plots) {
  std::string text;
  double top = 0;
  for (const ScatterPlot& plot : plots) {
    const ScatterPanel panel(plot, top);
    text += panel.svg();
    top += panel.height();
  }
  return svg_head(kScatterWidth, std::max(top, 1.0)) + text + "</svg>\n";
}

}  // namespace organon::tables
