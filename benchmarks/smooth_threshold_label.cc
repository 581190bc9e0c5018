// Times what turns a prediction into objects, on one core: smoothing, threshold, components, relabelling,
// measures.
//
//   smooth_threshold_label VOLUME --shape Z,Y,X [--voxel-size 4,4,4] [--sigma 12] [--threshold 127] [--block
//   256]
//                          [--repeats 3] [--labels FILE]
//
// VOLUME: raw uint8 voxels, x fastest. --block is the edge of the blocks that are smoothed one by one, halo
// and mirrored border included, as the blockwise stages do it. --labels writes the labels as raw
// little-endian uint32. Prints one line of JSON; of the repeats, the fastest of each step counts, in
// seconds of processor time. Memory is
// the peak of the process: it holds the volume, the mask and two label volumes.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <numeric>
#include <string>

#include "organon/array/array.h"
#include "organon/array/border.h"
#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"
#include "organon/voxel/label_components.h"
#include "organon/voxel/measure_objects.h"
#include "organon/voxel/relabel.h"
#include "organon/voxel/smooth.h"

namespace organon {
namespace {

struct BenchmarkOptions {
  std::string volume;
  Shape3 shape;
  SizeNm voxel_size_nm{4, 4, 4};
  double sigma_nm = 12;
  double threshold = 127;
  std::int64_t block = 256;
  int repeats = 3;
  std::string labels;
};

template <class Triple>
Triple parse_triple(const std::string& text) {
  double z = 0, y = 0, x = 0;
  if (std::sscanf(text.c_str(), "%lf,%lf,%lf", &z, &y, &x) != 3) {
    throw Error(ErrorKind::kInvalidArgument, "expected Z,Y,X, found " + text);
  }
  return Triple(SizeNm{z, y, x});
}

BenchmarkOptions parse(int argc, char** argv) {
  BenchmarkOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      options.volume = word;
      continue;
    }
    if (++i == argc) throw Error(ErrorKind::kInvalidArgument, word + " needs a value");
    const std::string value = argv[i];
    if (word == "--shape") {
      options.shape = parse_triple<Shape3>(value);
    } else if (word == "--voxel-size") {
      options.voxel_size_nm = parse_triple<SizeNm>(value);
    } else if (word == "--sigma") {
      options.sigma_nm = std::stod(value);
    } else if (word == "--threshold") {
      options.threshold = std::stod(value);
    } else if (word == "--block") {
      options.block = std::stoll(value);
    } else if (word == "--repeats") {
      options.repeats = std::stoi(value);
    } else if (word == "--labels") {
      options.labels = value;
    } else {
      throw Error(ErrorKind::kInvalidArgument, "unknown option " + word);
    }
  }
  if (options.volume.empty() || options.shape.smallest() <= 0 || options.block <= 0 || options.repeats <= 0) {
    throw Error(ErrorKind::kInvalidArgument, "usage: smooth_threshold_label VOLUME --shape Z,Y,X [options]");
  }
  return options;
}

// The kernel's own count since this program began; getrusage() would include the program that started it.
double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// Processor time, so that other programs on the machine count little; the program has one thread.
double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(int repeats, const std::function<void()>& step) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeats; ++i) {
    const double start = seconds_now();
    step();
    best = std::min(best, seconds_now() - start);
  }
  return best;
}

void run(const BenchmarkOptions& options) {
  const Shape3& shape = options.shape;
  const Box domain = Box::of_shape(shape);
  Array<std::uint8_t> volume = Array<std::uint8_t>::uninitialized(shape);
  std::ifstream file(options.volume, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(volume.data()), volume.size()) || file.peek() != EOF) {
    throw Error(ErrorKind::kCorruptData, options.volume + " must hold exactly the voxels of the shape");
  }

  const auto kernels = voxel::gaussian_kernels(options.sigma_nm, options.voxel_size_nm);
  const Shape3 halo = voxel::smoothing_halo(kernels);
  Array<std::uint8_t> mask(shape);
  Array<std::uint32_t> labels(shape);
  Array<std::uint32_t> ids(shape);
  voxel::Components found;
  std::vector<voxel::ObjectSums> sums;

  double border_seconds = 0;
  const double smooth_seconds = seconds_of(options.repeats, [&] {
    border_seconds = 0;
    const BlockGrid blocks(domain, Shape3::cube(options.block));
    for (std::int64_t id = 0; id < blocks.count(); ++id) {
      const double start = seconds_now();
      const Box box = blocks.box_of(id);
      const Box read = box.grow(halo, halo);
      auto input = Array<std::uint8_t>::uninitialized(read.shape());
      copy_with_border<std::uint8_t>(volume, domain, domain, Border::kReflect, 0, input, read);
      border_seconds += seconds_now() - start;
      voxel::smooth_and_threshold(input, kernels, options.threshold, mask.view().part(box));
    }
  });
  const double label_seconds = seconds_of(
      options.repeats, [&] { found = voxel::label_components(mask, Connectivity::kFaceEdgeVertex, labels); });
  const double measure_seconds = seconds_of(
      options.repeats, [&] { sums = voxel::measure_block<std::uint32_t>(labels, domain, domain, domain); });
  std::vector<std::uint32_t> table(static_cast<std::size_t>(found.count() + 1));
  std::iota(table.begin(), table.end(), 0u);
  const double relabel_seconds =
      seconds_of(options.repeats, [&] { voxel::relabel<std::uint32_t>(labels, table, ids); });

  if (!options.labels.empty()) {
    std::ofstream out(options.labels, std::ios::binary);
    if (!out.write(reinterpret_cast<const char*>(labels.data()), labels.size() * 4)) {
      throw Error(ErrorKind::kIo, "cannot write " + options.labels);
    }
  }
  const std::int64_t foreground = std::accumulate(sums.begin(), sums.end(), std::int64_t{0},
                                                  [](std::int64_t n, const auto& s) { return n + s.voxels; });
  const double mvox = static_cast<double>(shape.product()) / 1e6;
  std::printf(
      "{\"mvox\": %.1f, \"radius_zyx\": [%lld, %lld, %lld], \"border_seconds\": %.4f, "
      "\"smooth_threshold_seconds\": %.4f, "
      "\"label_seconds\": %.4f, \"relabel_seconds\": %.4f, \"measure_seconds\": %.4f, \"total_seconds\": "
      "%.4f, "
      "\"smooth_threshold_mvox_s\": %.0f, \"label_mvox_s\": %.0f, \"relabel_mvox_s\": %.0f, "
      "\"measure_mvox_s\": %.0f, "
      "\"total_mvox_s\": %.0f, \"peak_mib\": %.0f, \"objects\": %lld, \"foreground\": %.5f}\n",
      mvox, static_cast<long long>(halo.z), static_cast<long long>(halo.y), static_cast<long long>(halo.x),
      border_seconds, smooth_seconds, label_seconds, relabel_seconds, measure_seconds,
      smooth_seconds + label_seconds, mvox / smooth_seconds, mvox / label_seconds, mvox / relabel_seconds,
      mvox / measure_seconds, mvox / (smooth_seconds + label_seconds), peak_mib(),
      static_cast<long long>(found.count()),
      static_cast<double>(foreground) / static_cast<double>(shape.product()));
}

}  // namespace
}  // namespace organon

int main(int argc, char** argv) {
  try {
    organon::run(organon::parse(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
