// A lab's own taxonomy: what people write of atoms, classes and set-ups.

#include "fuzz_input.h"
#include "organon/config/taxonomy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    const auto taxonomy =
        organon::config::parse_taxonomy({reinterpret_cast<const char*>(data), size}, "/lab/taxonomy.toml");
    for (const auto& learned : taxonomy.classes) {
      for (const std::string& atom : learned.atoms) ORGANON_CHECK(taxonomy.id_of(atom) > 0);
      for (const std::string& alias : learned.aliases) ORGANON_CHECK(taxonomy.find_class(alias) == &learned);
    }
  });
  return 0;
}
