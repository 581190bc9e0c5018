// What stands beside a TorchScript module of another program.

#include "fuzz_input.h"
#include "organon/nn/script_info.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    const auto info =
        organon::nn::parse_script_info({reinterpret_cast<const char*>(data), size}, "module.json");
    ORGANON_CHECK(info.channels.size() == info.classes.size());
    ORGANON_CHECK(info.margin().smallest() >= 0 && info.output_shape.product() > 0);
  });
  return 0;
}
