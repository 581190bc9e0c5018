#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace organon::nn {

struct ProcessGroupOptions {
  /// Through it the ranks find each other: on a file system that all see, not there before.
  std::filesystem::path meeting_file;
  int rank = 0;
  int size = 1;
  bool is_one_machine = true;  ///< ranks listen on the loopback device alone
  double timeout_s = 600;      ///< for which a rank waits for another, in each call
};

/// The processes (ranks) of one training, which make sums together: gloo, through libtorch's c10d. Every rank
/// makes the same calls in the same order. Sums are equal bit for bit on every rank, and from one run to the
/// next.
///
/// Errors of all functions: kIo where another rank is gone, or does not answer in time.
class ProcessGroup {
 public:
  /// False where organon was built without gloo: then there is one process only.
  static bool is_available();

  /// Returns when all are there. Errors: kUnsupported where it is not available.
  explicit ProcessGroup(const ProcessGroupOptions& options);
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  ~ProcessGroup();

  int rank() const;
  int size() const;

  /// Sums over the ranks, place by place, in place.
  void sum(std::span<std::int64_t> values);
  void sum(std::span<float> values);
  /// The values of all ranks, by rank.
  std::vector<std::int64_t> gather(std::int64_t value);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace organon::nn
