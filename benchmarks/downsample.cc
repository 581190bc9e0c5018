// Downsampling by 2 x 2 x 2: see compare_peers.py.
#include "organon/voxel/downsample.h"

#include "measuring.h"

namespace organon::benchmarks {
namespace {

template <class T>
void measure(const Arguments& arguments, bool is_mode) {
  const Shape3 shape = parse_shape(arguments.text("shape"));
  const Array<T> voxels = read_raw<T>(arguments.volume, shape);
  Array<T> reduced(voxel::downsampled_shape(shape, {2, 2, 2}));
  const double seconds = seconds_of(arguments.number("repeats"), [&] {
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      if (is_mode) return voxel::downsample_mode<T>(voxels, {2, 2, 2}, reduced);
    }
    return voxel::downsample_mean<T>(voxels, {2, 2, 2}, reduced);
  });
  write_raw(arguments.text("out"), reduced);
  std::printf("{\"seconds\": %.6f, \"mvoxels_per_s\": %.1f, \"peak_mib\": %.0f}\n", seconds,
              static_cast<double>(voxels.size()) / seconds * 1e-6, peak_mib());
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  using namespace organon::benchmarks;
  return main_of(argc, argv, {{"shape", ""}, {"kind", "mean"}, {"repeats", "3"}, {"out", ""}},
                 [](const Arguments& arguments) {
                   if (arguments.text("kind") == "mode")
                     measure<std::uint64_t>(arguments, true);
                   else
                     measure<std::uint8_t>(arguments, false);
                 });
}
