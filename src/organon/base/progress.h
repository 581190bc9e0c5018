#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace organon {

/// Told about long work: how many units of how many are done. Library code reports here and never prints.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void start(const std::string& what, std::int64_t total, const std::string& unit) = 0;
  /// `note`: a few words of state ("loss 0.12"); may be empty. Monotone in `done`.
  virtual void update(std::int64_t done, const std::string& note = "") = 0;
  virtual void finish(const std::string& summary) = 0;
  /// Something went wrong and the work goes on.
  virtual void warn(const std::string& message) = 0;
};

/// Says nothing.
class SilentProgress : public Progress {
 public:
  void start(const std::string&, std::int64_t, const std::string&) override {}
  void update(std::int64_t, const std::string&) override {}
  void finish(const std::string&) override {}
  void warn(const std::string&) override {}
};

}  // namespace organon
