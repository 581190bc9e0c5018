// Journals of runs: what a disk or a dying node left of them.

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fuzz_input.h"
#include "organon/blockwise/ledger.h"

namespace organon::fuzz {
namespace {

// The bytes as one worker's journal; what is read of it makes a ledger whose counts hold.
void run(const char* data, std::size_t size) {
  static const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("organon-fuzz-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "journals");
  std::ofstream(folder / "journals" / "s1-w0", std::ios::binary)
      .write(data, static_cast<std::streamsize>(size));
  allow_errors([&] {
    blockwise::JournalReader(folder).poll([](const blockwise::JournalRecord&) {});
    blockwise::Ledger ledger(folder, 5, 1);
    ledger.refresh();
    std::int64_t done = 0;
    for (std::int64_t block = 0; block < 5; ++block) done += ledger.is_done(block) ? 1 : 0;
    ORGANON_CHECK(done == ledger.num_done());
  });
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(reinterpret_cast<const char*>(data), size);
  return 0;
}
