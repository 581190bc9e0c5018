#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/images/tiff_codec.h"
#include "organon/storage/volumes/atomic_file.h"
#include "organon/storage/volumes/byte_source.h"
#include "organon/storage/volumes/metaimage_header.h"
#include "organon/storage/volumes/mrc_header.h"
#include "organon/storage/volumes/nifti_header.h"
#include "organon/storage/volumes/nrrd_header.h"
#include "organon/storage/volumes/tiff_description.h"
#include "organon/storage/volumes/volume_source.h"
#include "organon/storage/volumes/volume_writer.h"

namespace organon::storage {
namespace {

using organon::testing::TemporaryFolder;
using Bytes = std::vector<std::byte>;

const Shape3 kShape{5, 6, 7};
const SizeNm kVoxelNm{8, 4, 5};
const PointNm kOffsetNm{80, 40, -20};

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(ORGANON_SOURCE_FOLDER) / "src/organon/storage/volumes/testdata" / name;
}

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::kInternal, "no error");
}

Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// The voxels of testdata/make_fixtures.py.
AnyArray formula(DataType type) {
  AnyArray volume(type, kShape);
  dispatch(type, [&](auto zero) {
    using T = decltype(zero);
    const auto view = volume.view<T>();
    constexpr double kFactors[] = {1, 1, 300, 0, 2e7, 0, 0, 0, 0x1p55};
    for (std::int64_t z = 0; z < kShape.z; ++z)
      for (std::int64_t y = 0; y < kShape.y; ++y)
        for (std::int64_t x = 0; x < kShape.x; ++x) {
          const auto value = static_cast<double>((31 * z + 7 * y + 3 * x) % 97);
          if constexpr (std::is_floating_point_v<T>)
            view(z, y, x) = static_cast<T>(value * 0.5 - 10);
          else
            view(z, y, x) = static_cast<T>((std::is_signed_v<T> ? value - 48 : value) * kFactors[sizeof(T)]);
        }
  });
  return volume;
}

void expect_equal(const AnyArray& read, const AnyArray& expected) {
  ASSERT_EQ(read.type(), expected.type());
  ASSERT_EQ(read.shape(), expected.shape());
  EXPECT_TRUE(std::ranges::equal(read.bytes(), expected.bytes()));
}

AnyArray slices_of(const AnyArray& volume, std::int64_t begin, std::int64_t end) {
  AnyArray part(volume.type(), {end - begin, volume.shape().y, volume.shape().x});
  const std::size_t slice = volume.bytes().size() / static_cast<std::size_t>(volume.shape().z);
  const auto from = volume.bytes().subspan(static_cast<std::size_t>(begin) * slice, part.bytes().size());
  std::copy(from.begin(), from.end(), part.bytes().begin());
  return part;
}

// Whole, slab by slab, and backwards: the same voxels.
void expect_volume(const std::string& address, const AnyArray& expected) {
  SCOPED_TRACE(address);
  const auto volume = open_volume(address);
  ASSERT_EQ(volume->info().shape, expected.shape());
  ASSERT_EQ(volume->info().type, expected.type());
  expect_equal(volume->read_slices(0, expected.shape().z), expected);
  for (std::int64_t z = 0; z < expected.shape().z; z += 2) {
    const std::int64_t end = std::min(z + 2, expected.shape().z);
    expect_equal(volume->read_slices(z, end), slices_of(expected, z, end));
  }
  expect_equal(open_volume(address)->read_slices(3, 4), slices_of(expected, 3, 4));
  expect_equal(volume->read_slices(1, 2), slices_of(expected, 1, 2));
  EXPECT_EQ(volume->read_slices(2, 2).shape().z, 0);
}

