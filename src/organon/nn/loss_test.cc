#include "organon/nn/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/random.h"

namespace organon::nn {
namespace {

constexpr Shape3 kShape{2, 3, 4};

// Two samples of three classes; the third is balanced as the first.
TrainingBatch random_batch() {
  TrainingBatch batch;
  Random random(3);
  for (int i = 0; i < 2; ++i) {
    batch.raw.emplace_back(kShape);
    std::vector<Array<float>> targets;
    std::vector<Array<std::uint8_t>> masks;
    for (int c = 0; c < 3; ++c) {
      targets.emplace_back(kShape);
      masks.emplace_back(kShape);
      for (std::int64_t k = 0; k < kShape.product(); ++k) {
        targets.back().data()[k] = static_cast<float>(random.uniform(-1, c == 1 ? 0.05 : 1));
        masks.back().data()[k] = random.uniform() < 0.8;
      }
    }
    batch.targets.push_back(std::move(targets));
    batch.masks.push_back(std::move(masks));
  }
  return batch;
}

torch::Tensor tensor_of(const TrainingBatch& batch, bool is_mask) {
  torch::Tensor all = torch::zeros({2, 3, kShape.z, kShape.y, kShape.x});
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t k = 0; k < kShape.product(); ++k) {
        const auto s = static_cast<std::size_t>(i);
        const auto t = static_cast<std::size_t>(c);
        all[i][c].view(-1)[k] =
            is_mask ? static_cast<float>(batch.masks[s][t].data()[k]) : batch.targets[s][t].data()[k];
      }
    }
  }
  return is_mask ? all.to(torch::kUInt8) : all;
}

// Straight from the definitions, in double.
std::vector<double> by_hand(const TrainingBatch& batch, const torch::Tensor& output, const std::string& loss,
                            double least_share) {
  const std::vector<std::size_t> as = {0, 1, 0};
  std::vector<double> result;
  for (std::size_t c = 0; c < 3; ++c) {
    double annotated = 0, positive = 0, counted = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::int64_t k = 0; k < kShape.product(); ++k) {
        const bool other = batch.masks[i][as[c]].data()[k] != 0;
        annotated += other;
        positive += other && batch.targets[i][as[c]].data()[k] > 0;
        counted += other && batch.masks[i][c].data()[k] != 0;
      }
    }
    const double f = std::clamp(positive / annotated, least_share, 1 - least_share);
    double sum = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      double both = 0, either = 0;
      for (std::int64_t k = 0; k < kShape.product(); ++k) {
        const double y =
            output[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(c)].view(-1)[k].item<double>();
        const double t = batch.targets[i][c].data()[k];
        const double s = 1 / (1 + std::exp(-2 * y));
        if (batch.masks[i][c].data()[k] == 0) continue;
        both += t > 0 ? s : 0;
        either += s + (t > 0 ? 1 : 0);
        if (batch.masks[i][as[c]].data()[k] == 0) continue;
        const double w = batch.targets[i][as[c]].data()[k] > 0 ? 1 / (2 * f) : 1 / (2 * (1 - f));
        if (loss == "mse") sum += w * (y - t) * (y - t) / counted;
        if (loss == "bce") sum -= w * std::log(t > 0 ? s : 1 - s) / counted;
      }
      if (loss == "dice") sum += (1 - (2 * both + 1) / (either + 1)) / 2;
    }
    result.push_back(sum);
  }
  return result;
}

TEST(Loss, EqualsItsDefinition) {
  const TrainingBatch batch = random_batch();
  torch::manual_seed(5);
  const torch::Tensor output = torch::randn({2, 3, kShape.z, kShape.y, kShape.x});
  OptimizerOptions options;
  options.balance_as = {0, 1, 0};
  options.least_share = 0.2;
  const Balance balance(batch, options);
  for (const std::string loss : {"mse", "bce", "dice"}) {
    const torch::Tensor found =
        loss_per_class(output, tensor_of(batch, false), tensor_of(batch, true), balance, loss, 2);
    const std::vector<double> expected = by_hand(batch, output, loss, 0.2);
    for (std::int64_t c = 0; c < 3; ++c)
      EXPECT_NEAR(found[c].item<double>(), expected[static_cast<std::size_t>(c)], 1e-5) << loss << " " << c;
  }
}

