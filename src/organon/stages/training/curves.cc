#include "organon/stages/training/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/tables/line_plot.h"

namespace organon::stages {

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
  double highest_loss = 1e-9;
  double last_step = 1;
  for (const CurveRow& row : rows_) {
    last_step = std::max(last_step, static_cast<double>(row.step));
    for (const double loss : row.losses) highest_loss = std::max(highest_loss, std::min(loss, 1.0));
  }
  tables::LinePlot losses{"loss (masked, balanced mean square error)", "step", {}, last_step, highest_loss};
  tables::LinePlot scores{"F1 on the validation crops", "step", {}, last_step, 1.0};
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    losses.lines.push_back({classes_[c], {}});
    scores.lines.push_back({classes_[c], {}});
    for (const CurveRow& row : rows_) {
      const auto step = static_cast<double>(row.step);
      losses.lines.back().points.emplace_back(step, row.losses[c]);
      if (!row.scores.empty()) scores.lines.back().points.emplace_back(step, row.scores[c]);
    }
  }
  return tables::to_svg({losses, scores});
}

void Curves::write(const std::filesystem::path& folder) const {
  write_text_atomically(folder / "curves.csv", csv());
  write_text_atomically(folder / "curves.svg", svg());
}

}  // namespace organon::stages
