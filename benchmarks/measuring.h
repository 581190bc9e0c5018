#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/error.h"

/// What the benchmark programs of kernels share. Each is called as
///
///     PROGRAM VOLUME --shape Z,Y,X [--OPTION VALUE]...
///
/// with raw voxels (little-endian, x fastest), and prints one line of JSON.
namespace organon::benchmarks {

/// The words of the command line.
struct Arguments {
  std::string volume;
  std::map<std::string, std::string> options;  ///< by name, without its dashes

  const std::string& text(const std::string& name) const { return options.at(name); }
  int number(const std::string& name) const { return std::stoi(options.at(name)); }
  double real(const std::string& name) const { return std::stod(options.at(name)); }
};

/// Reads `argv` into `options`, which names all options there are with their standards; those without one are
/// "". Errors: kInvalidArgument for other options, and where volume or shape are missing.
inline Arguments parse(int argc, char** argv, std::map<std::string, std::string> options) {
  Arguments result{"", std::move(options)};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      result.volume = word;
      continue;
    }
    const auto option = result.options.find(word.substr(2));
    if (option == result.options.end()) throw Error(ErrorKind::kInvalidArgument, "unknown option " + word);
    if (++i == argc) throw Error(ErrorKind::kInvalidArgument, word + " needs a value");
    option->second = argv[i];
  }
  if (result.volume.empty() || result.text("shape").empty()) {
    throw Error(ErrorKind::kInvalidArgument, "expected VOLUME --shape Z,Y,X [options]");
  }
  return result;
}

/// "Z,Y,X".
inline SizeNm parse_triple(const std::string& text) {
  SizeNm triple{};
  if (std::sscanf(text.c_str(), "%lf,%lf,%lf", &triple.z, &triple.y, &triple.x) != 3) {
    throw Error(ErrorKind::kInvalidArgument, "expected Z,Y,X, found " + text);
  }
  return triple;
}
inline Shape3 parse_shape(const std::string& text) {
  const Shape3 shape(parse_triple(text));
  if (shape.smallest() <= 0) throw Error(ErrorKind::kInvalidArgument, "expected a shape, found " + text);
  return shape;
}

template <class T>
Array<T> read_raw(const std::string& path, const Shape3& shape) {
  auto voxels = Array<T>::uninitialized(shape);
  std::ifstream file(path, std::ios::binary);
  const auto bytes = voxels.size() * static_cast<std::int64_t>(sizeof(T));
  if (!file.read(reinterpret_cast<char*>(voxels.data()), bytes) || file.peek() != EOF) {
    throw Error(ErrorKind::kCorruptData, path + " must hold exactly the voxels of the shape");
  }
  return voxels;
}

/// Does nothing where `path` is empty.
template <class T>
void write_raw(const std::string& path, const Array<T>& voxels) {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::binary);
  const auto bytes = voxels.size() * static_cast<std::int64_t>(sizeof(T));
  if (!file.write(reinterpret_cast<const char*>(voxels.data()), bytes)) {
    throw Error(ErrorKind::kIo, "cannot write " + path);
  }
}

/// Processor time, so that other programs on the machine count little; the programs have one thread.
inline double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Of the repeats the fastest.
inline double seconds_of(int repeats, const std::function<void()>& step) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeats; ++i) {
    const double start = seconds_now();
    step();
    best = std::min(best, seconds_now() - start);
  }
  return best;
}

/// The kernel's own count since this program began; getrusage() would include the program that started it.
inline double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

/// Calls `run` on the arguments; the exit code of main().
inline int main_of(int argc, char** argv, std::map<std::string, std::string> options,
                   const std::function<void(const Arguments&)>& run) {
  try {
    run(parse(argc, argv, std::move(options)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}

}  // namespace organon::benchmarks
