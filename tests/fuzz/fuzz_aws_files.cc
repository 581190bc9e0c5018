// ~/.aws/config and ~/.aws/credentials.

#include "fuzz_input.h"
#include "organon/storage/stores/aws_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    for (const auto& [section, settings] :
         organon::storage::parse_aws_file({reinterpret_cast<const char*>(data), size})) {
      for (const auto& [name, value] : settings) ORGANON_CHECK(!name.empty());
    }
  });
  return 0;
}
