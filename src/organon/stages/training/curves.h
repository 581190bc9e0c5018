#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace organon::stages {

/// A row of a training curve: mean losses since the row before, and validation scores where they were
/// measured.
struct CurveRow {
  std::int64_t step = 0;
  double seconds = 0;
  std::vector<double> losses;  ///< per class
  std::vector<double> scores;  ///< F1 per class; empty: not measured at this row
};

/// The loss and validation curves of a training: `curves.csv` (step, seconds, loss_<class>..., f1_<class>...)
/// and the same as a plot, `curves.svg`.
class Curves {
 public:
  explicit Curves(std::vector<std::string> classes) : classes_(std::move(classes)) {}

  /// Rows of an earlier run up to `last_step`; none where there is no file. Errors: kCorruptData.
  void read(const std::filesystem::path& csv, std::int64_t last_step);
  void add(CurveRow row) { rows_.push_back(std::move(row)); }
  const std::vector<CurveRow>& rows() const { return rows_; }
  /// Writes both files into `folder`.
  void write(const std::filesystem::path& folder) const;

 private:
  std::string csv() const;
  std::string svg() const;

  std::vector<std::string> classes_;
  std::vector<CurveRow> rows_;
};

}  // namespace organon::stages
