// zarr.json, chunks and shards of Zarr 3.

#include "fuzz_input.h"
#include "organon/storage/zarr/zarr3_chunk.h"

namespace organon::fuzz {
namespace {

// Chains that reach every codec and each place of the index; the first byte of an input chooses.
constexpr std::string_view kChains[] = {
    R"([{"name":"bytes","configuration":{"endian":"little"}},"crc32c"])",
    R"([{"name":"transpose","configuration":{"order":[2,0,1]}},{"name":"bytes","configuration":{"endian":"big"}},
        {"name":"gzip","configuration":{"level":1}},"crc32c"])",
    R"([{"name":"bytes","configuration":{"endian":"little"}},"crc32c",{"name":"zstd","configuration":{"level":1}}])",
    R"([{"name":"sharding_indexed","configuration":{"chunk_shape":[2,2,3],
        "codecs":[{"name":"bytes","configuration":{"endian":"little"}}],
        "index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}}])",
    R"([{"name":"sharding_indexed","configuration":{"chunk_shape":[4,1,2],
        "codecs":[{"name":"transpose","configuration":{"order":[1,2,0]}},
                  {"name":"bytes","configuration":{"endian":"big"}},
                  {"name":"blosc","configuration":{"cname":"lz4","clevel":1}}],
        "index_codecs":[{"name":"bytes","configuration":{"endian":"big"}},"crc32c"],"index_location":"start"}}])",
    R"([{"name":"sharding_indexed","configuration":{"chunk_shape":[4,2,3],
        "codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[2,2,1],
            "codecs":[{"name":"bytes","configuration":{"endian":"little"}}],
            "index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}}],
        "index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}},"crc32c"])"};

storage::Zarr3Array small_array(std::uint8_t choice) {
  constexpr std::string_view kTypes[] = {"uint8", "int16", "float32", "uint64"};
  Json json = parse_json(
      R"({"zarr_format":3,"node_type":"array","fill_value":7,"chunk_key_encoding":"default"})", "array");
  json["data_type"] = kTypes[choice / 6 % 4];
  std::string chain(kChains[choice % 6]);
  Json shape = {5, 6, 7};
  Json chunk = {4, 4, 6};
  // Three channels, each in an inner chunk of its own where there are shards.
  if (choice / 24 % 2 == 1 && chain.find("transpose") == std::string::npos) {
    shape.insert(shape.begin(), 3);
    chunk.insert(chunk.begin(), 3);
    constexpr std::string_view kKey = "\"chunk_shape\":[";
    for (std::size_t at = 0; (at = chain.find(kKey, at)) != std::string::npos; at += kKey.size())
      chain.insert(at + kKey.size(), "1,");
  }
  json["shape"] = shape;
  json["chunk_grid"] = {{"name", "regular"}, {"configuration", {{"chunk_shape", chunk}}}};
  json["codecs"] = parse_json(chain, "codecs");
  return storage::zarr3_array_from(json, "array");
}

void decode_as(const storage::Zarr3Array& array, std::span<const std::byte> bytes) {
  const Shape3 unit = storage::stored_shape(array.spec);
  const Shape3 clipped = array.spec.domain().intersect(Box::of_shape(unit)).shape();
  allow_errors([&] { storage::decode_zarr3_unit(bytes, array, clipped); });
  if (!storage::has_shards(array.spec)) return;
  // The index is what the bytes begin with, the ranges are cut out of them.
  allow_errors([&] {
    const std::size_t index_bytes =
        storage::shard_index_bytes(array.chain.shards[0], storage::chunks_per_shard(array));
    const storage::ShardIndex index =
        storage::decode_zarr3_index(bytes.first(std::min(bytes.size(), index_bytes)), array);
    const auto read_range = [&](std::uint64_t begin, std::size_t num_bytes) {
      const auto rest = bytes.subspan(std::min<std::uint64_t>(begin, bytes.size()));
      const auto part = rest.first(std::min(num_bytes, rest.size()));
      return std::vector<std::byte>(part.begin(), part.end());
    };
    storage::read_inner_chunk(array, index, {}, array.spec.chunk_shape, read_range);
  });
}

void decode_all(storage::Zarr3Array array, std::span<const std::byte> bytes) {
  for_each_choice_of_channels(array.spec, [&] { decode_as(array, bytes); });
}

void run(const Input& input) {
  allow_errors([&] {
    const storage::Zarr3Array array = storage::parse_zarr3_array(input.text, "zarr.json");
    const storage::Zarr3Array written =
        storage::zarr3_array_from(storage::zarr3_array_of(array.spec), "written");
    ORGANON_CHECK(storage::describe_difference(written.spec, array.spec).empty());
    storage::DatasetSpec unit = array.spec;
    unit.chunk_shape = storage::stored_shape(array.spec);
    if (storage::find_spec_problem(unit).empty() && is_small(unit)) decode_all(array, input.bytes);
  });
  if (input.bytes.empty()) return;
  const storage::Zarr3Array array = small_array(std::to_integer<std::uint8_t>(input.bytes.front()));
  const auto bytes = input.bytes.subspan(1);
  decode_all(array, bytes);
  if (array.spec.channels.count() > 1 && !array.chain.shards.empty()) return;  // not written
  for (const Shape3& shape : {storage::stored_shape(array.spec), Shape3{3, 2, 1}}) {
    check_round_trip(
        bytes, array.spec.data_type, storage::stack_of(shape, array.spec.channels.count()),
        [&](const AnyArray& voxels) { return storage::encode_zarr3_unit(voxels, array); },
        [&](std::span<const std::byte> encoded) {
          return storage::decode_zarr3_unit(encoded, array, shape);
        });
  }
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
