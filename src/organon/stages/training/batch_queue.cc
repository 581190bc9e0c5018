#include "organon/stages/training/batch_queue.h"

#include <fmt/format.h>

#include <chrono>

#include "organon/base/check.h"

namespace organon::stages {
namespace {

constexpr double kMuchWaitedShare = 0.05;  // a device is to be busy for 95 % of the time

}  // namespace

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

// All at once: those that were joined later would go on meanwhile.
BatchQueue::~BatchQueue() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void BatchQueue::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return next_made_ - next_taken_ < capacity_; })) {
    // wait() tells of room also where it was to stop.
    if (stop.stop_requested() || next_made_ >= end_step_) return;
    const std::int64_t step = next_made_++;
    lock.unlock();
    Made made;
    try {
      made.batch = make_(step);
    } catch (...) {
      made.error = std::current_exception();
    }
    lock.lock();
    made_.emplace(step, std::move(made));
    changed_.notify_all();
  }
}

nn::TrainingBatch BatchQueue::take() {
  std::unique_lock lock(mutex_);
  ORGANON_CHECK(next_taken_ < end_step_);
  if (!made_.contains(next_taken_)) {
    const auto begin = std::chrono::steady_clock::now();
    changed_.wait(lock, [&] { return made_.contains(next_taken_); });
    waited_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const auto found = made_.find(next_taken_);
  if (found->second.error) std::rethrow_exception(found->second.error);
  nn::TrainingBatch batch = std::move(found->second.batch);
  made_.erase(found);
  ++next_taken_;
  changed_.notify_all();
  return batch;
}

std::string describe_wait(double waited_share) {
  return fmt::format("waited {:.1f} % of the time for samples{}", 100 * waited_share,
                     waited_share > kMuchWaitedShare
                         ? " (more processor cores or cheaper augmentations, such as elastic_nm 0, help)"
                         : "");
}

}  // namespace organon::stages
