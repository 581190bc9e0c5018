#include "organon/stages/training/batch_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include "organon/base/error.h"
#include "organon/base/random.h"

namespace organon::stages {
namespace {

using namespace std::chrono_literals;

nn::TrainingBatch batch_of(std::int64_t step) {
  nn::TrainingBatch batch;
  batch.raw.emplace_back(Shape3{1, 2, 3}, static_cast<float>(step));
  batch.targets.emplace_back().emplace_back(Shape3{1, 1, 1}, static_cast<float>(-step));
  batch.masks.emplace_back().emplace_back(Shape3{1, 1, 1}, static_cast<std::uint8_t>(step % 2));
  return batch;
}

void expect_batch_of(std::int64_t step, const nn::TrainingBatch& batch) {
  ASSERT_EQ(batch.raw.size(), 1U);
  EXPECT_EQ(batch.raw[0](0, 1, 2), static_cast<float>(step));
  EXPECT_EQ(batch.targets.at(0).at(0)(0, 0, 0), static_cast<float>(-step));
  EXPECT_EQ(batch.masks.at(0).at(0)(0, 0, 0), step % 2);
}

void sleep_at_random(std::uint64_t seed, std::int64_t step) {
  Random random(seed, static_cast<std::uint64_t>(step));
  std::this_thread::sleep_for(std::chrono::microseconds(random.below(600)));
}

template <class Claim>
void wait_until(const Claim& claim) {
  while (!claim()) std::this_thread::sleep_for(1ms);
}

TEST(BatchQueue, BatchesComeInOrderWhoeverMadeThem) {
  constexpr std::int64_t kFirst = 7, kEnd = 107;
  for (const std::size_t num_threads : {1U, 2U, 5U}) {
    std::vector<std::atomic<int>> times_made(kEnd);
    BatchQueue queue(
        [&](std::int64_t step) {
          ++times_made.at(static_cast<std::size_t>(step));
          sleep_at_random(num_threads, step);
          return batch_of(step);
        },
        kFirst, kEnd, num_threads + 1, num_threads);
    for (std::int64_t step = kFirst; step < kEnd; ++step) {
      if (step % 3 == 0) sleep_at_random(1000 + num_threads, step);
      expect_batch_of(step, queue.take());
    }
    for (std::int64_t step = 0; step < kEnd; ++step)
      EXPECT_EQ(times_made[static_cast<std::size_t>(step)], step < kFirst ? 0 : 1) << step;
  }
}

TEST(BatchQueue, NoMoreAreMadeAheadThanItsCapacity) {
  constexpr std::int64_t kCapacity = 4;
  for (const std::size_t num_threads : {1U, 3U, 8U}) {
    std::atomic<std::int64_t> num_asked{0}, num_made{0}, furthest_ahead{0};
    BatchQueue queue(
        [&](std::int64_t step) {
          const std::int64_t ahead = step + 1 - num_asked;
          std::int64_t furthest = furthest_ahead;
          while (ahead > furthest && !furthest_ahead.compare_exchange_weak(furthest, ahead)) {
          }
          sleep_at_random(num_threads, step);
          ++num_made;
          return batch_of(step);
        },
        0, 60, kCapacity, num_threads);
    wait_until([&] { return num_made == kCapacity; });
    std::this_thread::sleep_for(10ms);
    EXPECT_EQ(num_made, kCapacity) << "none was taken";
    for (std::int64_t step = 0; step < 40; ++step) {
      ++num_asked;
      expect_batch_of(step, queue.take());
    }
    EXPECT_EQ(furthest_ahead, kCapacity) << num_threads;
    wait_until([&] { return num_made == 40 + kCapacity; });
  }
}

// Also where a later one was made, or failed, before.
TEST(BatchQueue, AnErrorComesAtItsStep) {
  for (const std::size_t num_threads : {1U, 4U}) {
    BatchQueue queue(
        [&](std::int64_t step) {
          if (step == 5 || step == 6) throw Error(ErrorKind::kCorruptData, "step " + std::to_string(step));
          std::this_thread::sleep_for(2ms);
          return batch_of(step);
        },
        0, 100, 8, num_threads);
    for (std::int64_t step = 0; step < 5; ++step) expect_batch_of(step, queue.take());
    for (int again = 0; again < 2; ++again) {
      try {
        queue.take();
        ADD_FAILURE() << "expected an error";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
        EXPECT_EQ(error.message(), "step 5");
      }
    }
  }
}

// Full, with errors that nobody saw, with nothing to make, and with all made.
TEST(BatchQueue, EndsWithBatchesUntaken) {
  for (const std::size_t num_threads : {1U, 4U}) {
    std::atomic<int> num_made{0};
    const BatchQueue::Make counting = [&](std::int64_t step) {
      ++num_made;
      return batch_of(step);
    };
    {
      const BatchQueue full(counting, 0, 100, 3, num_threads);
      wait_until([&] { return num_made == 3; });
    }
    EXPECT_EQ(num_made, 3);
    const BatchQueue::Make fails = [](std::int64_t) -> nn::TrainingBatch {
      throw Error(ErrorKind::kIo, "nobody sees this");
    };
    { const BatchQueue failed(fails, 0, 100, 3, num_threads); }
    { const BatchQueue empty(fails, 100, 100, 3, num_threads); }
    BatchQueue ended(batch_of, 0, 5, 8, num_threads);
    expect_batch_of(0, ended.take());
  }
}

TEST(BatchQueue, NoBatchBeginsOnceItEnds) {
  constexpr std::int64_t kMany = 1000;
  std::atomic<std::int64_t> num_begun{0};
  auto queue = std::make_unique<BatchQueue>(
      [&](std::int64_t step) {
        ++num_begun;
        std::this_thread::sleep_for(5ms);
        return batch_of(step);
      },
      0, kMany, kMany, 2);
  wait_until([&] { return num_begun >= 2; });
  queue.reset();
  EXPECT_LT(num_begun, kMany / 2) << "room for all, but nobody to take them";
}

TEST(BatchQueue, KnowsForHowLongItWasWaitedFor) {
  BatchQueue slow(
      [](std::int64_t step) {
        std::this_thread::sleep_for(20ms);
        return batch_of(step);
      },
      0, 5, 1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) slow.take();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_LE(slow.waited_seconds(), seconds);
  EXPECT_GT(slow.waited_seconds(), 0.01) << "each is begun once the one before is taken";

  std::atomic<int> num_made{0};
  BatchQueue ready(
      [&](std::int64_t step) {
        ++num_made;
        return batch_of(step);
      },
      0, 5, 5);
  EXPECT_EQ(ready.waited_seconds(), 0);
  wait_until([&] { return num_made == 5; });
  std::this_thread::sleep_for(200ms);
  for (int i = 0; i < 5; ++i) ready.take();
  EXPECT_EQ(ready.waited_seconds(), 0) << "they had been made before";
}

TEST(DescribeWait, TellsWhatHelpsWhereMuchIsWaited) {
  EXPECT_EQ(describe_wait(0.003), "waited 0.3 % of the time for samples");
  EXPECT_EQ(describe_wait(0.05), "waited 5.0 % of the time for samples");
  const std::string much = describe_wait(0.12);
  EXPECT_TRUE(much.starts_with("waited 12.0 % of the time for samples (")) << much;
  EXPECT_NE(much.find("processor cores"), std::string::npos) << much;
  EXPECT_NE(much.find("augmentations"), std::string::npos) << much;
}

}  // namespace
}  // namespace organon::stages
