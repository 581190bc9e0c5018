// The paper's topology learns: its gradients are those of its definition, and it can learn a batch by heart.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/nn/network.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

// The paper's network without its deepest level, and with few maps.
NetworkInfo narrow_paper(std::int64_t convolutions) {
  NetworkInfo info;
  info.options = paper_network();
  info.options.features = {4, 8, 12};
  info.options.pooling = {"2", "3"};
  info.options.convolutions = convolutions;
  info.options.last_features = 8;
  info.classes = {"mito", "er"};
  info.voxel_size_nm = {4, 4, 4};
  return info;
}

// A sum of plane waves, each of some 8 to 30 voxels.
Array<float> smooth_raw(const Shape3& shape, Random& random) {
  constexpr int kWaves = 6;
  Array<float> raw(shape);
  for (int wave = 0; wave < kWaves; ++wave) {
    const double z = random.uniform(-0.4, 0.4), y = random.uniform(-0.4, 0.4), x = random.uniform(-0.4, 0.4);
    const double phase = random.uniform(0, 2 * std::numbers::pi);
    for (std::int64_t k = 0; k < shape.z; ++k) {
      for (std::int64_t j = 0; j < shape.y; ++j) {
        for (std::int64_t i = 0; i < shape.x; ++i) {
          const double turn =
              phase + z * static_cast<double>(k) + y * static_cast<double>(j) + x * static_cast<double>(i);
          raw(k, j, i) += static_cast<float>(std::cos(turn) / 2);
        }
      }
    }
  }
  return raw;
}

// `mito` where raw is bright, `er` where it rises along z over 8 voxels, of the smallest output there is.
TrainingBatch smooth_batch(const NetworkOptions& options, std::size_t count, std::uint64_t seed) {
  const Shape3 input = smallest_input(options, Shape3::cube(1));
  const auto shapes = shapes_of(options, input);
  Random random(seed);
  TrainingBatch batch;
  for (std::size_t sample = 0; sample < count; ++sample) {
    const Array<float> raw = smooth_raw(input, random);
    Array<float> mito(shapes->output), er(shapes->output);
    const std::int64_t scale = options.output_scale;
    const Index3 begin = shapes->output_begin;
    for (std::int64_t z = 0; z < mito.shape().z; ++z) {
      for (std::int64_t y = 0; y < mito.shape().y; ++y) {
        for (std::int64_t x = 0; x < mito.shape().x; ++x) {
          const Index3 at{(begin.z + z) / scale, (begin.y + y) / scale, (begin.x + x) / scale};
          mito(z, y, x) = std::tanh(2 * raw(at));
          er(z, y, x) = std::tanh(raw(at + Index3{4, 0, 0}) - raw(at - Index3{4, 0, 0}));
        }
      }
    }
    batch.raw.push_back(raw.clone());
    batch.targets.emplace_back();
    batch.targets.back().push_back(std::move(mito));
    batch.targets.back().push_back(std::move(er));
    batch.masks.emplace_back();
    for (int c = 0; c < 2; ++c) batch.masks.back().emplace_back(shapes->output, std::uint8_t{1});
  }
  return batch;
}

NetworkFile file_of(const Network& network) {
  const TemporaryFolder folder;
  network.save(folder.path() / "a.organon");
  return decode_network(read_text(folder.path() / "a.organon"), "a");
}

// In double, by name.
using Weights = std::map<std::string, std::vector<double>>;

// The maps of one sample, in double.
struct Maps {
  Maps(std::int64_t num_maps, const Shape3& shape_of_each)
      : count(num_maps), shape(shape_of_each), values(static_cast<std::size_t>(count * shape.product()), 0) {}
  double* row(std::int64_t map, std::int64_t z, std::int64_t y) {
    return values.data() + ((map * shape.z + z) * shape.y + y) * shape.x;
  }
  const double* row(std::int64_t map, std::int64_t z, std::int64_t y) const {
    return values.data() + ((map * shape.z + z) * shape.y + y) * shape.x;
  }

