// Foreign JSON: what parses is written and parsed again to the same.

#include "fuzz_input.h"
#include "organon/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    const organon::Json json = organon::parse_json({reinterpret_cast<const char*>(data), size}, "input");
    const std::string text = organon::to_text(json);
    ORGANON_CHECK(organon::to_text(organon::parse_json(text, "written")) == text);
  });
  return 0;
}
