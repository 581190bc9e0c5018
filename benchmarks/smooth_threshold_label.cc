// Times what turns a prediction into objects, on one core: smoothing, threshold, components, relabelling,
// measures.
//
//   smooth_threshold_label VOLUME --shape Z,Y,X [--voxel-size 4,4,4] [--sigma 12] [--threshold 127] [--block
//   256]
//                          [--repeats 3] [--result FILE]
//
// VOLUME: raw uint8 voxels, x fastest. --block is the edge of the blocks that are smoothed one by one, halo
// and mirrored border included, as the blockwise stages do it. --result writes the labels as raw
// little-endian uint32. Prints one line of JSON; of the repeats, the fastest of each step counts, in
// seconds of processor time. Memory is
// the peak of the process: it holds the volume, the mask and two label volumes.

#include <numeric>

#include "measuring.h"
#include "organon/array/border.h"
#include "organon/geometry/block_grid.h"
#include "organon/voxel/label_components.h"
#include "organon/voxel/measure_objects.h"
#include "organon/voxel/relabel.h"
#include "organon/voxel/smooth.h"

namespace organon::benchmarks {
namespace {

void run(const Arguments& arguments) {
  const Shape3 shape = parse_shape(arguments.text("shape"));
  const int repeats = arguments.number("repeats");
  const double threshold = arguments.real("threshold");
  const Box domain = Box::of_shape(shape);
  const auto volume = read_raw<std::uint8_t>(arguments.volume, shape);

  const auto kernels =
      voxel::gaussian_kernels(arguments.real("sigma"), parse_triple(arguments.text("voxel-size")));
  const Shape3 halo = voxel::smoothing_halo(kernels);
  Array<std::uint8_t> mask(shape);
  Array<std::uint32_t> labels(shape);
  Array<std::uint32_t> ids(shape);
  voxel::Components found;
  std::vector<voxel::ObjectSums> sums;

  double border_seconds = 0;
  const double smooth_seconds = seconds_of(repeats, [&] {
    border_seconds = 0;
    const BlockGrid blocks(domain, Shape3::cube(arguments.number("block")));
    for (std::int64_t id = 0; id < blocks.count(); ++id) {
      const double start = seconds_now();
      const Box box = blocks.box_of(id);
      const Box read = box.grow(halo, halo);
      auto input = Array<std::uint8_t>::uninitialized(read.shape());
      copy_with_border<std::uint8_t>(volume, domain, domain, Border::kReflect, 0, input, read);
      border_seconds += seconds_now() - start;
      voxel::smooth_and_threshold(input, kernels, threshold, mask.view().part(box));
    }
  });
  const double label_seconds = seconds_of(
      repeats, [&] { found = voxel::label_components(mask, Connectivity::kFaceEdgeVertex, labels); });
  const double measure_seconds = seconds_of(
      repeats, [&] { sums = voxel::measure_block<std::uint32_t>(labels, domain, domain, domain); });
  std::vector<std::uint32_t> table(static_cast<std::size_t>(found.count() + 1));
  std::iota(table.begin(), table.end(), 0u);
  const double relabel_seconds =
      seconds_of(repeats, [&] { voxel::relabel<std::uint32_t>(labels, table, ids); });

  write_raw(arguments.text("result"), labels);
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
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(argc, argv,
                                      {{"shape", ""},
                                       {"voxel-size", "4,4,4"},
                                       {"sigma", "12"},
                                       {"threshold", "127"},
                                       {"block", "256"},
                                       {"repeats", "3"},
                                       {"result", ""}},
                                      organon::benchmarks::run);
}
