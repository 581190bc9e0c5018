// info files and compressed_segmentation chunks of Neuroglancer precomputed.

#include "fuzz_input.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/precomputed/compressed_segmentation.h"
#include "organon/storage/precomputed/precomputed_info.h"

namespace organon::fuzz {
namespace {

void run(const Input& input) {
  allow_errors([&] {
    for (const storage::PrecomputedScale& scale : storage::parse_precomputed_info(input.text, "info")) {
      storage::precomputed_scale_entry(scale);
      if (scale.spec.codec != storage::Codec::kCompressedSegmentation || !is_small(scale.spec)) continue;
      storage::decode_compressed_segmentation(input.bytes, scale.spec.data_type, scale.spec.chunk_shape,
                                              scale.segmentation_block);
    }
  });
  if (input.bytes.empty()) return;
  const auto choice = std::to_integer<std::uint8_t>(input.bytes.front());
  const DataType type = choice % 2 == 0 ? DataType::kUint32 : DataType::kUint64;
  const Shape3 block = choice / 2 % 2 == 0 ? Shape3::cube(8) : Shape3{3, 4, 2};
  const Shape3 shape = choice / 4 % 2 == 0 ? Shape3{9, 8, 17} : Shape3{1, 5, 6};
  const auto bytes = input.bytes.subspan(1);
  const auto decode = [&](std::span<const std::byte> encoded) {
    return storage::decode_compressed_segmentation(encoded, type, shape, block);
  };
  allow_errors([&] { decode(bytes); });
  check_round_trip(
      bytes, type, shape,
      [&](const AnyArray& voxels) { return storage::encode_compressed_segmentation(voxels, block); }, decode);
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
