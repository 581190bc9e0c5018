// Times the labelling of connected components on one core.
//
//   label_components VOLUME --shape Z,Y,X [--type mask|uint8|uint16|uint32|uint64] [--connectivity 6|18|26]
//                           [--repeats 3] [--result FILE]
//
// VOLUME: raw voxels, x fastest. mask: uint8, what is not 0 is one class; the others: equal ids connect.
// --result writes the labels as raw uint32. Prints one line of JSON; of the repeats, the fastest counts, in
// seconds of processor time, with the memory of the labels taken anew each time.

#include "organon/voxel/label_components.h"

#include "measuring.h"

namespace organon::benchmarks {
namespace {

Connectivity connectivity_of(const std::string& neighbours) {
  if (neighbours == "6") return Connectivity::kFace;
  if (neighbours == "18") return Connectivity::kFaceEdge;
  if (neighbours == "26") return Connectivity::kFaceEdgeVertex;
  throw Error(ErrorKind::kInvalidArgument, "expected connectivity 6, 18 or 26, found " + neighbours);
}

template <class Id>
void run(const Arguments& arguments, bool is_mask) {
  const Array<Id> volume = read_raw<Id>(arguments.volume, parse_shape(arguments.text("shape")));
  const Connectivity connectivity = connectivity_of(arguments.text("connectivity"));
  Array<std::uint32_t> labels;
  voxel::Components found;
  const double seconds = seconds_of(arguments.number("repeats"), [&] {
    labels = {};
    labels = Array<std::uint32_t>::uninitialized(volume.shape());
    if constexpr (sizeof(Id) == 1) {
      if (is_mask) {
        found = voxel::label_components(volume, connectivity, labels);
        return;
      }
    }
    found = voxel::label_equal_ids<Id>(volume, connectivity, labels);
  });
  write_raw(arguments.text("result"), labels);
  std::printf("{\"seconds\": %.4f, \"components\": %lld, \"peak_mib\": %.0f}\n", seconds,
              static_cast<long long>(found.count()), peak_mib());
}

void run_typed(const Arguments& arguments) {
  const std::string& type = arguments.text("type");
  if (type == "mask" || type == "uint8") return run<std::uint8_t>(arguments, type == "mask");
  if (type == "uint16") return run<std::uint16_t>(arguments, false);
  if (type == "uint32") return run<std::uint32_t>(arguments, false);
  if (type == "uint64") return run<std::uint64_t>(arguments, false);
  throw Error(ErrorKind::kInvalidArgument, "expected a type of labels, found " + type);
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  return organon::benchmarks::main_of(
      argc, argv, {{"shape", ""}, {"type", "mask"}, {"connectivity", "26"}, {"repeats", "3"}, {"result", ""}},
      organon::benchmarks::run_typed);
}
