// The polygons that a person draws over a mask: read, and drawn on a small mask.

#include "fuzz_input.h"
#include "organon/array/array.h"
#include "organon/stages/ingest/mask_polygons.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::allow_errors([&] {
    const auto polygons =
        organon::stages::parse_mask_polygons({reinterpret_cast<const char*>(data), size}, "polygons.json");
    organon::Array<std::uint8_t> mask({3, 5, 7}, 0);
    organon::stages::apply_mask_polygons(polygons, {{64, 64, 64}, {31.5, 0, -7}}, {1, 2, 3}, mask);
    for (std::int64_t i = 0; i < mask.size(); ++i) ORGANON_CHECK(mask.data()[i] <= 1);
  });
  return 0;
}
