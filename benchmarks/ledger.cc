// How fast blocks are recorded, and how fast a restart knows what is done: journals of one chunk per block,
// group commit with fsync, four writers one after the other.
//
//   ledger_benchmark FOLDER [BLOCKS]        standard: 10,000,000 blocks; FOLDER is made and left for looking
//   at

#include "organon/blockwise/ledger.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "organon/blockwise/watchdog.h"

using namespace organon;
using namespace organon::blockwise;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: ledger_benchmark FOLDER [BLOCKS]\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::int64_t num_blocks = argc > 2 ? std::atoll(argv[2]) : 10'000'000;
  constexpr std::int64_t kNumWriters = 4;

  auto begin = std::chrono::steady_clock::now();
  for (std::int64_t writer = 0; writer < kNumWriters; ++writer) {
    JournalWriter journal(folder, fmt::format("s1-w{}", writer), Fsync::kYes, {folder});
    for (std::int64_t block = writer; block < num_blocks; block += kNumWriters) {
      journal.started(block);
      JournalRecord record;
      record.kind = JournalRecord::Kind::kCompleted;
      record.block = block;
      record.seconds = 0.1;
      storage::ChunkRecord chunk;
      chunk.position = {block / 65536, block / 256 % 256, block % 256};
      chunk.voxels = {static_cast<std::uint64_t>(block), 1};
      chunk.file = {static_cast<std::uint64_t>(block), 2};
      chunk.file_bytes = 100'000;
      record.chunks.push_back({0, chunk});
      journal.completed(record);
    }
    journal.commit();
  }
  const double write_s = seconds_since(begin);
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "journals"))
    bytes += entry.file_size();

  begin = std::chrono::steady_clock::now();
  Ledger ledger(folder, num_blocks, 2);
  ledger.refresh();
  const double start_s = seconds_since(begin);
  fmt::print(
      "blocks {}: {:.0f} commits/s; {:.0f} bytes per block; a restart knows {} done blocks after {:.2f} s, "
      "with {} MiB\n",
      num_blocks, static_cast<double>(num_blocks) / write_s,
      static_cast<double>(bytes) / static_cast<double>(num_blocks), ledger.num_done(), start_s,
      resident_bytes() >> 20);
  return ledger.num_done() == num_blocks ? 0 : 1;
}
