#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "organon/nn/network.h"

namespace organon::stages {

/// Makes the batches of the coming steps in threads of its own, at most `capacity` ahead, so that training
/// does not wait for them.
class BatchQueue {
 public:
  /// Called from several threads at once; a batch depends on its step alone.
  using Make = std::function<nn::TrainingBatch(std::int64_t step)>;

  BatchQueue(Make make, std::int64_t first_step, std::int64_t end_step, std::size_t capacity,
             std::size_t num_threads = 1);
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;
  /// Waits for batches that are being made, and lets no other begin.
  ~BatchQueue();

  /// The batch of the next step, in order. Requires: there is one. Errors: those of `make`, at their step.
  nn::TrainingBatch take();
  /// For which take() has waited so far. For the thread that takes.
  double waited_seconds() const { return waited_seconds_; }

 private:
  struct Made {
    nn::TrainingBatch batch;
    std::exception_ptr error;  ///< instead of a batch
  };

  void run(const std::stop_token& stop);

  Make make_;
  std::int64_t next_taken_;
  std::int64_t next_made_;
  std::int64_t end_step_;
  std::int64_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::int64_t, Made> made_;  // by step
  double waited_seconds_ = 0;
  std::vector<std::jthread> threads_;  // last: they stop before the rest goes
};

/// "waited 0.3 % of the time for samples", and where that is more than a twentieth, what helps.
std::string describe_wait(double waited_share);

}  // namespace organon::stages
