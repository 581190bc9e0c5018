#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace organon::stages {

/// A row of a training curve: mean losses since the row before, and validation scores where they were
/// measured.
struct CurveRow {
  std::int64_t step = 0;
  double seconds = 0;                        ///< of training; pauses between its runs do not count
  std::vector<double> losses;                ///< per class
  std::vector<double> scores;                ///< F1 per class; empty: not measured at this row
  std::optional<double> learning_rate = {};  ///< of this step; nothing in rows of files that do not have it
};

/// The loss and validation curves of a training, in three forms:
///
///     curves.csv                             step, seconds, loss_<class>..., f1_<class>..., learning_rate
///     curves.svg                             a plot of losses and scores
///     events/events.out.tfevents.organon     for TensorBoard: loss/<class>, loss/total, f1/<class>,
///                                            learning_rate
///
/// curves.csv is what a training that goes on reads; the others are made of its rows. The event file has one
/// name for good: TensorBoard shows all event files of a folder as one curve, so that a second one, of a
/// training that went on, would show steps twice.
class Curves {
 public:
  explicit Curves(std::vector<std::string> classes) : classes_(std::move(classes)) {}

  /// Rows of an earlier run up to `last_step`; none where there is no file. Errors: kCorruptData.
  void read(const std::filesystem::path& csv, std::int64_t last_step);
  /// `row` with its numbers as curves.csv has them.
  CurveRow as_kept(const CurveRow& row) const { return parse(line_of(row)); }
  /// Adds a row as it is kept, so that rows are the same whether they were added or read.
  void add(const CurveRow& row) { rows_.push_back(as_kept(row)); }
  const std::vector<CurveRow>& rows() const { return rows_; }
  /// Writes all files into `folder`. The wall time of a row in the event file is `began_unix_seconds`, when
  /// the training began, and the row's seconds.
  void write(const std::filesystem::path& folder, double began_unix_seconds) const;

 private:
  CurveRow parse(const std::string& line) const;
  std::string line_of(const CurveRow& row) const;
  std::string csv() const;
  std::string svg() const;
  std::string events(double began_unix_seconds) const;

  std::vector<std::string> classes_;
  std::vector<CurveRow> rows_;
};

/// The event file of a training, in its folder.
std::filesystem::path event_file_in(const std::filesystem::path& folder);

}  // namespace organon::stages
