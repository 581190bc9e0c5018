// The edits that an expert writes.

#include "fuzz_input.h"
#include "organon/stages/refinement/label_edits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    organon::stages::parse_label_edits({reinterpret_cast<const char*>(data), size}, "edits.json");
  });
  return 0;
}
