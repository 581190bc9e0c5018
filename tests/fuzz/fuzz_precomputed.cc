// info files, compressed_segmentation chunks and indices of shards of Neuroglancer precomputed.

#include <algorithm>

#include "fuzz_input.h"
#include "organon/base/json.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/precomputed/compressed_segmentation.h"
#include "organon/storage/precomputed/precomputed_info.h"
#include "organon/storage/precomputed/volume_shards.h"

namespace organon::fuzz {
namespace {

void run(const Input& input) {
  allow_errors([&] {
    for (const storage::PrecomputedScale& scale : storage::parse_precomputed_info(input.text, "info")) {
      storage::precomputed_scale_entry(scale);
      if (scale.spec.codec != storage::Codec::kCompressedSegmentation || !is_small(scale.spec)) continue;
      storage::decode_compressed_segmentation(input.bytes, scale.spec.data_type, scale.spec.chunk_shape,
                                              scale.segmentation_block, scale.spec.channels.count());
    }
  });
  storage::VolumeSharding sharding;
  allow_errors(
      [&] { sharding = storage::parse_volume_sharding(parse_json(input.text, "sharding"), "sharding"); });
  allow_errors([&] { storage::decode_minishard_index(sharding, input.bytes); });
  allow_errors([&] {
    storage::minishard_index_range(sharding,
                                   input.bytes.subspan(0, std::min<std::size_t>(16, input.bytes.size())));
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
