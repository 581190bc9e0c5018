// Steps of training against Adam, the limit of the gradient and the running mean by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/nn/network.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;
using Tensors = std::map<std::string, std::vector<float>>;

NetworkFile file_of(const Network& network) {
  const TemporaryFolder folder;
  network.save(folder.path() / "a.organon");
  return decode_network(read_text(folder.path() / "a.organon"), "a");
}

// Of all of a checkpoint whose name begins so, without the beginning.
Tensors tensors_of(const NetworkFile& file, const std::string& prefix) {
  Tensors result;
  for (const auto& tensor : file.tensors)
    if (tensor.name.starts_with(prefix)) result[tensor.name.substr(prefix.size())] = tensor.values;
  return result;
}

// The same one after the other, in the order of the file.
std::vector<double> values_of(const NetworkFile& file, const std::string& prefix) {
  std::vector<double> result;
  for (const auto& tensor : file.tensors)
    if (tensor.name.starts_with(prefix))
      result.insert(result.end(), tensor.values.begin(), tensor.values.end());
  return result;
}

// Targets up to `largest`; all voxels are annotated.
TrainingBatch random_batch(std::int64_t edge, std::size_t num_classes, double largest, std::uint64_t seed) {
  Random random(seed);
  const auto random_cube = [&](double limit) {
    Array<float> cube(Shape3::cube(edge));
    for (std::int64_t k = 0; k < cube.size(); ++k)
      cube.data()[k] = static_cast<float>(random.uniform(-limit, limit));
    return cube;
  };
  TrainingBatch batch;
  for (int i = 0; i < 4; ++i) {
    batch.raw.push_back(random_cube(1));
    batch.targets.emplace_back();
    batch.masks.emplace_back();
    for (std::size_t c = 0; c < num_classes; ++c) {
      batch.targets.back().push_back(random_cube(largest));
      batch.masks.back().emplace_back(Shape3::cube(edge), std::uint8_t{1});
    }
  }
  return batch;
}

// A network of seven weights: a voxel x becomes h0 relu(w0 x + b0) + h1 relu(w1 x + b1) + c.
NetworkInfo seven_weights() {
  NetworkInfo info;
  info.options.features = {2};
  info.options.pooling = {};
  info.options.kernels = {"1"};
  info.options.convolutions = 1;
  info.options.stem = 1;
  info.options.normalization = "none";
  info.classes = {"mito"};
  info.voxel_size_nm = {8, 8, 8};
  info.seed = 3;
  return info;
}

// The derivative of the balanced mean square error by w0, w1, b0, b1, h0, h1, c.
std::vector<double> gradient_by_hand(const std::vector<double>& weights, const TrainingBatch& batch) {
  double num_voxels = 0, num_positive = 0;
  for (const auto& targets : batch.targets) {
    for (std::int64_t k = 0; k < targets[0].size(); ++k) {
      num_voxels += 1;
      num_positive += targets[0].data()[k] > 0 ? 1 : 0;
    }
  }
  const double share = num_positive / num_voxels;
  std::vector<double> gradient(7, 0);
  for (std::size_t i = 0; i < batch.raw.size(); ++i) {
    for (std::int64_t k = 0; k < batch.raw[i].size(); ++k) {
      const double x = batch.raw[i].data()[k];
      const double target = batch.targets[i][0].data()[k];
      double output = weights[6];
      for (std::size_t map = 0; map < 2; ++map)
        output += weights[4 + map] * std::max(0.0, weights[map] * x + weights[2 + map]);
      const double weight = (target > 0 ? 0.5 / share : 0.5 / (1 - share)) / num_voxels;
      const double slope = 2 * weight * (output - target);
      for (std::size_t map = 0; map < 2; ++map) {
        const double sum = weights[map] * x + weights[2 + map];
        if (sum <= 0) continue;
        gradient[map] += slope * weights[4 + map] * x;
        gradient[2 + map] += slope * weights[4 + map];
        gradient[4 + map] += slope * sum;
      }
      gradient[6] += slope;
    }
  }
  return gradient;
}

