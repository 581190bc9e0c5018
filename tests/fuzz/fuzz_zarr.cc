// .zarray, .zattrs and chunks of Zarr 2.

#include "fuzz_input.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/zarr/zarr_chunk.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::fuzz {
namespace {

void run(const Input& input) {
  allow_errors([&] {
    storage::ZarrArray array = storage::parse_zarray(input.text, ".zarray");
    const storage::ZarrArray written =
        storage::parse_zarray(to_text(storage::zarray_of(array.spec)), "written");
    ORGANON_CHECK(storage::describe_difference(written.spec, array.spec).empty());
    const Shape3 clipped = array.spec.domain().intersect(Box::of_shape(array.spec.chunk_shape)).shape();
    if (!is_small(array.spec)) return;
    for_each_choice_of_channels(
        array.spec, [&] { allow_errors([&] { storage::decode_zarr_chunk(input.bytes, array, clipped); }); });
  });
  allow_errors([&] { storage::ngff_levels_of(parse_json(input.text, ".zattrs"), ".zattrs"); });
  if (input.bytes.empty()) return;
  const auto choice = std::to_integer<std::uint8_t>(input.bytes.front());
  storage::ZarrArray array;
  array.spec = small_spec(choice);
  array.is_big_endian = choice / 32 % 2 == 1;
  array.is_fortran_order = choice / 64 % 2 == 1;
  const auto bytes = input.bytes.subspan(1);
  for (const Shape3& shape : {array.spec.chunk_shape, Shape3{3, 2, 1}}) {
    allow_errors([&] { storage::decode_zarr_chunk(bytes, array, shape); });
    check_round_trip(
        bytes, array.spec.data_type, shape,
        [&](const AnyArray& voxels) { return storage::encode_zarr_chunk(voxels, array); },
        [&](std::span<const std::byte> encoded) {
          return storage::decode_zarr_chunk(encoded, array, shape);
        });
  }
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
