#include "organon/storage/testing/dataset_contract.h"

#include <fmt/format.h>

#include <limits>

#include "organon/storage/fill_value.h"

namespace organon::storage::testing {
namespace {

const Shape3 kOddShape{13, 21, 34};
const Shape3 kOddChunk{8, 7, 16};

// Chunks larger than the volume, one voxel thin volumes, and chunks that divide it.
struct Shapes {
  const char* name;
  Shape3 shape;
  Shape3 chunk;
};
const Shapes kShapes[] = {{"thin", {2, 3, 70}, {1, 64, 64}}, {"exact", {16, 16, 16}, {8, 8, 8}}};

std::string_view location_of(Format format) {
  switch (format) {
    case Format::kN5:
      return "a.n5/raw/s0";
    case Format::kZarr2:
    case Format::kZarr3:
      return "a.zarr/raw/s0";
    case Format::kPrecomputed:
      break;
  }
  return "a.precomputed/s0";
}

std::vector<DatasetCase> cases_of(Format format, std::vector<Codec> codecs, std::vector<DataType> types) {
  std::vector<DatasetCase> cases;
  const auto add = [&](Codec codec, DataType type, const char* shape_name, const Shape3& shape,
                       const Shape3& chunk) {
    DatasetCase c;
    c.name = fmt::format("{}_{}_{}", to_string(codec), to_string(type), shape_name);
    c.location = location_of(format);
    if (format == Format::kZarr3) c.prefix = "zarr3://";
    c.codec = codec;
    c.data_type = type;
    c.shape = shape;
    c.chunk_shape = chunk;
    // lz4 has one in the frame of N5 only.
    c.has_checksum = codec != Codec::kRaw && codec != Codec::kBlosc &&
                     codec != Codec::kCompressedSegmentation &&
                     (codec != Codec::kLz4 || format == Format::kN5);
    cases.push_back(c);
  };
  for (const Codec codec : codecs) add(codec, types.back(), "odd", kOddShape, kOddChunk);
  for (const DataType type : types) {
    if (type != types.back()) add(codecs.front(), type, "odd", kOddShape, kOddChunk);
  }
  for (const Shapes& s : kShapes) add(codecs.front(), types.front(), s.name, s.shape, s.chunk);
  return cases;
}

const std::vector<DataType> kAllTypes = {
    DataType::kUint8, DataType::kInt8,   DataType::kInt16,   DataType::kUint32,  DataType::kInt32,
    DataType::kInt64, DataType::kUint64, DataType::kFloat32, DataType::kFloat64, DataType::kUint16};

std::string name_of(const ::testing::TestParamInfo<DatasetCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(N5, DatasetContract,
                         ::testing::ValuesIn(cases_of(Format::kN5,
                                                      {Codec::kGzip, Codec::kRaw, Codec::kZlib, Codec::kZstd,
                                                       Codec::kBlosc, Codec::kBzip2, Codec::kXz, Codec::kLz4},
                                                      kAllTypes)),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Zarr2, DatasetContract,
                         ::testing::ValuesIn(cases_of(Format::kZarr2,
                                                      {Codec::kZstd, Codec::kRaw, Codec::kGzip, Codec::kZlib,
                                                       Codec::kBlosc, Codec::kBzip2, Codec::kXz, Codec::kLz4},
                                                      kAllTypes)),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Precomputed, DatasetContract,
                         ::testing::ValuesIn(cases_of(Format::kPrecomputed, {Codec::kRaw}, kAllTypes)),
                         name_of);

INSTANTIATE_TEST_SUITE_P(PrecomputedLabels, DatasetContract,
                         ::testing::ValuesIn(cases_of(Format::kPrecomputed, {Codec::kCompressedSegmentation},
                                                      {DataType::kUint32, DataType::kUint64})),
                         name_of);

INSTANTIATE_TEST_SUITE_P(
    Zarr3, DatasetContract,
    ::testing::ValuesIn(cases_of(Format::kZarr3, {Codec::kZstd, Codec::kRaw, Codec::kGzip, Codec::kBlosc},
                                 kAllTypes)),
    name_of);

std::vector<DatasetCase> sharded_cases() {
  std::vector<DatasetCase> cases = cases_of(Format::kZarr3, {Codec::kGzip, Codec::kRaw, Codec::kZstd},
                                            {DataType::kUint8, DataType::kFloat32, DataType::kUint16});
  for (DatasetCase& c : cases) {
    // A chunk of a case is its stored unit.
    c.shard_shape = c.chunk_shape;
    c.chunk_shape = {c.shard_shape.z, c.shard_shape.y % 7 == 0 ? c.shard_shape.y / 7 : c.shard_shape.y / 4,
                     c.shard_shape.x / 2};
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Zarr3Shards, DatasetContract, ::testing::ValuesIn(sharded_cases()), name_of);

// Chunks and shards of precomputed: boxes of Morton codes, one with axes that end before the others.
std::vector<DatasetCase> precomputed_shards(std::vector<Codec> codecs, std::vector<DataType> types) {
  std::vector<DatasetCase> cases = cases_of(Format::kPrecomputed, std::move(codecs), std::move(types));
  for (DatasetCase& c : cases) {
    c.has_checksum = false;  // voxels have one, the index of minishards has none
    if (c.shape == kOddShape) {
      c.chunk_shape = {4, 3, 8};
      c.shard_shape = {8, 6, 16};
    } else if (c.shape.z == 2) {
      c.chunk_shape = {1, 2, 8};
      c.shard_shape = {2, 4, 32};
    } else {
      c.chunk_shape = {4, 8, 4};
      c.shard_shape = {4, 16, 8};
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(PrecomputedShards, DatasetContract,
                         ::testing::ValuesIn(precomputed_shards({Codec::kRaw, Codec::kPng},
                                                                {DataType::kUint8, DataType::kUint16})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(PrecomputedRealShards, DatasetContract,
                         ::testing::ValuesIn(precomputed_shards({Codec::kRaw}, {DataType::kFloat32})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(PrecomputedLabelShards, DatasetContract,
                         ::testing::ValuesIn(precomputed_shards({Codec::kCompressedSegmentation},
                                                                {DataType::kUint32, DataType::kUint64})),
                         name_of);

std::uint64_t unusual_fill(DataType type) {
  switch (type) {
    case DataType::kInt16:
      return static_cast<std::uint64_t>(-2);
    case DataType::kFloat32:
      return fill_value_of(std::numeric_limits<float>::quiet_NaN());
    case DataType::kFloat64:
      return fill_value_of(-0.5);
    default:
      return 255;  // never a made voxel
  }
}

std::vector<DatasetCase> fill_cases() {
  std::vector<DatasetCase> cases =
      cases_of(Format::kZarr2, {Codec::kGzip},
               {DataType::kUint8, DataType::kInt16, DataType::kFloat32, DataType::kFloat64});
  for (DatasetCase& c : cases) c.fill_value = unusual_fill(c.data_type);
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Zarr2Fill, DatasetContract, ::testing::ValuesIn(fill_cases()), name_of);

std::vector<DatasetCase> zarr3_fill_cases() {
  std::vector<DatasetCase> cases = fill_cases();
  for (DatasetCase& c : cases) c.prefix = "zarr3://";
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Zarr3Fill, DatasetContract, ::testing::ValuesIn(zarr3_fill_cases()), name_of);

}  // namespace
}  // namespace organon::storage::testing