  std::int64_t count;
  Shape3 shape;
  std::vector<double> values;
};

// Calls each(map, z, y) for all rows along x.
template <class Each>
void for_rows(const Maps& maps, const Each& each) {
  for (std::int64_t map = 0; map < maps.count; ++map)
    for (std::int64_t z = 0; z < maps.shape.z; ++z)
      for (std::int64_t y = 0; y < maps.shape.y; ++y) each(map, z, y);
}

// The operations of the paper's network straight from their definitions.
class Twin {
 public:
  Twin(const NetworkOptions& options, const Weights& weights) : options_(options), weights_(weights) {}

  // Where its ways are cut: see network_shapes.h, whose test has a twin of its own.
  Maps output(const Array<float>& raw) const {
    const auto shapes = shapes_of(options_, raw.shape());
    const auto deepest = static_cast<std::size_t>(options_.num_levels() - 1);
    Maps maps(1, raw.shape());
    std::copy(raw.data(), raw.data() + raw.size(), maps.values.begin());
    std::vector<Maps> skips;
    for (std::size_t i = 0; i < deepest; ++i) {
      skips.push_back(level("down" + std::to_string(i), maps, options_.features[i]));
      maps = pool(skips.back(), options_.pooling_at(static_cast<std::int64_t>(i)).z);
    }
    maps = level("down" + std::to_string(deepest), maps, options_.features[deepest]);
    for (std::size_t i = deepest; i-- > 0;) {
      const LevelShapes& at = shapes->levels[i];
      const std::string number = std::to_string(i);
      const auto position = static_cast<std::int64_t>(i);
      const std::int64_t out = options_.up_features(position);
      maps = relu(convolve("mix" + number, maps, out, 1));
      maps = repeat(maps, options_.pooling_at(position).z, at.repeated_begin, at.joined);
      Maps joined = repeat(skips[i], 1, at.down_begin, at.joined);
      joined.values.insert(joined.values.end(), maps.values.begin(), maps.values.end());
      joined.count += maps.count;
      maps = level("up" + number, joined, out);
    }
    if (options_.output_scale > 1) {
      maps = relu(convolve("refining_mix", maps, maps.count, 1));
      const std::int64_t scale = options_.output_scale;
      maps = level("refining", repeat(maps, scale, {0, 0, 0}, maps.shape * scale), maps.count);
    }
    return convolve("head", maps, 2, 1);
  }

 private:
  Maps convolve(const std::string& name, const Maps& in, std::int64_t out, std::int64_t edge) const {
    const std::vector<double>& weight = weights_.at(name + ".weight");
    const auto bias = weights_.find(name + ".bias");
    Maps result(out, in.shape - Shape3::cube(edge - 1));
    for_rows(result, [&](std::int64_t map, std::int64_t z, std::int64_t y) {
      double* to = result.row(map, z, y);
      std::fill(to, to + result.shape.x,
                bias == weights_.end() ? 0 : bias->second[static_cast<std::size_t>(map)]);
      std::size_t tap = static_cast<std::size_t>(map * in.count * edge * edge * edge);
      for (std::int64_t i = 0; i < in.count; ++i) {
        for (std::int64_t dz = 0; dz < edge; ++dz) {
          for (std::int64_t dy = 0; dy < edge; ++dy) {
            for (std::int64_t dx = 0; dx < edge; ++dx) {
              const double* from = in.row(i, z + dz, y + dy) + dx;
              const double factor = weight[tap++];
              for (std::int64_t x = 0; x < result.shape.x; ++x) to[x] += factor * from[x];
            }
          }
        }
      }
    });
    return result;
  }

  static Maps relu(Maps maps) {
    for (double& value : maps.values) value = std::max(0.0, value);
    return maps;
  }

  Maps level(const std::string& name, Maps maps, std::int64_t out) const {
    for (std::int64_t i = 0; i < options_.convolutions; ++i)
      maps = relu(convolve(name + ".convolution" + std::to_string(i), maps, out, 3));
    return maps;
  }

