// cell.toml.

#include "fuzz_input.h"
#include "organon/config/cell_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    organon::config::parse_cell_config({reinterpret_cast<const char*>(data), size}, "/cell/cell.toml");
  });
  return 0;
}
