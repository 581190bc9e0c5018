// Speed of networks: prediction of one cube and training steps, a line of JSON each.
//
//     network_benchmark PRESET --device cuda --classes 14 --edges 216,360,504 [--features 8,32] [--batch 2]
//
// "prediction" is the network alone, its input and output on the device; "predict" is what stages call, from
// float32 voxels in memory to float32 voxels in memory.
#include "organon/nn/network.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <sstream>

#include "measuring.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/torch.h"
#include "organon/nn/unet.h"

namespace organon::benchmarks {
namespace {

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) numbers.push_back(std::stoll(word));
  return numbers;
}

void wait_for(const torch::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize();
}

// Wall time of one call, the mean of as many as fill two seconds, after two that do not count.
double seconds_per_call(const torch::Device& device, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 2; ++i) call();
  wait_for(device);
  const auto start = Clock::now();
  int count = 0;
  double seconds = 0;
  while (seconds < 2) {
    call();
    wait_for(device);
    ++count;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return seconds / count;
}

// Operations per second of a product of large matrices in the type that networks compute with.
double matrix_peak(const torch::Device& device) {
  const std::int64_t edge = device.is_cuda() ? 8192 : 2048;
  const auto options =
      torch::TensorOptions().device(device).dtype(device.is_cuda() ? torch::kBFloat16 : torch::kFloat32);
  const torch::Tensor a = torch::randn({edge, edge}, options);
  const torch::Tensor b = torch::randn({edge, edge}, options);
  const auto n = static_cast<double>(edge);
  return 2 * n * n * n / seconds_per_call(device, [&] { torch::matmul(a, b); });
}

nn::TrainingBatch batch_of(std::int64_t count, std::int64_t classes, std::int64_t edge, std::int64_t output) {
  nn::TrainingBatch batch;
  for (std::int64_t i = 0; i < count; ++i) {
    batch.raw.emplace_back(Shape3::cube(edge), 0.25F);
    batch.targets.emplace_back();
    batch.masks.emplace_back();
    for (std::int64_t c = 0; c < classes; ++c) {
      batch.targets.back().emplace_back(Shape3::cube(output), 0.5F);
      batch.masks.back().emplace_back(Shape3::cube(output), std::uint8_t{1});
    }
  }
  return batch;
}

void measure(const Arguments& arguments) {
  nn::NetworkInfo info;
  info.options = nn::network_preset(arguments.volume);
  if (!arguments.text("features").empty()) info.options.features = numbers_of(arguments.text("features"));
  const std::int64_t classes = arguments.number("classes");
  for (std::int64_t c = 0; c < classes; ++c) info.classes.push_back(fmt::format("class_{}", c));
  const torch::Device device(arguments.text("device"));
  const bool trains = arguments.number("batch") > 0;
  const double peak = matrix_peak(device);
  fmt::print("{{\"matrix_tflops\": {:.1f}}}\n", peak * 1e-12);
  for (const std::int64_t edge : numbers_of(arguments.text("edges"))) {
    const std::int64_t output = nn::output_edge(info.options, edge);
    const double voxels = static_cast<double>(output) * static_cast<double>(output * output);
    const double operations = nn::forward_operations(info.options, classes, Shape3::cube(edge));
    const auto print = [&](const char* what, double seconds, double factor) {
      fmt::print(
          "{{\"what\": \"{}\", \"preset\": \"{}\", \"input\": {}, \"output\": {}, \"seconds\": {:.5f}, "
          "\"mvoxels_per_s\": {:.2f}, \"mvoxel_channels_per_s\": {:.1f}, \"tflops\": {:.1f}, "
          "\"share_of_matrix_peak\": {:.3f}}}\n",
          what, arguments.volume, edge, output, seconds, factor * voxels / seconds * 1e-6,
          factor * voxels * static_cast<double>(classes) / seconds * 1e-6,
          factor * operations / seconds * 1e-12, factor * operations / seconds / peak);
      std::fflush(stdout);
    };
    try {
      if (!trains) {
        const torch::NoGradGuard no_gradient;
        nn::UNet network(info.options, classes);
        network->to(device);
        network->eval();
        const torch::Tensor input = torch::randn({1, 1, edge, edge, edge}, torch::TensorOptions(device));
        print("prediction", seconds_per_call(device, [&] { network->forward(input); }), 1);
      }
      nn::Network network(info, arguments.text("device"));
      if (trains) {
        const nn::TrainingBatch batch = batch_of(arguments.number("batch"), classes, edge, output);
        nn::OptimizerOptions optimizer;
        optimizer.threads = arguments.number("threads");
        print("training step", seconds_per_call(device, [&] { network.train_step(batch, optimizer); }),
              3.0 * arguments.number("batch"));
      } else {
        std::vector<Array<float>> inputs;
        inputs.emplace_back(Shape3::cube(edge), 0.25F);
        print("predict", seconds_per_call(device, [&] { network.predict(inputs); }), 1);
      }
    } catch (const c10::Error& error) {
      fmt::print("{{\"input\": {}, \"error\": \"{}\"}}\n", edge,
                 std::string(error.what_without_backtrace()).substr(0, 60));
    }
  }
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(argc, argv,
                                      {{"shape", "none"},
                                       {"device", "cpu"},
                                       {"classes", "14"},
                                       {"edges", "216"},
                                       {"features", ""},
                                       {"batch", "0"},
                                       {"threads", "2"}},
                                      organon::benchmarks::measure);
}
