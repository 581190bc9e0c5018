#include "organon/stages/training/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/stages/training/event_file.h"
#include "organon/tables/line_plot.h"

namespace organon::stages {

void Curves::read(const std::filesystem::path& csv, std::int64_t last_step) {
  rows_.clear();
  if (!std::filesystem::exists(csv)) return;
  std::istringstream lines(read_text(csv));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    try {
      CurveRow row = parse(line);
      if (row.step <= last_step) rows_.push_back(std::move(row));
    } catch (const std::logic_error&) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: cannot read the line '{}'", csv.string(), line));
    }
  }
}

// Errors: std::logic_error where a number is none.
CurveRow Curves::parse(const std::string& line) const {
  std::vector<std::string> fields;
  std::istringstream parts(line);
  for (std::string field; std::getline(parts, field, ',');) fields.push_back(field);
  fields.resize(3 + 2 * classes_.size());
  CurveRow row;
  row.step = std::stoll(fields[0]);
  row.seconds = std::stod(fields[1]);
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    row.losses.push_back(std::stod(fields[2 + c]));
    const std::string& score = fields[2 + classes_.size() + c];
    if (!score.empty()) row.scores.push_back(std::stod(score));
  }
  // The last, since files of before it was written end without it.
  if (!fields.back().empty()) row.learning_rate = std::stod(fields.back());
  return row;
}

std::string Curves::line_of(const CurveRow& row) const {
  std::string line = fmt::format("{},{:.1f}", row.step, row.seconds);
  for (const double loss : row.losses) line += fmt::format(",{:.6g}", loss);
  for (std::size_t c = 0; c < classes_.size(); ++c)
    line += row.scores.empty() ? "," : fmt::format(",{:.4f}", row.scores[c]);
  line += row.learning_rate ? fmt::format(",{:.6g}", *row.learning_rate) : ",";
  return line;
}

std::string Curves::csv() const {
  std::string text = "step,seconds";
  for (const std::string& name : classes_) text += ",loss_" + name;
  for (const std::string& name : classes_) text += ",f1_" + name;
  text += ",learning_rate\n";
  for (const CurveRow& row : rows_) text += line_of(row) + "\n";
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

std::string Curves::events(double began_unix_seconds) const {
  std::vector<ScalarEvent> events;
  for (const CurveRow& row : rows_) {
    ScalarEvent event{row.step, began_unix_seconds + row.seconds, {}};
    for (std::size_t c = 0; c < classes_.size(); ++c)
      event.scalars.push_back({"loss/" + classes_[c], row.losses[c]});
    event.scalars.push_back({"loss/total", std::accumulate(row.losses.begin(), row.losses.end(), 0.0)});
    for (std::size_t c = 0; c < row.scores.size(); ++c)
      event.scalars.push_back({"f1/" + classes_[c], row.scores[c]});
    if (row.learning_rate) event.scalars.push_back({"learning_rate", *row.learning_rate});
    events.push_back(std::move(event));
  }
  return encode_events(began_unix_seconds, events);
}

void Curves::write(const std::filesystem::path& folder, double began_unix_seconds) const {
  write_text_atomically(folder / "curves.csv", csv());
  write_text_atomically(folder / "curves.svg", svg());
  update_event_file(event_file_in(folder), events(began_unix_seconds));
}

std::filesystem::path event_file_in(const std::filesystem::path& folder) {
  return folder / "events" / "events.out.tfevents.organon";
}

}  // namespace organon::stages
