// Speed of networks: prediction of one cube and training steps, a line of JSON each.
//
//     network_benchmark PRESET --device cuda --classes 14 --edges 216,360,504 [--features 8,32] [--batch 2]
//         [--precision float32]
//
// "bare convolutions" are those of the network one after the other, and nothing else; "network" is it alone,
// its input and output on the device; "predict" is what stages call, from grey values in memory to bytes in
// memory. On a processor one thread, and its processor time.
#include "organon/nn/network.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>

#include "measuring.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/predictor.h"
#include "organon/nn/torch.h"
#include "organon/nn/unet.h"

namespace organon::benchmarks {
namespace {

constexpr double kProcessorSeconds = 0.3;
constexpr int kFewestCalls = 3;

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) numbers.push_back(std::stoll(word));
  return numbers;
}

void wait_for(const torch::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize();
}

// Of one call, after one that does not count: on a card the mean wall time of as many as fill two seconds; on
// a processor the least processor time of one, so that other programs on the machine count little.
double seconds_per_call(const torch::Device& device, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  call();
  wait_for(device);
  const auto start = Clock::now();
  int count = 0;
  double wall = 0;
  double least = std::numeric_limits<double>::infinity();
  while (wall < (device.is_cuda() ? 2 : kProcessorSeconds) || count < kFewestCalls) {
    const double before = seconds_now();
    call();
    wait_for(device);
    least = std::min(least, seconds_now() - before);
    ++count;
    wall = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return device.is_cuda() ? wall / count : least;
}

// A bare convolution: of oneDNN on a processor, of cuDNN on a card.
torch::Tensor convolve(const torch::Tensor& maps, const torch::Tensor& weights,
                       const std::vector<std::int64_t>& padding) {
  const std::vector<std::int64_t> ones(3, 1);
  if (maps.is_cuda()) return torch::conv3d(maps, weights, {}, 1, padding);
  return at::mkldnn_convolution(maps, weights, {}, padding, ones, ones, 1);
}

// Seconds of all convolutions of a network one after the other, each with inputs of its own, and nothing
// else.
double bare_seconds(const nn::NetworkOptions& options, std::int64_t classes, std::int64_t edge,
                    const torch::Device& device, torch::ScalarType type) {
  const torch::NoGradGuard no_gradient;
  double sum = 0;
  for (const nn::Convolution& each : nn::convolutions_of(options, classes, Shape3::cube(edge))) {
    const auto made = [&](std::vector<std::int64_t> sizes) {
      return torch::randn(sizes, torch::TensorOptions(device))
          .to(type, false, false,
              device.is_cuda() ? torch::MemoryFormat::ChannelsLast3d : torch::MemoryFormat::Contiguous);
    };
    const torch::Tensor maps = made({1, each.in, each.input.z, each.input.y, each.input.x});
    const torch::Tensor weights = made({each.out, each.in, each.kernel.z, each.kernel.y, each.kernel.x});
    const Shape3 half = each.kernel - Shape3::cube(1);
    std::vector<std::int64_t> padding(3, 0);
    if (each.is_padded) padding = {half.z / 2, half.y / 2, half.x / 2};
    sum += seconds_per_call(device, [&] { convolve(maps, weights, padding); });
  }
  return sum;
}

// Operations per second of a product of large matrices in the type that networks compute with: on a
// processor, whose BLAS may be a slow one, as a convolution without neighbours, which oneDNN computes.
double matrix_peak(const torch::Device& device) {
  const std::int64_t edge = device.is_cuda() ? 8192 : 1024;
  const auto n = static_cast<double>(edge);
  if (device.is_cuda()) {
    const auto options = torch::TensorOptions().device(device).dtype(torch::kBFloat16);
    const torch::Tensor a = torch::randn({edge, edge}, options);
    const torch::Tensor b = torch::randn({edge, edge}, options);
    return 2 * n * n * n / seconds_per_call(device, [&] { torch::matmul(a, b); });
  }
  const torch::Tensor maps = torch::randn({1, edge, 1, 32, 32});
  const torch::Tensor weights = torch::randn({edge, edge, 1, 1, 1});
  return 2 * n * n * 32 * 32 / seconds_per_call(device, [&] { convolve(maps, weights, {0, 0, 0}); });
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
  info.voxel_size_nm = {8, 8, 8};
  if (!arguments.text("features").empty()) info.options.features = numbers_of(arguments.text("features"));
  const std::int64_t classes = arguments.number("classes");
  for (std::int64_t c = 0; c < classes; ++c) info.classes.push_back(fmt::format("class_{}", c));
  const torch::Device device(arguments.text("device"));
  const nn::Precision precision = nn::precision_named(arguments.text("precision"));
  const std::string kind = arguments.text("device");
  const bool trains = arguments.number("batch") > 0;
  torch::set_num_threads(1);
  const double peak = matrix_peak(device);
  fmt::print("{{\"matrix_tflops\": {:.4g}}}\n", peak * 1e-12);
  for (const std::int64_t edge : numbers_of(arguments.text("edges"))) {
    const std::int64_t output = nn::output_edge(info.options, edge);
    const double voxels = static_cast<double>(output) * static_cast<double>(output * output);
    const double operations = nn::forward_operations(info.options, classes, Shape3::cube(edge));
    const auto print = [&](const char* what, double seconds, double factor) {
      fmt::print(
          "{{\"what\": \"{}\", \"preset\": \"{}\", \"input\": {}, \"output\": {}, \"seconds\": {:.5f}, "
          "\"mvoxels_per_s\": {:.4g}, \"mvoxel_channels_per_s\": {:.4g}, \"tflops\": {:.4g}, "
          "\"share_of_matrix_peak\": {:.3f}}}\n",
          what, arguments.volume, edge, output, seconds, factor * voxels / seconds * 1e-6,
          factor * voxels * static_cast<double>(classes) / seconds * 1e-6,
          factor * operations / seconds * 1e-12, factor * operations / seconds / peak);
      std::fflush(stdout);
    };
    try {
      // First, as it makes the process keep its memory.
      nn::Network network(info, kind);
      const bool is_bfloat16 =
          trains ? nn::trains_in_bfloat16(kind, precision) : nn::computes_bfloat16(kind, precision);
      const double bare =
          bare_seconds(info.options, classes, edge, device, is_bfloat16 ? torch::kBFloat16 : torch::kFloat32);
      print("bare convolutions", bare, 1);
      const auto print_share = [&](double seconds, double factor) {
        fmt::print("{{\"share_of_bare_convolutions\": {:.2f}}}\n", factor * bare / seconds);
      };
      if (trains) {
        const nn::TrainingBatch batch = batch_of(arguments.number("batch"), classes, edge, output);
        nn::OptimizerOptions optimizer;
        optimizer.precision = precision;
        optimizer.threads = arguments.number("threads");
        const double factor = 3.0 * arguments.number("batch");
        const double seconds = seconds_per_call(device, [&] { network.train_step(batch, optimizer); });
        print("training step", seconds, factor);
        print_share(seconds, factor);
        continue;
      }
      {
        const torch::NoGradGuard no_gradient;
        nn::UNet unet(info.options, classes);
        unet->to(device);
        unet->freeze(nn::computes_bfloat16(kind, precision) ? torch::kBFloat16 : torch::kFloat32);
        const torch::Tensor input = torch::randn({1, 1, edge, edge, edge}, torch::TensorOptions(device));
        const double seconds = seconds_per_call(device, [&] { unet->forward(input); });
        print("network", seconds, 1);
        print_share(seconds, 1);
      }
      const auto path =
          std::filesystem::temp_directory_path() / fmt::format("network_{}.organon", ::getpid());
      network.save(path);
      const nn::Predictor predictor({path}, {kind, precision});
      std::filesystem::remove(path);
      const Array<std::uint8_t> raw(Shape3::cube(edge), 100);
      const Box all = Box::of_shape(Shape3::cube(output));
      const double seconds = seconds_per_call(device, [&] {
        predictor.predict_bytes(raw, {0, 255}, 1, all);
      });
      print("predict", seconds, 1);
      print_share(seconds, 1);
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
                                       {"precision", "auto"},
                                       {"features", ""},
                                       {"batch", "0"},
                                       {"threads", "2"}},
                                      organon::benchmarks::measure);
}
