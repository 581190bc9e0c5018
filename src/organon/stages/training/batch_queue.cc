#include "organon/stages/training/batch_queue.h"

namespace organon::stages {

BatchQueue::BatchQueue(Make make, std::int64_t first_step, std::int64_t end_step, std::size_t capacity,
                       std::size_t num_threads)
    : make_(std::move(make)),
      next_taken_(first_step),
      next_made_(first_step),
      end_step_(end_step),
      capacity_(static_cast<std::int64_t>(capacity)) {
  for (std::size_t i = 0; i < num_threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
}

void BatchQueue::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (next_made_ < end_step_ && !error_) {
    if (!changed_.wait(lock, stop, [&] { return next_made_ - next_taken_ < capacity_ || error_; })) return;
    if (next_made_ >= end_step_ || error_) return;
    const std::int64_t step = next_made_++;
    lock.unlock();
    nn::TrainingBatch batch;
    std::exception_ptr error;
    try {
      batch = make_(step);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      error_ = error;
    } else {
      batches_.emplace(step, std::move(batch));
    }
    changed_.notify_all();
  }
}

nn::TrainingBatch BatchQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return batches_.contains(next_taken_) || error_; });
  const auto found = batches_.find(next_taken_);
  if (found == batches_.end()) std::rethrow_exception(error_);
  nn::TrainingBatch batch = std::move(found->second);
  batches_.erase(found);
  ++next_taken_;
  changed_.notify_all();
  return batch;
}

}  // namespace organon::stages
