#include "organon/app/terminal_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "organon/base/json.h"

namespace organon::app {
namespace {

constexpr double kTerminalInterval = 0.1;
constexpr double kPlainInterval = 30;
constexpr int kBarCells = 24;

void print_line(const Json& json) {
  fmt::print("{}\n", json.dump());
  std::fflush(stdout);
}

}  // namespace

std::string clock_text(double seconds) {
  const long whole = std::lround(seconds);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

void Pace::note(std::int64_t done, double seconds) {
  if (first_done_ < 0 || (is_late_ && first_done_ == 0)) {
    first_done_ = done;
    first_seconds_ = seconds;
  }
  done_ = done;
  seconds_ = seconds;
}

double Pace::rate() const {
  return done_ == first_done_
             ? 0
             : static_cast<double>(done_ - first_done_) / std::max(seconds_ - first_seconds_, 1e-3);
}

TerminalProgress::TerminalProgress() : is_terminal_(::isatty(STDERR_FILENO) != 0) {}

double TerminalProgress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

void TerminalProgress::start(const std::string& what, std::int64_t total, const std::string& unit) {
  what_ = what;
  unit_ = unit;
  total_ = total;
  pace_ = Pace(unit == "permille");
  begin_ = std::chrono::steady_clock::now();
  last_shown_ = begin_;
}

std::string TerminalProgress::line(std::int64_t done, const std::string& note) const {
  const double elapsed = seconds();
  const double fraction =
      total_ > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)) : 0;
  const double rate = pace_.rate();
  std::string text = unit_ == "permille" ? fmt::format("{:.1f} %", fraction * 100)
                                         : fmt::format("{}/{} {}, {:.1f}/s", done, total_, unit_, rate);
  text += fmt::format(", {}", clock_text(elapsed));
  if (rate > 0 && done < total_)
    text += fmt::format(", {} left", clock_text(static_cast<double>(total_ - done) / rate));
  if (!note.empty()) text += ", " + note;
  return text;
}

void TerminalProgress::update(std::int64_t done, const std::string& note) {
  pace_.note(done, seconds());
  const auto now = std::chrono::steady_clock::now();
  if (std::chrono::duration<double>(now - last_shown_).count() <
      (is_terminal_ ? kTerminalInterval : kPlainInterval))
    return;
  last_shown_ = now;
  if (!is_terminal_) {
    fmt::print(stderr, "{}: {}\n", what_, line(done, note));
    return;
  }
  const auto filled = static_cast<int>(total_ > 0 ? kBarCells * done / total_ : 0);
  std::string bar;
  for (int i = 0; i < kBarCells; ++i) bar += i < filled ? "█" : "·";
  fmt::print(stderr, "\r\033[K{:<32} {} {}", what_, bar, line(done, note));
  std::fflush(stderr);
}

void TerminalProgress::finish(const std::string& summary) {
  fmt::print(stderr, "{}{}: {} in {}\n", is_terminal_ ? "\r\033[K" : "", what_, summary,
             clock_text(seconds()));
}

void TerminalProgress::warn(const std::string& message) {
  fmt::print(stderr, "{}{}: {}\n", is_terminal_ ? "\r\033[K" : "", what_, message);
}

void JsonProgress::start(const std::string& what, std::int64_t total, const std::string& unit) {
  what_ = what;
  total_ = total;
  last_done_ = -1;
  print_line({{"event", "started"}, {"what", what}, {"total", total}, {"unit", unit}});
}

void JsonProgress::update(std::int64_t done, const std::string& note) {
  const auto now = std::chrono::steady_clock::now();
  if (done == last_done_ || now - last_shown_ < std::chrono::seconds(1)) return;
  last_shown_ = now;
  last_done_ = done;
  print_line({{"event", "progress"}, {"what", what_}, {"done", done}, {"total", total_}, {"note", note}});
}

void JsonProgress::finish(const std::string& summary) {
  print_line({{"event", "finished"}, {"what", what_}, {"summary", summary}});
}

void JsonProgress::warn(const std::string& message) {
  print_line({{"event", "warning"}, {"what", what_}, {"message", message}});
}

std::unique_ptr<Progress> make_progress(bool as_json) {
  if (as_json) return std::make_unique<JsonProgress>();
  return std::make_unique<TerminalProgress>();
}

}  // namespace organon::app