double norm_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// Source: [kingma2015adam], algorithm 1, in double.
struct AdamTwin {
  std::vector<double> weights;
  std::vector<double> first = std::vector<double>(7, 0);
  std::vector<double> second = std::vector<double>(7, 0);
  int step = 0;
  int num_limited = 0;

  void descend(const TrainingBatch& batch, const OptimizerOptions& options) {
    constexpr double kEpsilon = 1e-8;
    std::vector<double> gradient = gradient_by_hand(weights, batch);
    const double norm = norm_of(gradient);
    if (options.gradient_limit > 0 && norm > options.gradient_limit) {
      for (double& value : gradient) value *= options.gradient_limit / norm;
      ++num_limited;
    }
    ++step;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      first[i] = options.beta1 * first[i] + (1 - options.beta1) * gradient[i];
      second[i] = options.beta2 * second[i] + (1 - options.beta2) * gradient[i] * gradient[i];
      const double mean = first[i] / (1 - std::pow(options.beta1, step));
      const double variance = second[i] / (1 - std::pow(options.beta2, step));
      weights[i] -= options.learning_rate * mean / (std::sqrt(variance) + kEpsilon);
    }
  }
};

void expect_near(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

// With a limit that some of the steps exceed, with one that none does, and with none.
TEST(NetworkOptimizer, StepsAreThoseOfAdam) {
  // Weights and sums of gradients are float32, of size 1.
  constexpr double kTolerance = 1e-5;
  constexpr int kSteps = 12;
  std::vector<double> ends;
  for (const double limit : {0.0, 1.0, 1e6}) {
    SCOPED_TRACE(limit);
    Network network(seven_weights());
    const NetworkFile begin = file_of(network);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < 4; ++i) names.push_back(begin.tensors[i].name);
    ASSERT_EQ(names, (std::vector<std::string>{"weights.down0.convolution0.weight",
                                               "weights.down0.convolution0.bias", "weights.head.weight",
                                               "weights.head.bias"}));
    AdamTwin twin{values_of(begin, "weights.")};
    OptimizerOptions optimizer;
    optimizer.beta1 = 0.8;
    optimizer.beta2 = 0.95;
    optimizer.gradient_limit = limit;
    for (int step = 0; step < kSteps; ++step) {
      // Gradients of all sizes, at a rate that rises and falls.
      const TrainingBatch batch =
          random_batch(4, 1, step % 3 == 0 ? 20 : 1, static_cast<std::uint64_t>(step));
      optimizer.learning_rate = 0.01 * (1 + step % 4);
      network.train_step(batch, optimizer);
      twin.descend(batch, optimizer);
      const NetworkFile file = file_of(network);
      expect_near(values_of(file, "weights."), twin.weights, kTolerance);
      expect_near(values_of(file, "first_moment."), twin.first, kTolerance);
      expect_near(values_of(file, "second_moment."), twin.second, kTolerance);
    }
    if (limit == 1) {
      EXPECT_GT(twin.num_limited, 1);
      EXPECT_LT(twin.num_limited, kSteps);
    } else {
      EXPECT_EQ(twin.num_limited, 0);
    }
    ends.push_back(twin.weights[0]);
  }
  // Large enough a difference to be seen.
  EXPECT_GT(std::abs(ends[0] - ends[1]), 100 * kTolerance);
}

NetworkInfo two_levels() {
  NetworkInfo info;
  info.options.features = {4, 8};
  info.options.pooling = {"2"};
  info.options.stem = 1;
  info.classes = {"mito", "er"};
  info.voxel_size_nm = {8, 8, 8};
  return info;
}

