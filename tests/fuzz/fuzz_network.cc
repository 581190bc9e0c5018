// Files of networks: as they come, and as the sealed body of one, so that the hash does not hide the rest.

#include "fuzz_input.h"
#include "organon/base/hash.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/network_file.h"

namespace organon::fuzz {
namespace {

void run(std::string_view text) {
  allow_errors([&] {
    const nn::NetworkFile file = nn::decode_network(text, "a.organon");
    const std::string encoded = nn::encode_network(file);
    ORGANON_CHECK(nn::encode_network(nn::decode_network(encoded, "encoded")) == encoded);
    nn::shapes_of(file.info.options, {64, 72, 216});
    nn::smallest_input(file.info.options, {1, 20, 300});
    nn::receptive_radius(file.info.options);
    nn::prediction_bytes(file.info.options, 2, {64, 72, 216});
  });
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  organon::fuzz::run(text);
  organon::fuzz::run("organon network 1\n" + organon::to_hex(organon::hash_text(text)) + "\n" + text);
  return 0;
}
