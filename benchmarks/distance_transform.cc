// Times the exact Euclidean distance transform on one core.
//
//   distance_transform VOLUME --shape Z,Y,X --type uint32 [--voxel-size 1,1,1] [--border absent] [--bound 0]
//                      [--of labels] [--repeats 5] [--out FILE]
//
// VOLUME: raw little-endian voxels, x fastest, of type uint8, uint16, uint32 or uint64. --of: labels (each
// object to the next voxel of another id), foreground or background (distance to these voxels of a uint8
// mask), signed (of a uint8 mask). --border: absent or background (labels only). --bound: in nm, 0 for none.
// --out writes the distances as raw float32. Prints one line of JSON: the fastest repeat in seconds of
// processor time, in which the result is also allocated, as other packages do.

#include "organon/voxel/distance_transform.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>

#include "organon/array/any_array.h"
#include "organon/base/error.h"
#include "organon/voxel/label_distance.h"
#include "organon/voxel/signed_distance.h"

namespace organon {
namespace {

struct BenchmarkOptions {
  std::string volume;
  Shape3 shape;
  DataType type = DataType::kUint32;
  SizeNm voxel_size_nm{1, 1, 1};
  std::string border = "absent";
  double bound_nm = 0;
  std::string of = "labels";
  int repeats = 5;
  std::string out;
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
    } else if (word == "--type") {
      const auto type = data_type_from_string(value);
      if (!type) throw Error(ErrorKind::kInvalidArgument, "unknown type " + value);
      options.type = *type;
    } else if (word == "--voxel-size") {
      options.voxel_size_nm = parse_triple<SizeNm>(value);
    } else if (word == "--border") {
      options.border = value;
    } else if (word == "--bound") {
      options.bound_nm = std::stod(value);
    } else if (word == "--of") {
      options.of = value;
    } else if (word == "--repeats") {
      options.repeats = std::stoi(value);
    } else if (word == "--out") {
      options.out = value;
    } else {
      throw Error(ErrorKind::kInvalidArgument, "unknown option " + word);
    }
  }
  const bool is_of_mask = options.of == "foreground" || options.of == "background" || options.of == "signed";
  const bool is_border = options.border == "absent" || options.border == "background";
  if (options.volume.empty() || options.shape.smallest() <= 0 || options.repeats <= 0 || !is_border ||
      is_floating(options.type) || !(options.of == "labels" || is_of_mask) ||
      (is_of_mask && options.type != DataType::kUint8)) {
    throw Error(ErrorKind::kInvalidArgument, "usage: distance_transform VOLUME --shape Z,Y,X [options]");
  }
  return options;
}

// Processor time, so that other programs on the machine count little; the program has one thread.
double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Array<float> distances_of(const AnyArray& volume, const BenchmarkOptions& options) {
  const double bound_nm = options.bound_nm > 0 ? options.bound_nm : std::numeric_limits<double>::infinity();
  Array<float> result = Array<float>::uninitialized(options.shape);
  if (options.of == "labels") {
    const auto border =
        options.border == "absent" ? voxel::DistanceBorder::kAbsent : voxel::DistanceBorder::kBackground;
    with_ids(volume, [&](auto ids) {
      voxel::label_distance(ids, options.voxel_size_nm, {border, bound_nm}, result.view());
    });
    return result;
  }
  const auto mask = volume.view<std::uint8_t>();
  if (options.of == "signed") {
    voxel::signed_distance(mask, options.voxel_size_nm, bound_nm, result);
  } else {
    const auto to =
        options.of == "foreground" ? voxel::DistanceTo::kForeground : voxel::DistanceTo::kBackground;
    voxel::distance_transform(mask, options.voxel_size_nm, {to, bound_nm}, result);
  }
  return result;
}

void run(const BenchmarkOptions& options) {
  AnyArray volume(options.type, options.shape);
  const auto bytes = volume.bytes();
  std::ifstream file(options.volume, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())) ||
      file.peek() != EOF) {
    throw Error(ErrorKind::kCorruptData, options.volume + " must hold exactly the voxels of the shape");
  }
  double best = std::numeric_limits<double>::infinity();
  Array<float> distances;
  for (int i = 0; i < options.repeats; ++i) {
    distances = {};
    const double start = seconds_now();
    distances = distances_of(volume, options);
    best = std::min(best, seconds_now() - start);
  }
  if (!options.out.empty()) {
    std::ofstream out(options.out, std::ios::binary);
    if (!out.write(reinterpret_cast<const char*>(distances.data()), distances.size() * 4)) {
      throw Error(ErrorKind::kIo, "cannot write " + options.out);
    }
  }
  const double mvox = static_cast<double>(options.shape.product()) / 1e6;
  std::printf("{\"mvox\": %.1f, \"seconds\": %.4f, \"mvox_s\": %.1f}\n", mvox, best, mvox / best);
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
