#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
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

  /// The batch of the next step, in order. Errors: those of `make`.
  nn::TrainingBatch take();

 private:
  void run(const std::stop_token& stop);

  Make make_;
  std::int64_t next_taken_;
  std::int64_t next_made_;
  std::int64_t end_step_;
  std::int64_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::int64_t, nn::TrainingBatch> batches_;  // by step
  std::exception_ptr error_;
  std::vector<std::jthread> threads_;  // last: they stop before the rest goes
};

}  // namespace organon::stages
