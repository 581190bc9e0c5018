// attributes.json and block files of N5.

#include "fuzz_input.h"
#include "organon/storage/n5/n5_block.h"
#include "organon/storage/n5/n5_metadata.h"

namespace organon::fuzz {
namespace {

void decode_in(storage::DatasetSpec spec, std::span<const std::byte> bytes) {
  const Shape3 clipped = spec.domain().intersect(Box::of_shape(spec.chunk_shape)).shape();
  for_each_choice_of_channels(spec,
                              [&] { allow_errors([&] { storage::decode_n5_block(bytes, spec, clipped); }); });
}

void run(const Input& input) {
  allow_errors([&] {
    const storage::DatasetSpec spec = storage::parse_n5_attributes(input.text, "attributes.json");
    const Json written = storage::n5_attributes_of(spec);
    ORGANON_CHECK(storage::describe_difference(storage::n5_spec_of(written, "written"), spec).empty());
    if (is_small(spec)) decode_in(spec, input.bytes);
  });
  allow_errors([&] {
    const Json group = parse_json(input.text, "group");
    storage::cosem_level_paths(group);
    storage::n5_grid_of_group(group, group, "s1", "group");
  });
  if (input.bytes.empty()) return;
  const storage::DatasetSpec spec = small_spec(std::to_integer<std::uint8_t>(input.bytes.front()));
  const auto bytes = input.bytes.subspan(1);
  decode_in(spec, bytes);
  for (const Shape3& shape : {spec.chunk_shape, Shape3{3, 2, 1}}) {
    check_round_trip(
        bytes, spec.data_type, shape,
        [&](const AnyArray& voxels) { return storage::encode_n5_block(voxels, spec); },
        [&](std::span<const std::byte> encoded) { return storage::decode_n5_block(encoded, spec, shape); });
  }
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