void expect_grid(const std::string& address, const SizeNm& size, const PointNm& offset,
                 std::string_view unit = "") {
  SCOPED_TRACE(address);
  const KnownGrid known = known_grid(open_volume(address)->info().stated, unit);
  ASSERT_TRUE(known.voxel_size_nm) << known.missing;
  ASSERT_TRUE(known.offset_nm);
  const double scale = size.largest();
  for (const double difference :
       {known.voxel_size_nm->z - size.z, known.voxel_size_nm->y - size.y, known.voxel_size_nm->x - size.x,
        known.offset_nm->z - offset.z, known.offset_nm->y - offset.y, known.offset_nm->x - offset.x})
    EXPECT_NEAR(difference, 0, 1e-6 * scale);
}

std::string file(const std::string& name) { return fixture(name).string(); }

// --- files of other programs ---

TEST(Volumes, MrcfilesFilesReadEqual) {
  for (const auto& [name, type] : {std::pair{"int8.mrc", DataType::kInt8},
                                   {"int16.mrc", DataType::kInt16},
                                   {"float32.mrc", DataType::kFloat32},
                                   {"uint16.mrc", DataType::kUint16},
                                   {"int16_big.mrc", DataType::kInt16},
                                   {"float32_big.mrc", DataType::kFloat32}}) {
    expect_volume(file(name), formula(type));
    expect_grid(file(name), kVoxelNm, kOffsetNm);
  }
  expect_volume(file("int16_gzip.mrc.gz"), formula(DataType::kInt16));
  EXPECT_TRUE(open_volume(file("int16_gzip.mrc.gz"))->info().is_sequential);
  const Error error = error_of([] { open_volume(file("float16.mrc")); });
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  EXPECT_NE(error.message().find("MRC mode 12 (16-bit floating point)"), std::string::npos);
}

TEST(Volumes, H5pysFilesReadEqual) {
  const std::pair<const char*, DataType> names[] = {{"u1", DataType::kUint8},   {"i1", DataType::kInt8},
                                                    {"u2", DataType::kUint16},  {"i2", DataType::kInt16},
                                                    {"u4", DataType::kUint32},  {"i4", DataType::kInt32},
                                                    {"u8", DataType::kUint64},  {"i8", DataType::kInt64},
                                                    {"f4", DataType::kFloat32}, {"f8", DataType::kFloat64}};
  for (const auto& [name, type] : names) expect_volume(file("types.h5:/little/") + name, formula(type));
  expect_volume(file("types.h5:/big/u2"), formula(DataType::kUint16));
  expect_volume(file("types.h5:big/f8"), formula(DataType::kFloat64));
  expect_volume(file("layouts.h5:/volumes/raw"), formula(DataType::kUint8));
  expect_volume(file("layouts.h5:/volumes/lzf16"), formula(DataType::kUint16));
  expect_volume(file("layouts.h5:/volumes/um"), formula(DataType::kUint8));
  expect_volume(file("one.h5"), formula(DataType::kUint8));
  AnyArray sevens(DataType::kUint32, kShape);
  std::ranges::fill(std::span(sevens.view<std::uint32_t>().data(), 210), 7u);
  expect_volume(file("layouts.h5:/volumes/constant"), sevens);
  AnyArray nines(DataType::kUint16, kShape);
  std::ranges::fill(std::span(nines.view<std::uint16_t>().data(), 210), std::uint16_t{9});
  expect_volume(file("layouts.h5:/odd/missing"), nines);
  AnyArray mask = formula(DataType::kUint8);
  for (std::byte& voxel : mask.bytes()) voxel = static_cast<std::byte>(static_cast<int>(voxel) > 40);
  expect_volume(file("layouts.h5:/masks/bool"), mask);
}

