// cell.toml.

#include "fuzz_input.h"
#include "organon/app/cell_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    organon::app::parse_cell_config({reinterpret_cast<const char*>(data), size}, "/cell/cell.toml");
  });
  return 0;
}
