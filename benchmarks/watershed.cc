// Times the watershed on one core.
//
//   watershed VALUES --shape Z,Y,X [--repeats 3] [--result FILE]
//
// VALUES: raw uint16, x fastest; 0 is background. --result writes the basins as raw uint32. Prints one line
// of JSON; of the repeats, the fastest counts, in seconds of processor time.

#include "organon/voxel/watershed.h"

#include "measuring.h"

namespace organon::benchmarks {
namespace {

void run(const Arguments& arguments) {
  const auto values = read_raw<std::uint16_t>(arguments.volume, parse_shape(arguments.text("shape")));
  Array<std::uint32_t> labels;
  voxel::Components found;
  const double seconds = seconds_of(arguments.number("repeats"), [&] {
    labels = {};
    labels = Array<std::uint32_t>::uninitialized(values.shape());
    found = voxel::watershed(values, labels);
  });
  write_raw(arguments.text("result"), labels);
  std::printf("{\"seconds\": %.4f, \"basins\": %lld, \"peak_mib\": %.0f}\n", seconds,
              static_cast<long long>(found.count()), peak_mib());
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(argc, argv, {{"shape", ""}, {"repeats", "3"}, {"result", ""}},
                                      organon::benchmarks::run);
}