TEST(Volumes, Hdf5AttributesGiveTheGrid) {
  expect_grid(file("layouts.h5:/volumes/raw"), kVoxelNm, kOffsetNm);
  for (const char* name : {"um", "unit"}) {
    const KnownGrid known = known_grid(open_volume(file("layouts.h5:/volumes/") + name)->info().stated, "");
    ASSERT_TRUE(known.voxel_size_nm) << name;
    EXPECT_NEAR(known.voxel_size_nm->z, 8, 1e-6);
    EXPECT_NEAR(known.voxel_size_nm->x, 5, 1e-6);
    EXPECT_FALSE(known.offset_nm);
  }
  EXPECT_EQ(known_grid(open_volume(file("one.h5"))->info().stated, "").missing,
            "does not state its voxel size");
}

TEST(Volumes, WhatHdf5CannotGiveIsNamed) {
  const auto message = [](const std::string& dataset) {
    return error_of([&] { open_volume(file("layouts.h5") + dataset); }).message();
  };
  EXPECT_NE(message("").find("/masks/bool, "), std::string::npos) << message("");
  EXPECT_NE(message(":/volumes/none").find("no such dataset; it has"), std::string::npos);
  EXPECT_NE(message(":/odd/half").find("another kind of real numbers"), std::string::npos);
  EXPECT_NE(message(":/odd/rank4").find("4 axes (2 x 3 x 4 x 5)"), std::string::npos);
  EXPECT_NE(message(":/odd/compound").find("compound"), std::string::npos);
  EXPECT_NE(message(":/odd/scaleoffset").find("filter scaleoffset"), std::string::npos);
  EXPECT_NE(message(":/volumes").find("no dataset; it has"), std::string::npos);
  EXPECT_NE(message(":/volumes/raw/more").find("no such dataset"), std::string::npos);
}

TEST(Volumes, NibabelsFilesReadEqual) {
  const SizeNm um(8e3, 4e3, 5e3);
  const PointNm offset_um(80e3, 40e3, -20e3);
  expect_volume(file("uint8.nii.gz"), formula(DataType::kUint8));
  expect_volume(file("float32.nii"), formula(DataType::kFloat32));
  expect_volume(file("int64_2.nii"), formula(DataType::kInt64));
  expect_volume(file("mirrored.nii"), formula(DataType::kInt16));
  expect_volume(file("uint16_big_1.nii"), formula(DataType::kUint16));
  expect_volume(file("uint16_big_2.nii"), formula(DataType::kUint16));
  for (const char* name : {"uint8.nii.gz", "int64_2.nii", "uint16_big_1.nii", "uint16_big_2.nii"})
    expect_grid(file(name), um, offset_um);
  expect_grid(file("float32.nii"), SizeNm(8e6, 4e6, 5e6), PointNm(80e6, 40e6, -20e6));
  // Mirrored axes: the first voxel lies at the other end of the volume.
  EXPECT_FALSE(open_volume(file("mirrored.nii"))->info().stated.offset);
}

TEST(Volumes, PynrrdsAndItksFilesReadEqual) {
  expect_volume(file("uint16.nrrd"), formula(DataType::kUint16));
  expect_volume(file("float64_gzip.nrrd"), formula(DataType::kFloat64));
  expect_volume(file("int32_big.nrrd"), formula(DataType::kInt32));
  expect_volume(file("detached.nhdr"), formula(DataType::kUint8));
  expect_volume(file("itk.nrrd"), formula(DataType::kInt16));
  expect_grid(file("uint16.nrrd"), kVoxelNm, kOffsetNm);
  expect_grid(file("float64_gzip.nrrd"), kVoxelNm, kOffsetNm);
  expect_grid(file("itk.nrrd"), kVoxelNm, kOffsetNm, "nm");
  const KnownGrid um = known_grid(open_volume(file("int32_big.nrrd"))->info().stated, "");
  EXPECT_NEAR(um.voxel_size_nm.value().z, 8, 1e-9);
  const KnownGrid none = known_grid(open_volume(file("detached.nhdr"))->info().stated, "");
  EXPECT_FALSE(none.voxel_size_nm);
  EXPECT_EQ(none.missing, "states voxels of 8, 4, 5 (z, y, x; the 'spacings' of its header) without a unit");
}

