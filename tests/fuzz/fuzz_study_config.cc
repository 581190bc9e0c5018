// study.toml.

#include "fuzz_input.h"
#include "organon/config/study_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    organon::config::parse_study_config({reinterpret_cast<const char*>(data), size}, "/cell/study.toml");
  });
  return 0;
}
