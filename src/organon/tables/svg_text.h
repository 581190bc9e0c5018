#pragma once

#include <array>
#include <string>

namespace organon::tables {

/// Colours of series, in order; told apart also by most people who do not see all colours.
inline constexpr std::array<const char*, 10> kPlotColors = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                                                            "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f",
                                                            "#bcbd22", "#17becf"};

/// `text` as the content of an element: characters that mean something to XML replaced, those that it forbids
/// shown as a question mark.
std::string svg_escaped(const std::string& text);

/// `text`, or its first letters and three points where it is longer than `most` bytes. Cuts between
/// characters of UTF-8.
std::string svg_shortened(const std::string& text, std::size_t most);

/// The begin of a picture of this size, in pixels.
std::string svg_head(double width, double height);

/// A round number not below `value`, which is above 0, for the end of an axis with four parts.
double round_up_for_axis(double value);

}  // namespace organon::tables