TEST(Volumes, ItksMetaImagesReadEqual) {
  expect_volume(file("uint8_compressed.mha"), formula(DataType::kUint8));
  expect_volume(file("int64.mha"), formula(DataType::kInt64));
  expect_volume(file("float32.mhd"), formula(DataType::kFloat32));
  expect_volume(file("uint16_compressed.mhd"), formula(DataType::kUint16));
  for (const char* name : {"uint8_compressed.mha", "int64.mha", "float32.mhd", "uint16_compressed.mhd"})
    expect_grid(file(name), kVoxelNm, kOffsetNm, "nm");
  EXPECT_EQ(volume_files(file("float32.mhd")).size(), 2u);
}

TEST(Volumes, TifffilesStacksReadEqual) {
  expect_volume(file("imagej.tif"), formula(DataType::kUint16));
  expect_volume(file("ome_big.ome.tif"), formula(DataType::kFloat32));
  expect_volume(file("int64_big_endian.tif"), formula(DataType::kInt64));
  for (const char* name : {"imagej.tif", "ome_big.ome.tif"}) {
    const KnownGrid known = known_grid(open_volume(file(name))->info().stated, "");
    ASSERT_TRUE(known.voxel_size_nm) << name;
    EXPECT_NEAR(known.voxel_size_nm->z, 8, 1e-5) << name;
    EXPECT_NEAR(known.voxel_size_nm->y, 4, 1e-5) << name;
    EXPECT_NEAR(known.voxel_size_nm->x, 5, 1e-5) << name;
  }
  EXPECT_FALSE(open_volume(file("int64_big_endian.tif"))->info().stated.voxel_size);
}

TEST(Volumes, NeuroglancersNiftisReadAsItSaysAndAreRefused) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer/testdata/datasource/nifti");
  const auto folder = organon::testing::data_folder() / "interop/neuroglancer/testdata/datasource/nifti";
  const auto plain = open_volume((folder / "standard.nii").string());
  EXPECT_EQ(plain->info().shape, Shape3(7, 5, 4));
  EXPECT_EQ(plain->info().type, DataType::kUint8);
  EXPECT_EQ(plain->info().stated.voxel_size, Lengths(2, 3, 1));
  EXPECT_FALSE(plain->info().stated.nm_per_unit);
  const AnyArray voxels = plain->read_slices(0, 7);
  // The file's last 140 bytes, x first.
  const auto bytes = *read_file_if_exists(folder / "standard.nii");
  EXPECT_TRUE(std::ranges::equal(voxels.bytes(), std::span(bytes).last(140)));
  expect_volume((folder / "standard.nii.gz").string(), voxels);
  const Error error = error_of([&] { open_volume((folder / "example_nifti2.nii.gz").string()); });
  EXPECT_NE(error.message().find("4 axes, the fourth or a later one with 2 values"), std::string::npos);
}

TEST(Volumes, GalasHdf5FilesOpen) {
  ORGANON_REQUIRE_DATA("fib25-gala/train-gt.lzf.h5");
  const auto folder = organon::testing::data_folder() / "fib25-gala";
  const auto labels = open_volume((folder / "train-gt.lzf.h5").string());
  EXPECT_EQ(labels->info().shape, Shape3(50, 100, 200));
  EXPECT_EQ(labels->info().type, DataType::kInt32);
  const AnyArray whole = labels->read_slices(0, 50);
  expect_equal(labels->read_slices(5, 20), slices_of(whole, 5, 20));
}

// --- what headers may say ---