  static Maps pool(const Maps& in, std::int64_t factor) {
    Maps result(in.count, {in.shape.z / factor, in.shape.y / factor, in.shape.x / factor});
    for_rows(in, [&](std::int64_t map, std::int64_t z, std::int64_t y) {
      double* to = result.row(map, z / factor, y / factor);
      const double* from = in.row(map, z, y);
      // No value after a ReLU is below the 0 that it begins with.
      for (std::int64_t x = 0; x < in.shape.x; ++x) to[x / factor] = std::max(to[x / factor], from[x]);
    });
    return result;
  }

  // Part of what is repeated along each axis.
  static Maps repeat(const Maps& in, std::int64_t factor, const Index3& begin, const Shape3& shape) {
    Maps result(in.count, shape);
    for_rows(result, [&](std::int64_t map, std::int64_t z, std::int64_t y) {
      const double* from = in.row(map, (begin.z + z) / factor, (begin.y + y) / factor);
      for (std::int64_t x = 0; x < shape.x; ++x) result.row(map, z, y)[x] = from[(begin.x + x) / factor];
    });
    return result;
  }

  const NetworkOptions& options_;
  const Weights& weights_;
};

// The masked, balanced mean square error of the batch, per class.
std::vector<double> losses_by_hand(const NetworkOptions& options, const Weights& weights,
                                   const TrainingBatch& batch) {
  constexpr double kLeastShare = 0.05;
  const Twin twin(options, weights);
  std::vector<Maps> outputs;
  for (const auto& raw : batch.raw) outputs.push_back(twin.output(raw));
  std::vector<double> losses;
  for (std::size_t c = 0; c < 2; ++c) {
    double annotated = 0, positive = 0;
    const auto for_annotated = [&](const auto& each) {
      for (std::size_t i = 0; i < batch.raw.size(); ++i) {
        const std::int64_t size = batch.targets[i][c].size();
        for (std::int64_t k = 0; k < size; ++k) {
          if (batch.masks[i][c].data()[k] == 0) continue;
          each(outputs[i].values[c * static_cast<std::size_t>(size) + static_cast<std::size_t>(k)],
               static_cast<double>(batch.targets[i][c].data()[k]));
        }
      }
    };
    for_annotated([&](double, double target) {
      annotated += 1;
      positive += target > 0 ? 1 : 0;
    });
    const double share = std::clamp(positive / annotated, kLeastShare, 1 - kLeastShare);
    double sum = 0;
    for_annotated([&](double output, double target) {
      sum += (target > 0 ? 0.5 / share : 0.5 / (1 - share)) * (output - target) * (output - target);
    });
    losses.push_back(sum / annotated);
  }
  return losses;
}

