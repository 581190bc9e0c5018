// Times the filling of holes on one core.
//
//   fill_holes VOLUME --shape Z,Y,X [--type uint8|uint16|uint32|uint64] [--repeats 3] [--result FILE]
//
// VOLUME: raw labels, x fastest. --result writes the filled labels, raw. Prints one line of JSON; of the
// repeats, each on the labels as read, the fastest counts, in seconds of processor time.

#include "organon/voxel/fill_holes.h"

#include "measuring.h"

namespace organon::benchmarks {
namespace {

template <class Id>
void run(const Arguments& arguments) {
  const Array<Id> volume = read_raw<Id>(arguments.volume, parse_shape(arguments.text("shape")));
  Array<Id> filled;
  std::int64_t num_filled = 0;
  double seconds = std::numeric_limits<double>::infinity();
  for (int i = 0; i < arguments.number("repeats"); ++i) {
    filled = volume.clone();
    seconds = std::min(seconds, seconds_of(1, [&] { num_filled = voxel::fill_holes<Id>(filled); }));
  }
  write_raw(arguments.text("result"), filled);
  std::printf("{\"seconds\": %.4f, \"filled_voxels\": %lld, \"peak_mib\": %.0f}\n", seconds,
              static_cast<long long>(num_filled), peak_mib());
}

void run_typed(const Arguments& arguments) {
  const std::string& type = arguments.text("type");
  if (type == "uint8") return run<std::uint8_t>(arguments);
  if (type == "uint16") return run<std::uint16_t>(arguments);
  if (type == "uint32") return run<std::uint32_t>(arguments);
  if (type == "uint64") return run<std::uint64_t>(arguments);
  throw Error(ErrorKind::kInvalidArgument, "expected a type of labels, found " + type);
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(argc, argv,
                                      {{"shape", ""}, {"type", "uint8"}, {"repeats", "3"}, {"result", ""}},
                                      organon::benchmarks::run_typed);
}