TEST(MrcHeader, ImodsFlagsCount) {
  Bytes bytes = *read_file_if_exists(fixture("int8.mrc"));
  const auto put = [&](std::size_t at, std::int32_t value) { std::memcpy(bytes.data() + at, &value, 4); };
  const auto parsed = [&] { return parse_mrc_header(bytes, "x.mrc").info; };
  EXPECT_EQ(parsed().type, DataType::kInt8);
  put(152, 1146047817);
  put(156, 0);
  EXPECT_EQ(parsed().type, DataType::kUint8);
  EXPECT_EQ(parsed().stated.offset, Lengths(-800, -400, 200));
  put(156, 1 | 4);
  EXPECT_EQ(parsed().type, DataType::kInt8);
  EXPECT_EQ(parsed().stated.offset, Lengths(800, 400, -200));
  // Before 2014 the largest value tells.
  put(152, 0);
  put(108, 0);
  const float limits[] = {0, 200};
  std::memcpy(bytes.data() + 76, limits, 8);
  EXPECT_EQ(parsed().type, DataType::kUint8);
  // Cells of one Angstrom a voxel are written by programs that know no size.
  const float cell[] = {7, 6, 5};
  std::memcpy(bytes.data() + 40, cell, 12);
  EXPECT_FALSE(parsed().stated.voxel_size);
}

TEST(MrcHeader, OtherAxesAndDamageAreNamed) {
  const Bytes good = *read_file_if_exists(fixture("int16.mrc"));
  const auto refusal = [&](std::size_t at, std::int32_t value) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + at, &value, 4);
    return error_of([&] { parse_mrc_header(bytes, "x.mrc"); });
  };
  EXPECT_NE(refusal(64, 2).message().find("order 2, 2, 3"), std::string::npos);
  EXPECT_EQ(refusal(88, 401).kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal(0, -7).kind(), ErrorKind::kCorruptData);
  Bytes huge = good;
  for (const std::size_t at : {0, 4, 8}) std::memset(huge.data() + at, 0x7f, 4);
  EXPECT_EQ(error_of([&] { parse_mrc_header(huge, "x.mrc"); }).kind(), ErrorKind::kResourceExhausted);
  EXPECT_EQ(refusal(92, -1).kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(error_of([&] { parse_mrc_header(std::span(good).first(1023), "x.mrc"); }).kind(),
            ErrorKind::kCorruptData);
}

TEST(NiftiHeader, ScaledValuesAndPairsAreRefused) {
  const Bytes good = *read_file_if_exists(fixture("float32.nii"));
  const auto refusal = [&](std::size_t at, const auto& value) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return error_of([&] { parse_nifti_header(bytes, "x.nii"); });
  };
  EXPECT_NE(refusal(112, 0.5f).message().find("scl_slope 0.5"), std::string::npos);
  EXPECT_EQ(refusal(344, std::array<char, 4>{'n', 'i', '1', '\0'}).kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal(344, 'x').kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal(70, std::int16_t{128}).kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal(40, std::int16_t{9}).kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal(42, std::int16_t{-1}).kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal(108, -1.0f).kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal(108, std::nanf("")).kind(), ErrorKind::kCorruptData);
}

TEST(NrrdHeader, WhatItDoesNotUnderstandIsNamed) {
  const std::string good =
      "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\nkey:=value\n# a comment\n\n";
  EXPECT_EQ(parse_nrrd_header(bytes_of(good), "x").info.shape, Shape3(4, 3, 2));
  EXPECT_EQ(*parse_nrrd_header(bytes_of(good), "x").begin_bytes, good.size());
  const auto refusal = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return error_of([&] { parse_nrrd_header(bytes_of(text), "x.nrrd"); });
  };
  EXPECT_NE(refusal("raw", "bzip2").message().find("encoding 'bzip2'"), std::string::npos);
  EXPECT_EQ(refusal("uint8", "block").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("uint8", "int16").kind(), ErrorKind::kCorruptData);  // no endian
  EXPECT_EQ(refusal("3\n", "4\n").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("2 3 4", "2 3").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("2 3 4", "2 3 4x").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("2 3 4", "2 0 4").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("2 3 4", "99999999999999999999 3 4").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("key:=value", "data file: LIST").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("key:=value", "data file: x%03d.raw 0 9 1").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("key:=value", "line skip: 1").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("key:=value", "byte skip: -2").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("key:=value", "space directions: (1,0,0) (0,1,0)").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("key:=value", "nonsense").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(refusal("NRRD", "PNG\n").kind(), ErrorKind::kCorruptData);
  EXPECT_EQ(error_of([&] { parse_nrrd_header(bytes_of(good.substr(0, good.size() - 1)), "x"); }).kind(),
            ErrorKind::kCorruptData);
}

