#include "organon/stages/training/batch_queue.h"

namespace organon::stages {

BatchQueue::BatchQueue(Make make, std::int64_t first_step, std::int64_t end_step, std::size_t capacity)
    : make_(std::move(make)),
      next_step_(first_step),
      end_step_(end_step),
      capacity_(capacity),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void BatchQueue::run(const std::stop_token& stop) {
  for (std::int64_t step = next_step_; step < end_step_; ++step) {
    nn::TrainingBatch batch;
    std::exception_ptr error;
    try {
      batch = make_(step);
    } catch (...) {
      error = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return batches_.size() < capacity_; })) return;
    error_ = error;
    if (!error) batches_.push_back(std::move(batch));
    changed_.notify_all();
    if (error) return;
  }
}

nn::TrainingBatch BatchQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !batches_.empty() || error_; });
  if (batches_.empty()) std::rethrow_exception(error_);
  nn::TrainingBatch batch = std::move(batches_.front());
  batches_.pop_front();
  changed_.notify_all();
  return batch;
}

}  // namespace organon::stages
