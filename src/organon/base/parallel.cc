#include "organon/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

#include "organon/base/cancellation.h"

namespace organon {

void for_each_in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& use,
                          Progress& progress, const std::string& what, const std::string& unit,
                          int max_threads) {
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> done{0};
  std::atomic<bool> has_failed{false};
  std::exception_ptr failure;
  progress.start(what, count, unit);
  {
    std::vector<std::jthread> threads;
    const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
    const std::int64_t num_threads = max_threads > 0 ? max_threads : cores;
    for (std::int64_t i = 0; i < std::min(num_threads, count); ++i) {
      threads.emplace_back([&] {
        try {
          for (std::int64_t index = next++; index < count && !has_failed; index = next++) {
            throw_if_cancelled();
            use(index);
            ++done;
          }
        } catch (...) {
          if (!has_failed.exchange(true)) failure = std::current_exception();
        }
      });
    }
    while (done < count && !has_failed) {
      progress.update(done);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace organon