TEST(Volumes, DetachedVoxelsLieBesideTheirHeader) {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    write_text_atomically(folder.path() / name, text, Fsync::kNo);
  };
  const auto header = [](const std::string& data) {
    return "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n" + data + "\n";
  };
  write("v.raw", std::string(4, '\0') + "abcdefghijklmnopqrstuvwx");
  for (const char* skip : {"data file: v.raw\nbyte skip: 4", "byteskip: -1\ndatafile: v.raw"}) {
    write("v.nhdr", header(skip));
    const AnyArray voxels = open_volume((folder.path() / "v.nhdr").string())->read_slices(0, 4);
    EXPECT_EQ(voxels.view<std::uint8_t>()(0, 0, 0), 'a') << skip;
    EXPECT_EQ(voxels.view<std::uint8_t>()(3, 2, 1), 'x') << skip;
  }
  const auto refusal = [&](const std::string& data) {
    write("v.nhdr", header(data));
    return error_of([&] { open_volume((folder.path() / "v.nhdr").string()); });
  };
  EXPECT_EQ(refusal("data file: ../v.raw").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("data file: /etc/passwd").kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("data file: none.raw").kind(), ErrorKind::kNotFound);
  EXPECT_NE(refusal("data file: v.raw\nbyte skip: 5").message().find("cannot hold 4 x 3 x 2 voxels"),
            std::string::npos);
}

// --- hostile files ---

TEST(Volumes, EveryTruncationIsCorruptDataNamingTheFile) {
  const TemporaryFolder folder;
  for (const char* name : {"int16.mrc", "int16_gzip.mrc.gz", "uint8.nii.gz", "int64_2.nii", "uint16.nrrd",
                           "float64_gzip.nrrd", "int64.mha", "uint8_compressed.mha", "one.h5"}) {
    const Bytes bytes = *read_file_if_exists(fixture(name));
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 90) {
      const auto path = folder.path() / name;
      write_file_atomically(path, std::span(bytes).first(size), Fsync::kNo);
      const Error error = error_of([&] {
        const auto volume = open_volume(path.string());
        volume->read_slices(0, volume->info().shape.z);
      });
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << name << " " << size << ": " << error.message();
      EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    }
  }
}

TEST(Volumes, ADamagedStreamIsNeverVoxels) {
  const TemporaryFolder folder;
  Random random(5);
  for (const char* name : {"int16_gzip.mrc.gz", "uint8.nii.gz"}) {
    const Bytes good = *read_file_if_exists(fixture(name));
    const AnyArray expected = open_volume(file(name))->read_slices(0, kShape.z);
    for (int i = 0; i < 200; ++i) {
      Bytes bytes = good;
      // Behind the gzip header, whose time and name mean nothing.
      bytes[40 + random.below(bytes.size() - 40)] ^= static_cast<std::byte>(1 + random.below(255));
      const auto path = folder.path() / name;
      write_file_atomically(path, bytes, Fsync::kNo);
      try {
        const auto volume = open_volume(path.string());
        expect_equal(volume->read_slices(0, volume->info().shape.z), expected);
      } catch (const Error& error) {
        EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
      }
    }
  }
}

