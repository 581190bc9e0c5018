#include "organon/tables/dot_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "organon/tables/line_plot.h"
#include "organon/tables/svg_text.h"

namespace organon::tables {
namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DotPlot, HasAMarkPerDefinedValueInItsPlace) {
  DotPlot plot{"title", "F1", {"er", "mito"}, {{"validation", {0.5, 1}}, {"test", {kNan, 0.25}}}, 1};
  const std::string svg = to_svg(plot);
  // One more of each in the legend.
  EXPECT_EQ(count_of(svg, "<circle"), 3U);
  EXPECT_EQ(count_of(svg, "<path"), 2U);
  EXPECT_EQ(count_of(svg, "</title>"), 5U);
  EXPECT_NE(svg.find(">F1</text>"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  // 24 of margin, 4 letters of 7, 10: the axis begins at 62 and is 460 wide.
  EXPECT_NE(svg.find("<circle cx=\"292.0\" cy=\"74.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("<circle cx=\"522.0\" cy=\"94.0\""), std::string::npos) << svg;
}

TEST(DotPlot, ShowsWhatAMeanIsOf) {
  DotPlot plot{"t", "x", {"er"}, {{"validation", {0.5}, {{0.25, 0.75, kNan}}}}, 1};
  const auto dots_of = [](const std::string& svg) {
    std::size_t count = 0;
    for (std::size_t at = svg.find("r=\"1.8\""); at != std::string::npos; at = svg.find("r=\"1.8\"", at + 1))
      ++count;
    return count;
  };
  EXPECT_EQ(dots_of(to_svg(plot)), 2U);
  plot.series[0].singles.clear();
  EXPECT_EQ(dots_of(to_svg(plot)), 0U);
}

TEST(DotPlot, EmptyAndHostileNamesGiveWholePictures) {
  EXPECT_NE(to_svg(DotPlot{}).find("</svg>"), std::string::npos);
  EXPECT_NE(to_svg(std::vector<ScatterPlot>{}).find("</svg>"), std::string::npos);
  const std::string name = "<a&\x01" + std::string(500, 'x');
  const std::string svg = to_svg(DotPlot{"t", "x", {name}, {{name, {0.1}}}, 1});
  EXPECT_EQ(svg.find("<a&"), std::string::npos);
  EXPECT_EQ(svg.find('\x01'), std::string::npos);
  EXPECT_NE(svg.find("&lt;a&amp;?xxx"), std::string::npos);
  EXPECT_EQ(svg_shortened("aé", 2), "a...") << "no character is cut in two";
}

TEST(DotPlot, NamesOfAScatterDoNotHideEachOther) {
  ScatterPlot plot{"t", "x (nm)", "y (nm)", {}, 8};
  for (int i = 0; i < 35; ++i) plot.points.push_back({"class" + std::to_string(i), 4, i < 30 ? 0.1 : 7.9});
  plot.points.push_back({"undefined", kNan, 4});
  const std::string svg = to_svg(std::vector{plot});
  EXPECT_EQ(svg.find("undefined"), std::string::npos);
  const std::regex pattern("y=\"([0-9.]+)\" text-anchor=\"start\">class");
  std::vector<double> places;
  for (std::sregex_iterator at(svg.begin(), svg.end(), pattern), end; at != end; ++at)
    places.push_back(std::stod((*at)[1]));
  ASSERT_EQ(places.size(), 35U);
  for (std::size_t i = 1; i < places.size(); ++i) EXPECT_GE(places[i] - places[i - 1], 13.9);
  EXPECT_GT(places.front(), 44);
}

TEST(DotPlot, AxesEndAtRoundNumbers) {
  EXPECT_DOUBLE_EQ(round_up_for_axis(0.9), 1);
  EXPECT_DOUBLE_EQ(round_up_for_axis(1), 1);
  EXPECT_DOUBLE_EQ(round_up_for_axis(13), 16);
  EXPECT_DOUBLE_EQ(round_up_for_axis(813), 1000);
  EXPECT_DOUBLE_EQ(round_up_for_axis(0.021), 0.024);
}

TEST(LinePlot, GrowsWithItsNamesAndShowsSinglePoints) {
  LinePlot plot{"t", "x", {}, 10, 1};
  for (int i = 0; i < 30; ++i) plot.lines.push_back({"setup" + std::to_string(i), {{5.0, 0.5}}});
  const std::string svg = to_svg(std::vector{plot, plot});
  EXPECT_EQ(count_of(svg, "<circle"), 60U);
  EXPECT_NE(svg.find("viewBox=\"0 0 760 1240\""), std::string::npos) << svg.substr(0, 200);
}

}  // namespace
}  // namespace organon::tables
