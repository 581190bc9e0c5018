#include "organon/stages/training/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::stages {
namespace {

constexpr std::array<const char*, 6> kColors = {"#1b7f5c", "#3366cc", "#c0392b",
                                                "#8e44ad", "#b7791f", "#2c3e50"};
constexpr double kWidth = 720, kHeight = 300, kLeft = 60, kTop = 30, kBottom = 40, kRight = 130;

}  // namespace

void Curves::read(const std::filesystem::path& csv, std::int64_t last_step) {
  rows_.clear();
  if (!std::filesystem::exists(csv)) return;
  std::istringstream lines(read_text(csv));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, ',');) fields.push_back(field);
    fields.resize(2 + 2 * classes_.size());
    try {
      CurveRow row{std::stoll(fields[0]), std::stod(fields[1]), {}, {}};
      for (std::size_t c = 0; c < classes_.size(); ++c) {
        row.losses.push_back(std::stod(fields[2 + c]));
        const std::string& score = fields[2 + classes_.size() + c];
        if (!score.empty()) row.scores.push_back(std::stod(score));
      }
      if (row.step <= last_step) rows_.push_back(std::move(row));
    } catch (const std::logic_error&) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: cannot read the line '{}'", csv.string(), line));
    }
  }
}

std::string Curves::csv() const {
  std::string text = "step,seconds";
  for (const std::string& name : classes_) text += ",loss_" + name;
  for (const std::string& name : classes_) text += ",f1_" + name;
  text += "\n";
  for (const CurveRow& row : rows_) {
    text += fmt::format("{},{:.1f}", row.step, row.seconds);
    for (const double loss : row.losses) text += fmt::format(",{:.6g}", loss);
    for (std::size_t c = 0; c < classes_.size(); ++c)
      text += row.scores.empty() ? "," : fmt::format(",{:.4f}", row.scores[c]);
    text += "\n";
  }
  return text;
}

std::string Curves::svg() const {
  double largest_loss = 1e-9;
  double last_step = 1;
  for (const CurveRow& row : rows_) {
    last_step = std::max(last_step, static_cast<double>(row.step));
    for (const double loss : row.losses) largest_loss = std::max(largest_loss, std::min(loss, 1.0));
  }
  const double plot_width = kWidth - kLeft - kRight;
  const auto x = [&](double step) { return kLeft + plot_width * step / last_step; };
  const auto y = [&](double share, double top) {
    return top + (kHeight - kTop - kBottom) * (1 - std::clamp(share, 0.0, 1.0));
  };
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, 2 * kHeight);
  const auto panel = [&](double top, const std::string& title, double largest, auto&& value_of) {
    text += fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", kLeft, top - 10, title);
    for (int tick = 0; tick <= 4; ++tick) {
      const double at = y(tick / 4.0, top);
      text += fmt::format(
          "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>"
          "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>\n",
          kLeft, kLeft + plot_width, at, at, kLeft - 6, at + 4, largest * tick / 4);
      const double step = last_step * tick / 4;
      text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n", x(step),
                          y(0, top) + 18, step);
    }
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">step</text>\n",
                        kLeft + plot_width / 2, y(0, top) + 34);
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      const char* color = kColors[c % kColors.size()];
      std::string points;
      for (const CurveRow& row : rows_) {
        const double value = value_of(row, c);
        if (std::isfinite(value))
          points += fmt::format("{:.1f},{:.1f} ", x(static_cast<double>(row.step)), y(value / largest, top));
      }
      text += fmt::format(
          "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>"
          "<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n",
          color, points, kLeft + plot_width + 10, top + 16 + 18 * static_cast<double>(c), color, classes_[c]);
    }
  };
  panel(kTop, "loss (masked, balanced mean square error)", largest_loss,
        [](const CurveRow& row, std::size_t c) { return row.losses[c]; });
  panel(kTop + kHeight, "F1 on the validation crops", 1.0,
        [](const CurveRow& row, std::size_t c) { return row.scores.empty() ? std::nan("") : row.scores[c]; });
  return text + "</svg>\n";
}

void Curves::write(const std::filesystem::path& folder) const {
  write_text_atomically(folder / "curves.csv", csv());
  write_text_atomically(folder / "curves.svg", svg());
}

}  // namespace organon::stages
