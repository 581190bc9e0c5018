// Files of networks: as they come, and as the sealed body of one, so that the hash does not hide the rest.

#include "fuzz_input.h"
#include "organon/base/hash.h"
#include "organon/nn/network_file.h"

namespace organon::fuzz {
namespace {

void run(std::string_view text) {
  allow_errors([&] {
    const nn::NetworkFile file = nn::decode_network(text, "a.organon");
    const std::string encoded = nn::encode_network(file);
    ORGANON_CHECK(nn::encode_network(nn::decode_network(encoded, "encoded")) == encoded);
    nn::output_edge(file.info.options, 64);
    nn::receptive_radius(file.info.options);
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