TEST(NetworkOptimizer, TheLimitIsThatOfTheGradientOfAllWeights) {
  const TrainingBatch batch = random_batch(8, 2, 100, 5);
  // Where beta1 is 0 the first moment is the gradient that the step was made with.
  const auto gradient_within = [&](double limit) {
    OptimizerOptions optimizer;
    optimizer.beta1 = 0;
    optimizer.gradient_limit = limit;
    Network network(two_levels());
    network.train_step(batch, optimizer);
    return values_of(file_of(network), "first_moment.");
  };
  const std::vector<double> free = gradient_within(0);
  const double norm = norm_of(free);
  ASSERT_GT(norm, 10 * OptimizerOptions().gradient_limit);
  EXPECT_EQ(gradient_within(1.1 * norm), free);
  for (const double share : {0.9, 0.01}) {
    std::vector<double> scaled = free;
    for (double& value : scaled) value *= share;
    const std::vector<double> limited = gradient_within(share * norm);
    EXPECT_NEAR(norm_of(limited), share * norm, 1e-5 * share * norm);
    expect_near(limited, scaled, 1e-5 * share * norm);
  }
}

TEST(NetworkOptimizer, PredictionsUseTheRunningMeanOfWeights) {
  constexpr double kRounding = 2e-6;
  // 0.5 is reached in step 8.
  for (const double average : {0.0, 0.5, 0.998}) {
    SCOPED_TRACE(average);
    Network network(two_levels());
    OptimizerOptions optimizer;
    optimizer.learning_rate = 0.02;
    optimizer.average = average;
    const auto to_double = [](const Tensors& tensors) {
      std::map<std::string, std::vector<double>> result;
      for (const auto& [name, values] : tensors) result[name].assign(values.begin(), values.end());
      return result;
    };
    // Weights, and the statistics of the normalization.
    auto expected = to_double(tensors_of(file_of(network), "weights."));
    NetworkFile file;
    for (int step = 1; step <= 12; ++step) {
      network.train_step(random_batch(8, 2, 1, static_cast<std::uint64_t>(step)), optimizer);
      const double keep = std::min(average, (1.0 + step) / (10.0 + step));
      file = file_of(network);
      const Tensors weights = tensors_of(file, "weights.");
      const Tensors means = tensors_of(file, "mean.");
      ASSERT_EQ(means.size(), expected.size());
      for (auto& [name, values] : expected) {
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = keep * values[i] + (1 - keep) * weights.at(name)[i];
          ASSERT_NEAR(means.at(name)[i], values[i], kRounding) << "step " << step << " " << name;
        }
      }
    }
    // What predicts: a network of nothing but these means, not that of the last weights.
    const auto predict_with = [&](const std::function<float(const std::string&, std::size_t)>& value_of) {
      NetworkFile means{file.info, file.step, {}};
      for (const auto& tensor : file.tensors) {
        if (!tensor.name.starts_with("mean.")) continue;
        means.tensors.push_back(tensor);
        for (std::size_t i = 0; i < tensor.values.size(); ++i)
          means.tensors.back().values[i] = value_of(tensor.name.substr(5), i);
      }
      const TemporaryFolder folder;
      write_text_atomically(folder.path() / "a.organon", encode_network(means), Fsync::kNo);
      return Network::load(folder.path() / "a.organon").predict(random_batch(8, 2, 1, 99).raw);
    };
    const auto largest_difference = [&](const std::vector<std::vector<Array<float>>>& other) {
      const auto found = network.predict(random_batch(8, 2, 1, 99).raw);
      double largest = 0;
      for (std::int64_t k = 0; k < found[0][1].size(); ++k)
        largest = std::max<double>(largest, std::abs(found[0][1].data()[k] - other[0][1].data()[k]));
      return largest;
    };
    EXPECT_LT(largest_difference(predict_with([&](const std::string& name, std::size_t i) {
                return static_cast<float>(expected.at(name)[i]);
              })),
              1e-4);
    const Tensors last = tensors_of(file, "weights.");
    const double of_last = largest_difference(
        predict_with([&](const std::string& name, std::size_t i) { return last.at(name)[i]; }));
    EXPECT_EQ(of_last < 1e-4, average == 0) << of_last;
  }
}

}  // namespace
}  // namespace organon::nn