// float32 on a processor has a pass of its own; all else goes by libtorch's operations.
TEST(Loss, SquaresAreTheSameByBothWays) {
  const TrainingBatch batch = random_batch();
  torch::manual_seed(8);
  OptimizerOptions options;
  options.balance_as = {0, 0, 2};
  const Balance balance(batch, options);
  // Not in memory's order, as networks on cards give it.
  const torch::Tensor start =
      torch::randn({2, 3, kShape.z, kShape.y, kShape.x}).contiguous(torch::MemoryFormat::ChannelsLast3d);
  std::vector<torch::Tensor> losses, gradients;
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    torch::Tensor output = start.to(type, false, true).requires_grad_(true);
    losses.push_back(
        loss_per_class(output, tensor_of(batch, false).to(type), tensor_of(batch, true), balance, "mse", 2));
    losses.back().sum().backward();
    gradients.push_back(output.grad());
  }
  EXPECT_TRUE(torch::allclose(losses[0].to(torch::kFloat64), losses[1].to(torch::kFloat64), 1e-5, 1e-7));
  EXPECT_TRUE(torch::allclose(gradients[0].to(torch::kFloat64), gradients[1], 1e-5, 1e-8));
}

TEST(Loss, PartsOfTheBatchAddUp) {
  const TrainingBatch batch = random_batch();
  torch::manual_seed(6);
  const torch::Tensor output = torch::randn({2, 3, kShape.z, kShape.y, kShape.x});
  const torch::Tensor target = tensor_of(batch, false);
  const torch::Tensor mask = tensor_of(batch, true);
  const Balance balance(batch, {});
  for (const std::string loss : {"mse", "bce", "dice"}) {
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      return loss_per_class(output.slice(0, begin, end), target.slice(0, begin, end),
                            mask.slice(0, begin, end), balance, loss, 2);
    };
    EXPECT_TRUE(torch::allclose(part(0, 1) + part(1, 2), part(0, 2), 1e-5, 1e-6)) << loss;
  }
}

TEST(Loss, GradientsAreThoseOfFiniteDifferences) {
  const TrainingBatch batch = random_batch();
  torch::manual_seed(7);
  const torch::Tensor start = torch::randn({2, 3, kShape.z, kShape.y, kShape.x});
  const Balance balance(batch, {});
  // The plain sum, as in training, and another, for which the squares have their own way.
  const torch::Tensor ones = torch::ones({3}), others = torch::tensor({1.0F, 2.0F, 0.5F});
  for (const auto& [loss, factors] :
       {std::pair{"mse", ones}, {"mse", others}, {"bce", others}, {"dice", others}}) {
    const auto value = [&, loss = loss, factors = factors](const torch::Tensor& output) {
      const torch::Tensor losses =
          loss_per_class(output, tensor_of(batch, false), tensor_of(batch, true), balance, loss, 2);
      return (losses * factors).sum();
    };
    torch::Tensor output = start.clone().requires_grad_(true);
    value(output).backward();
    const torch::Tensor& gradient = output.grad();
    for (const std::int64_t k : {0, 31, 70, 100, 143}) {
      constexpr double kStep = 1e-2;
      torch::Tensor up = start.clone();
      torch::Tensor down = start.clone();
      up.view(-1)[k] += kStep;
      down.view(-1)[k] -= kStep;
      const double slope = (value(up) - value(down)).item<double>() / (2 * kStep);
      EXPECT_NEAR(gradient.view(-1)[k].item<double>(), slope, 2e-4) << loss << " " << k;
    }
  }
}

}  // namespace
}  // namespace organon::nn