TEST(Volumes, HugeExtentsAreRefusedBeforeAnythingIsAllocated) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "v.nrrd";
  const auto refusal = [&](const std::string& sizes, const std::string& encoding) {
    write_text_atomically(path,
                          "NRRD0004\ntype: double\ndimension: 3\nendian: little\nsizes: " + sizes +
                              "\nencoding: " + encoding + "\n\nabc",
                          Fsync::kNo);
    return error_of([&] { open_volume(path.string()); });
  };
  for (const char* encoding : {"raw", "gzip"}) {
    EXPECT_EQ(refusal("20000 20000 2000000000", encoding).kind(), ErrorKind::kCorruptData);
    EXPECT_EQ(refusal("2000000000 2000000000 2000000000", encoding).kind(), ErrorKind::kResourceExhausted);
    EXPECT_EQ(refusal("9000000000000000000 1 1", encoding).kind(), ErrorKind::kCorruptData);
    EXPECT_EQ(refusal("10 10 10", "raw").kind(), ErrorKind::kCorruptData);
  }
}

TEST(Volumes, UnknownFilesAreNamedWithWhatIsKnown) {
  const TemporaryFolder folder;
  write_text_atomically(folder.path() / "v.czi", "x", Fsync::kNo);
  const Error error = error_of([&] { open_volume((folder.path() / "v.czi").string()); });
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  EXPECT_NE(error.message().find(".nii.gz"), std::string::npos);
  EXPECT_EQ(error_of([] { open_volume("none.mrc"); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(error_of([] { open_volume("none.h5:/a"); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(volume_path("a/b.h5:/c/d"), "a/b.h5");
  EXPECT_EQ(volume_path("a/b.n5/c"), "a/b.n5/c");
  EXPECT_TRUE(is_volume_file_name("a/B.H5:/c"));
  EXPECT_FALSE(is_volume_file_name("a/b.n5"));
}

// --- streams ---

TEST(InflatedBytes, SeveralGzipMembersAreOneStream) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.gz";
  for (const char* text : {"first ", "second"}) {
    gzFile gz = gzopen(path.c_str(), "ab");
    gzwrite(gz, text, static_cast<unsigned>(std::strlen(text)));
    gzclose(gz);
  }
  const auto bytes = open_inflated_bytes(path, 0);
  const auto text_at = [&](std::uint64_t offset, std::size_t count) {
    std::string text(count, '\0');
    text.resize(bytes->read_some(offset, std::as_writable_bytes(std::span(text))));
    return text;
  };
  EXPECT_EQ(text_at(0, 100), "first second");
  EXPECT_EQ(text_at(4, 5), "t sec");
  EXPECT_EQ(text_at(0, 3), "fir");
  EXPECT_EQ(text_at(50, 3), "");
}

// --- writers ---

Bytes written(const VolumeToWrite& volume, const AnyArray& voxels, std::int64_t slab_depth,
              std::unique_ptr<VolumeWriter> (*make)(const VolumeToWrite&, ByteSink)) {
  Bytes bytes;
  const auto writer = make(
      volume, [&](std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); });
  for (std::int64_t z = 0; z < voxels.shape().z; z += slab_depth)
    writer->add_slices(slices_of(voxels, z, std::min(z + slab_depth, voxels.shape().z)));
  writer->finish();
  return bytes;
}

AnyArray random_volume(DataType type, const Shape3& shape, std::uint64_t seed) {
  Random random(seed);
  AnyArray voxels(type, shape);
  const bool is_smooth = seed % 2 == 0;
  for (std::byte& byte : voxels.bytes()) byte = static_cast<std::byte>(random.below(is_smooth ? 3 : 256));
  return voxels;
}

constexpr DataType kAllTypes[] = {DataType::kUint8,   DataType::kInt8,   DataType::kUint16, DataType::kInt16,
                                  DataType::kUint32,  DataType::kInt32,  DataType::kUint64, DataType::kInt64,
                                  DataType::kFloat32, DataType::kFloat64};

TEST(VolumeWriters, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const VoxelGrid grid{{40.25, 5.24, 3.9}, {1e6 + 1.0 / 3, -7, 0}};
  std::uint64_t seed = 0;
  for (const DataType type : kAllTypes) {
    for (const Shape3 shape : {Shape3{1, 1, 1}, Shape3{3, 17, 5}, Shape3{4, 300, 700}}) {
      for (const bool is_compressed : {false, true}) {
        const AnyArray voxels = random_volume(type, shape, ++seed);
        const VolumeToWrite volume{shape, type, grid, is_compressed};
        for (const char* name : {"v.tif", "v.nrrd"}) {
          const auto make = name[2] == 't' ? make_bigtiff_writer : make_nrrd_writer;
          const Bytes bytes = written(volume, voxels, 1, make);
          EXPECT_EQ(bytes, written(volume, voxels, 3, make)) << "whatever the slabs";
          write_file_atomically(folder.path() / name, bytes, Fsync::kNo);
          const auto read = open_volume((folder.path() / name).string());
          expect_equal(read->read_slices(0, shape.z), voxels);
          const KnownGrid known = known_grid(read->info().stated, "");
          EXPECT_EQ(known.voxel_size_nm, grid.voxel_size_nm) << name;
          EXPECT_EQ(known.offset_nm, grid.offset_nm) << name;
        }
        const AnyArray slice = slices_of(voxels, 0, 1);
        const Bytes bytes = encode_tiff_slice(slice, grid, is_compressed);
        expect_equal(decode_tiff(bytes, "slice"), slice);
      }
    }
  }
}

TEST(VolumeWriters, ImageJFindsTheVoxelSizeInItsOwnPlaces) {
  const VoxelGrid grid{{8, 4, 5}, {0, 0, 0}};
  TiffTags tags;
  tags.description = tiff_description(grid, 9);
  tags.y_pixels_per_unit = 0.25;
  tags.x_pixels_per_unit = 0.2;
  EXPECT_NE(tags.description.find("images=9\n"), std::string::npos);
  for (std::size_t at; (at = tags.description.find("organon_")) != std::string::npos;)
    tags.description.erase(at, tags.description.find('\n', at) - at + 1);
  const StatedGrid stated = parse_tiff_description(tags);
  EXPECT_EQ(stated.voxel_size, Lengths(8, 4, 5));
  EXPECT_EQ(stated.nm_per_unit, 1);
}

TEST(TiffDescription, FreeTextAndScreensSayNothing) {
  const auto size_of_text = [](const std::string& text) {
    const StatedGrid stated = parse_tiff_description({text, 72, 72});
    return stated.nm_per_unit ? stated.voxel_size : std::nullopt;
  };
  EXPECT_FALSE(size_of_text(""));
  EXPECT_FALSE(size_of_text("ImageJ=1.53\nimages=3\n"));
  EXPECT_FALSE(size_of_text("ImageJ=1.53\nunit=pixel\nspacing=3\n"));
  EXPECT_FALSE(
      size_of_text("<OME><Pixels PhysicalSizeX=\"4\" PhysicalSizeY=\"0\" PhysicalSizeZ=\"1\"/></OME>"));
  EXPECT_FALSE(size_of_text("<OME><Pixels PhysicalSizeX"));
  EXPECT_FALSE(size_of_text("organon_voxel_size_nm=1,2"));
  EXPECT_EQ(size_of_text("ImageJ=1.53\nunit=\\u00B5m\nspacing=3\n"), Lengths(3, 1 / 72.0, 1 / 72.0));
}

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "sub" / "x.bin";
  {
    AtomicFile half(path);
    half.write(bytes_of("abc"));
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(path.parent_path()));
  AtomicFile whole(path);
  whole.write(bytes_of("abc"));
  whole.write(bytes_of("def"));
  whole.commit();
  EXPECT_EQ(read_text(path), "abcdef");
}

}  // namespace
}  // namespace organon::storage
