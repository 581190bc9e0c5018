#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "organon/nn/network.h"

namespace organon::stages {

/// Makes the batches of the coming steps in a thread of its own, at most `capacity` ahead, so that training
/// does not wait for them.
class BatchQueue {
 public:
  using Make = std::function<nn::TrainingBatch(std::int64_t step)>;

  BatchQueue(Make make, std::int64_t first_step, std::int64_t end_step, std::size_t capacity);

  /// The batch of the next step, in order. Errors: those of `make`.
  nn::TrainingBatch take();

 private:
  void run(const std::stop_token& stop);

  Make make_;
  std::int64_t next_step_;
  std::int64_t end_step_;
  std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<nn::TrainingBatch> batches_;
  std::exception_ptr error_;
  std::jthread thread_;  // last: it stops before the rest goes
};

}  // namespace organon::stages
