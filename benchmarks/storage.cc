// Speed of datasets: all chunks written from memory, or read into it, by as many threads as asked for.
//
//     storage_benchmark write VOLUME --shape Z,Y,X --type uint8 --address a.n5/x --codec gzip [--chunk 64]
//     [--shard 256]
//     [--threads 2] storage_benchmark read ADDRESS [--threads 2]
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/heap.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset.h"

namespace organon::benchmarks {
namespace {

using Options = std::map<std::string, std::string>;

// Calls use(box) for all stored chunks of the dataset, in order, on `threads` threads; the wall time.
template <class Use>
double seconds_over_chunks(const storage::Dataset& dataset, int threads, const Use& use) {
  const BlockGrid chunks = dataset.chunk_grid();
  std::atomic<std::int64_t> next{0};
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        for (std::int64_t id = next++; id < chunks.count(); id = next++) use(chunks.box_of(id));
      });
    }
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::uintmax_t bytes_below(const std::filesystem::path& folder) {
  std::uintmax_t sum = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) sum += entry.file_size();
  return sum;
}

void print(const char* what, const storage::Dataset& dataset, double seconds) {
  const double bytes = static_cast<double>(dataset.spec().shape.product()) *
                       static_cast<double>(size_of(dataset.spec().data_type));
  fmt::print("{{\"what\": \"{}\", \"seconds\": {:.4f}, \"mb_per_s\": {:.1f}, \"stored_bytes\": {}}}\n", what,
             seconds, bytes / seconds * 1e-6, bytes_below(dataset.path()));
}

void write(const std::string& volume, Options options) {
  storage::DatasetSpec spec;
  long long z = 0, y = 0, x = 0;
  if (std::sscanf(options["shape"].c_str(), "%lld,%lld,%lld", &z, &y, &x) != 3)
    throw Error(ErrorKind::kInvalidArgument, "--shape Z,Y,X is missing");
  spec.shape = {z, y, x};
  spec.chunk_shape = Shape3::cube(std::stoll(options["chunk"]));
  spec.data_type = data_type_from_string(options["type"]).value();
  for (const storage::Codec codec :
       storage::codecs_of(storage::format_for_new(options["address"]), spec.data_type))
    if (to_string(codec) == options["codec"]) spec.codec = codec;
  spec.level = std::stoi(options["level"]);
  if (const auto shard = std::stoll(options["shard"]); shard > 0) spec.shard_shape = Shape3::cube(shard);
  AnyArray voxels(spec.data_type, spec.shape);
  std::ifstream file(volume, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(voxels.bytes().data()),
                 static_cast<std::streamsize>(voxels.bytes().size())))
    throw Error(ErrorKind::kCorruptData, volume + " is too short");
  const auto dataset = storage::create_dataset(options["address"], spec);
  const double seconds = seconds_over_chunks(*dataset, std::stoi(options["threads"]), [&](const Box& box) {
    dispatch(spec.data_type, [&](auto zero) {
      using T = decltype(zero);
      dataset->write<T>(box, std::as_const(voxels).view<T>().part(box), Fsync::kNo);
    });
  });
  print("write", *dataset, seconds);
}

void read(const std::string& address, Options options) {
  const auto dataset = storage::open_dataset(address);
  AnyArray voxels(dataset->spec().data_type, dataset->spec().shape);
  std::memset(voxels.bytes().data(), 0, voxels.bytes().size());
  const double seconds = seconds_over_chunks(*dataset, std::stoi(options["threads"]), [&](const Box& box) {
    const AnyArray chunk = dataset->read(box);
    dispatch(chunk.type(), [&](auto zero) {
      using T = decltype(zero);
      copy_voxels<T>(chunk.view<T>(), voxels.view<T>().part(box));
    });
  });
  print("read", *dataset, seconds);
}

}  // namespace
}  // namespace organon::benchmarks

int main(int argc, char** argv) {
  organon::keep_freed_memory();
  std::vector<std::string> words;
  organon::benchmarks::Options options = {{"shape", ""},     {"type", "uint8"}, {"address", ""},
                                          {"codec", "gzip"}, {"level", "-1"},   {"chunk", "64"},
                                          {"threads", "2"},  {"shard", "0"}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) == 0 && i + 1 < argc)
      options[word.substr(2)] = argv[++i];
    else
      words.push_back(word);
  }
  try {
    if (words.size() == 2 && words[0] == "write")
      organon::benchmarks::write(words[1], options);
    else if (words.size() == 2 && words[0] == "read")
      organon::benchmarks::read(words[1], options);
    else
      throw organon::Error(organon::ErrorKind::kInvalidArgument, "expected write VOLUME or read ADDRESS");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
