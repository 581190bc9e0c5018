#pragma once

#include <chrono>
#include <memory>

#include "organon/base/progress.h"

namespace organon::app {

/// How fast work goes on here: what an earlier run had done does not count.
class Pace {
 public:
  /// Of work that begins where its first count is, or, `is_late`, where the first one above 0 is: a training
  /// that goes on tells it with its first steps.
  explicit Pace(bool is_late = false) : is_late_(is_late) {}
  /// At each count that is known.
  void note(std::int64_t done, double seconds);
  /// Per second; 0: not known yet.
  double rate() const;

 private:
  bool is_late_;
  std::int64_t first_done_ = -1, done_ = -1;
  double first_seconds_ = 0, seconds_ = 0;
};

/// Progress on stderr: a bar with rate and time left where it is a terminal; elsewhere a plain line every
/// half minute and at the end.
class TerminalProgress : public Progress {
 public:
  TerminalProgress();
  void start(const std::string& what, std::int64_t total, const std::string& unit) override;
  void update(std::int64_t done, const std::string& note) override;
  void finish(const std::string& summary) override;
  void warn(const std::string& message) override;

 private:
  double seconds() const;
  std::string line(std::int64_t done, const std::string& note) const;

  bool is_terminal_;
  std::string what_;
  std::string unit_;
  std::int64_t total_ = 0;
  Pace pace_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_shown_;
};

/// Progress as lines of JSON on stdout, for programs: started, progress (at most every second), finished,
/// warning.
class JsonProgress : public Progress {
 public:
  void start(const std::string& what, std::int64_t total, const std::string& unit) override;
  void update(std::int64_t done, const std::string& note) override;
  void finish(const std::string& summary) override;
  void warn(const std::string& message) override;

 private:
  std::string what_;
  std::int64_t total_ = 0;
  std::int64_t last_done_ = -1;
  std::chrono::steady_clock::time_point last_shown_;
};

/// For people, or for programs.
std::unique_ptr<Progress> make_progress(bool as_json);

/// "1:02:03", "4:05" or "0:07".
std::string clock_text(double seconds);
/// "1.2 GiB".
std::string bytes_text(double bytes);

}  // namespace organon::app
