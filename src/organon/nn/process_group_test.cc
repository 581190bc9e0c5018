#include "organon/nn/process_group.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <thread>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/nn/network.h"
#include "organon/nn/network_file.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

// Of sums in another order; what is asked for.
constexpr double kTolerance = 1e-5;

// Ranks as threads of this process: each has its own group. Processes are tried in train_ranks_test.cc.
void run_ranks(int size, double timeout_s, const std::function<void(ProcessGroup&)>& work) {
  const TemporaryFolder folder;
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      ProcessGroup group({folder.path() / "meeting", rank, size, true, timeout_s});
      work(group);
    });
  }
}

class ProcessGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ProcessGroup::is_available()) GTEST_SKIP() << "built without the headers of gloo";
  }
};

TEST_F(ProcessGroupTest, SumsAreTheSameOnEveryRank) {
  constexpr int kSize = 3;
  std::vector<std::vector<float>> sums(kSize);
  std::vector<std::vector<std::int64_t>> counts(kSize), gathered(kSize);
  run_ranks(kSize, 30, [&](ProcessGroup& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    Random random(rank);
    for (int i = 0; i < 1000; ++i) sums[rank].push_back(static_cast<float>(random.uniform(-1, 1)));
    group.sum(std::span(sums[rank]));
    counts[rank] = {std::int64_t{1} << (50 + group.rank()), group.rank()};
    group.sum(std::span(counts[rank]));
    gathered[rank] = group.gather(group.rank() * 10 - 5);
  });
  for (std::size_t i = 0; i < 1000; ++i) ASSERT_TRUE(std::isfinite(sums[0][i]));
  std::vector<double> twin(1000, 0);
  for (std::uint64_t rank = 0; rank < kSize; ++rank) {
    Random random(rank);
    for (double& value : twin) value += static_cast<float>(random.uniform(-1, 1));
  }
  for (std::size_t i = 0; i < twin.size(); ++i) ASSERT_NEAR(sums[0][i], twin[i], 1e-6);
  for (std::size_t rank = 0; rank < kSize; ++rank) {
    EXPECT_EQ(sums[rank], sums[0]);
    EXPECT_EQ(counts[rank], (std::vector<std::int64_t>{std::int64_t{7} << 50, 3}));
    EXPECT_EQ(gathered[rank], (std::vector<std::int64_t>{-5, 5, 15}));
  }
}

TEST_F(ProcessGroupTest, ARankThatIsGoneOrSilentIsAnError) {
  run_ranks(2, 1, [](ProcessGroup& group) {
    std::vector<std::int64_t> values = {1};
    group.sum(std::span(values));
    if (group.rank() == 1) return;
    try {
      group.sum(std::span(values));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kIo);
      EXPECT_NE(error.message().find("rank 0 of 2"), std::string::npos) << error.message();
    }
  });
  const TemporaryFolder folder;
  EXPECT_THROW(ProcessGroup({folder.path() / "meeting", 0, 2, true, 0.5}), Error);
}

// Samples of which each class has another share of annotated voxels and of positives.
TrainingBatch samples_of_step(std::int64_t step, std::size_t first, std::size_t count) {
  TrainingBatch batch;
  for (std::size_t place = first; place < first + count; ++place) {
    Random random(static_cast<std::uint64_t>(step) * 100 + place);
    const Shape3 shape = Shape3::cube(12);
    Array<float> raw(shape);
    for (std::int64_t i = 0; i < raw.size(); ++i) raw.data()[i] = static_cast<float>(random.uniform(-1, 1));
    batch.targets.emplace_back();
    batch.masks.emplace_back();
    for (std::size_t c = 0; c < 2; ++c) {
      Array<float> target(shape);
      Array<std::uint8_t> mask(shape);
      for (std::int64_t i = 0; i < raw.size(); ++i) {
        target.data()[i] = raw.data()[i] + 0.2F * static_cast<float>(place) - 0.5F;
        mask.data()[i] = random.uniform(0, 1) < 0.2 + 0.2 * static_cast<double>(place + c) ? 1 : 0;
      }
      batch.targets.back().push_back(std::move(target));
      batch.masks.back().push_back(std::move(mask));
    }
    batch.raw.push_back(std::move(raw));
  }
  return batch;
}

struct Trained {
  std::vector<double> losses;
  std::vector<double> values;  ///< weights, their mean, moments
  Hash128 hash;
};

constexpr std::size_t kBatch = 4;

// The seed of libtorch is the process's: threads must not make networks at once.
Network new_network(const std::string& normalization) {
  NetworkInfo info;
  info.options.features = {4, 8};
  info.options.pooling = {"2"};
  info.options.stem = 1;
  info.options.normalization = normalization;
  info.classes = {"a", "b"};
  info.voxel_size_nm = {8, 8, 8};
  return Network(info, "cpu");
}

Trained train(Network network, const std::string& loss, int accumulate, ProcessGroup* group = nullptr) {
  OptimizerOptions options;
  options.accumulate = accumulate;
  options.loss = loss;
  options.balance_as = {0, 0};
  const std::size_t share = group == nullptr ? kBatch : kBatch / static_cast<std::size_t>(group->size());
  const std::size_t first = group == nullptr ? 0 : static_cast<std::size_t>(group->rank()) * share;
  Trained trained;
  for (std::int64_t step = 0; step < 4; ++step) {
    for (const double one : network.train_step(samples_of_step(step, first, share), options, group))
      trained.losses.push_back(one);
  }
  trained.hash = network.hash();
  const TemporaryFolder folder;
  network.save(folder.path() / "network.organon");
  for (const auto& tensor : decode_network(read_text(folder.path() / "network.organon"), "").tensors)
    trained.values.insert(trained.values.end(), tensor.values.begin(), tensor.values.end());
  return trained;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], kTolerance) << i;
}

TEST(Network, PartsOfABatchMakeTheStepOfTheWhole) {
  for (const char* normalization : {"batch", "group"}) {
    const Trained whole = train(new_network(normalization), "mse", 1);
    const Trained parts = train(new_network(normalization), "mse", 2);
    EXPECT_EQ(parts.losses, whole.losses);
    EXPECT_EQ(parts.hash, whole.hash);
  }
}

TEST_F(ProcessGroupTest, TwoRanksTakeTheStepsOfOneProcessWithPartsOfItsBatch) {
  struct Case {
    std::string normalization, loss;
  };
  for (const Case& tried : {Case{"batch", "mse"}, Case{"group", "mse"}, Case{"group", "dice"}}) {
    const Trained one = train(new_network(tried.normalization), tried.loss, 2);
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<Trained> ranks(2);
      std::vector<Network> networks;
      for (std::size_t rank = 0; rank < 2; ++rank) networks.push_back(new_network(tried.normalization));
      run_ranks(2, 60, [&](ProcessGroup& group) {
        const auto rank = static_cast<std::size_t>(group.rank());
        ranks[rank] = train(std::move(networks[rank]), tried.loss, 1, &group);
      });
      EXPECT_EQ(ranks[0].hash, ranks[1].hash) << "equal bits";
      EXPECT_EQ(ranks[0].losses, ranks[1].losses);
      expect_near(ranks[0].losses, one.losses);
      expect_near(ranks[0].values, one.values);
    }
  }
}

}  // namespace
}  // namespace organon::nn