// The gradient that a step of `network` finds, and the losses per class, against finite differences of the
// twin's by one weight each of the tensors `names`.
void expect_gradients_by_hand(const NetworkInfo& info, std::size_t num_samples,
                              const std::vector<std::string>& names) {
  SCOPED_TRACE(options_to_json(info.options));
  // Float32 has 1e-7 of the largest terms of a sum.
  constexpr double kTolerance = 1e-4;
  // In double; few maps change their sign, or their largest voxel, within it.
  constexpr double kChange = 1e-6;
  TrainingBatch batch = smooth_batch(info.options, num_samples, 7);
  Random random(8);
  for (auto& masks : batch.masks)
    for (auto& mask : masks)
      for (std::int64_t k = 0; k < mask.size(); ++k) mask.data()[k] = random.uniform() < 0.8 ? 1 : 0;
  Network network(info);
  const NetworkFile before = file_of(network);
  // Then the first moment is the gradient.
  OptimizerOptions optimizer;
  optimizer.beta1 = 0;
  optimizer.gradient_limit = 0;
  const auto found_losses = network.train_step(batch, optimizer);
  const NetworkFile after = file_of(network);

  Weights weights, gradient;
  std::size_t number = 0;
  const std::string prefix = "weights.";
  for (const auto& tensor : before.tensors) {
    if (!tensor.name.starts_with(prefix)) continue;
    const std::string name = tensor.name.substr(prefix.size());
    weights[name].assign(tensor.values.begin(), tensor.values.end());
    const std::string moment = "first_moment." + std::to_string(number++);
    for (const auto& other : after.tensors)
      if (other.name == moment) gradient[name].assign(other.values.begin(), other.values.end());
  }
  const auto losses = losses_by_hand(info.options, weights, batch);
  for (std::size_t c = 0; c < 2; ++c) EXPECT_NEAR(found_losses[c], losses[c], 1e-5 * losses[c]);
  for (const std::string& name : names) {
    ASSERT_EQ(gradient[name].size(), weights[name].size()) << name;
    const auto largest = std::max_element(gradient[name].begin(), gradient[name].end(),
                                          [](double a, double b) { return std::abs(a) < std::abs(b); });
    double& weight = weights[name].at(static_cast<std::size_t>(largest - gradient[name].begin()));
    const double start = weight;
    const auto loss_with = [&](double change) {
      weight = start + change;
      const auto changed = losses_by_hand(info.options, weights, batch);
      weight = start;
      return changed[0] + changed[1];
    };
    const double slope = (loss_with(kChange) - loss_with(-kChange)) / (2 * kChange);
    EXPECT_GT(std::abs(slope), 1e-6) << name;
    EXPECT_NEAR(*largest, slope, kTolerance * std::abs(slope)) << name;
  }
}

TEST(PaperNetwork, GradientsAreFiniteDifferencesOfTheLoss) {
  // Two shards; outputs finer than inputs.
  NetworkInfo fine = narrow_paper(1);
  fine.options.output_scale = 2;
  expect_gradients_by_hand(
      fine, 4,
      {"down0.convolution0.weight", "down1.convolution0.bias", "down2.convolution0.weight", "mix1.weight",
       "up1.convolution0.weight", "mix0.weight", "up0.convolution0.weight", "refining_mix.weight",
       "refining.convolution0.weight", "head.weight", "head.bias"});
  NetworkInfo as_published = narrow_paper(2);
  as_published.options.alignment = "paper";
  expect_gradients_by_hand(
      as_published, 2,
      {"down0.convolution0.weight", "down2.convolution1.weight", "mix1.weight", "up0.convolution1.weight"});
}

// Along z the finest level alone sees two voxels: without the deeper ones `er` cannot be known.
TEST(PaperNetwork, LearnsABatchByHeart) {
  constexpr int kSteps = 120;
  constexpr double kLossLeft = 0.02;  // 0.002 was seen
  const NetworkInfo info = narrow_paper(1);
  const TrainingBatch batch = smooth_batch(info.options, 2, 3);
  Network network(info);
  OptimizerOptions optimizer;
  optimizer.learning_rate = 0.01;
  optimizer.average = 0.9;
  const auto first = network.train_step(batch, optimizer);
  std::vector<double> last;
  for (int step = 1; step < kSteps; ++step) last = network.train_step(batch, optimizer);
  const auto predictions = network.predict(batch.raw);
  for (std::size_t c = 0; c < 2; ++c) {
    SCOPED_TRACE(info.classes[c]);
    EXPECT_LT(last[c], kLossLeft * first[c]);
    std::int64_t count = 0, right = 0;
    for (std::size_t i = 0; i < batch.raw.size(); ++i) {
      ASSERT_EQ(predictions[i][c].shape(), batch.targets[i][c].shape());
      for (std::int64_t k = 0; k < predictions[i][c].size(); ++k) {
        const float target = batch.targets[i][c].data()[k];
        if (std::abs(target) < 0.1F) continue;  // at a boundary either sign is right
        ++count;
        right += (predictions[i][c].data()[k] > 0) == (target > 0) ? 1 : 0;
      }
    }
    EXPECT_GT(count, predictions[0][c].size());
    EXPECT_GT(static_cast<double>(right), 0.98 * static_cast<double>(count));
  }
}

}  // namespace
}  // namespace organon::nn
