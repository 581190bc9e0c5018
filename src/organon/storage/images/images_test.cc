#include <gtest/gtest.h>
#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/images/png_codec.h"
#include "organon/storage/images/slice_list.h"
#include "organon/storage/images/slice_stack.h"
#include "organon/storage/images/tiff_codec.h"

namespace organon::storage {
namespace {

using Names = std::vector<std::string>;

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::kInternal, "no error");
}

template <class T>
Array<T> random_image(const Shape3& shape, std::uint64_t seed) {
  Random random(seed);
  Array<T> image(shape);
  for (std::int64_t i = 0; i < image.size(); ++i) image.data()[i] = static_cast<T>(random.next());
  return image;
}

template <class T>
void expect_equal(const AnyArray& read, const Array<T>& expected) {
  ASSERT_EQ(read.type(), data_type_of<T>());
  ASSERT_EQ(read.shape(), expected.shape());
  EXPECT_EQ(std::memcmp(read.bytes().data(), expected.data(), read.bytes().size()), 0);
}

Names order(Names names, SliceGaps gaps = SliceGaps::kRefuse) {
  return order_slice_names(std::move(names), gaps, "stack");
}
std::string refusal(Names names) {
  return error_of([&] { order(std::move(names)); }).message();
}

// --- order and numbering of slices ---

TEST(NaturalLess, NumbersCompareAsNumbers) {
  EXPECT_TRUE(natural_less("img2", "img10"));
  EXPECT_TRUE(natural_less("img2b", "img2c"));
  EXPECT_TRUE(natural_less("a9z", "a10"));
  EXPECT_TRUE(natural_less("a", "a0"));
  EXPECT_TRUE(natural_less("a1", "a01"));
  EXPECT_TRUE(natural_less("a01b", "a2a"));
  EXPECT_TRUE(natural_less("x99999999999999999999999", "x100000000000000000000000"));
  EXPECT_FALSE(natural_less("img2", "img2"));
}

TEST(NaturalLess, IsAStrictTotalOrder) {
  Random random(2);
  Names names;
  for (int i = 0; i < 60; ++i) {
    std::string name;
    for (std::uint64_t n = random.below(5); n > 0; --n) name += "a01 2"[random.below(5)];
    names.push_back(name);
  }
  for (const auto& a : names) {
    for (const auto& b : names) {
      EXPECT_EQ(natural_less(a, b) + natural_less(b, a), a == b ? 0 : 1) << a << "|" << b;
      for (const auto& c : names) {
        if (natural_less(a, b) && natural_less(b, c)) {
          EXPECT_TRUE(natural_less(a, c)) << a << "|" << b << "|" << c;
        }
      }
    }
  }
}

TEST(NaturalLess, OrderOfNumberedNamesIsNumericalWhateverThePadding) {
  Random random(3);
  Names names;
  for (int i = 0; i < 200; ++i) names.push_back("s" + std::to_string(i) + ".png");
  const Names expected = names;
  for (std::size_t i = names.size() - 1; i > 0; --i) std::swap(names[i], names[random.below(i + 1)]);
  EXPECT_EQ(order(names), expected);
}

TEST(SliceNames, AMissingSliceIsNamed) {
  EXPECT_EQ(refusal({"train_040.png", "train_042.png", "train_043.png"}),
            "stack: slice train_041.png is missing (between train_040.png and train_042.png)");
  EXPECT_EQ(refusal({"z8.tif", "z9.tif", "z11.tif", "z13.tif"}),
            "stack: slice z10.tif is missing (between z9.tif and z11.tif; 2 are missing in all)");
  EXPECT_EQ(error_of([] { order({"a1.png", "a2.png", "a4.png"}); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(order({"a1.png", "a2.png", "a4.png"}, SliceGaps::kAccept).size(), 3u);
}

TEST(SliceNames, EveryRemovedInnerSliceIsFound) {
  Names all;
  for (int i = 0; i < 30; ++i) all.push_back("cell-3_" + std::to_string(1000 + 5 * i) + "nm.tif");
  EXPECT_EQ(order(all), all);
  for (std::size_t removed = 1; removed + 1 < all.size(); ++removed) {
    Names names = all;
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(removed));
    EXPECT_NE(refusal(names).find("slice " + all[removed] + " is missing"), std::string::npos);
  }
}

TEST(SliceNames, DatesBesideARunningNumberMayJump) {
  const Names names = {"run_1_20190301T1200.tif", "run_2_20190301T1217.tif", "run_3_20190302T0805.tif"};
  EXPECT_EQ(order(names), names);
}

TEST(SliceNames, DoublesMixturesAndStrangersAreNamed) {
  EXPECT_EQ(refusal({"a1.png", "a01.png", "a2.png"}), "stack: a1.png and a01.png are the same slice");
  EXPECT_EQ(refusal({"a1.tif", "a1.tiff"}), "stack: a1.tif and a1.tiff are the same slice");
  EXPECT_NE(refusal({"a1.png", "a2.tif"}).find("both PNG and TIFF slices (a1.png and a2.tif)"),
            std::string::npos);
  EXPECT_NE(refusal({"a1.png", "a2.png", "overview.png"}).find("overview.png is not named like"),
            std::string::npos);
  EXPECT_NE(refusal({"a.png", "s1.png", "s2.png"}).find("a.png is not named like"), std::string::npos);
  EXPECT_NE(refusal({"a1_1.png", "a1_2.png", "a2_1.png", "a2_2.png"}).find("no number in the names runs"),
            std::string::npos);
  EXPECT_NE(refusal({}).find("no slices"), std::string::npos);
}

TEST(ListSlices, TakesImagesAloneAndNoHiddenFiles) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"s10.PNG", "s9.png", ".s8.png", "notes.txt", "s11.png.partial"}) {
    write_text_atomically(folder.path() / name, "x", Fsync::kNo);
  }
  std::filesystem::create_directory(folder.path() / "s12.png");
  const auto files = list_slices(folder.path());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].filename(), "s9.png");
  EXPECT_EQ(files[1].filename(), "s10.PNG");
  EXPECT_EQ(error_of([&] { list_slices(folder.path() / "none"); }).kind(), ErrorKind::kNotFound);
}

// --- PNG ---

TEST(Png, RoundTrips8And16Bits) {
  for (const Shape3 shape : {Shape3{1, 1, 1}, Shape3{1, 5, 7}, Shape3{1, 64, 33}}) {
    const auto bytes8 = encode_png(random_image<std::uint8_t>(shape, 1).view());
    expect_equal(decode_png(bytes8, "test"), random_image<std::uint8_t>(shape, 1));
    const auto bytes16 = encode_png(random_image<std::uint16_t>(shape, 2).view());
    expect_equal(decode_png(bytes16, "test"), random_image<std::uint16_t>(shape, 2));
    EXPECT_EQ(png_info(bytes16, "test"), (ImageInfo{shape, DataType::kUint16}));
  }
}

TEST(Png, PartsOfAnImageAreWrittenByTheirStrides) {
  const auto image = random_image<std::uint8_t>({3, 6, 8}, 4);
  const Box box{{1, 2, 3}, {2, 5, 7}};
  const AnyArray read = decode_png(encode_png(image.view().part(box)), "test");
  for (std::int64_t y = 0; y < 3; ++y)
    for (std::int64_t x = 0; x < 4; ++x)
      EXPECT_EQ(read.view<std::uint8_t>()(0, y, x), image(1, y + 2, x + 3));
}

TEST(Png, ColourIsAcceptedWhereItIsGrey) {
  Array<Rgb8> image({1, 2, 2}, Rgb8{7, 7, 7});
  expect_equal(decode_png(encode_png(image.view()), "test"), Array<std::uint8_t>({1, 2, 2}, 7));
  image(0, 1, 1).blue = 8;
  const Error error = error_of([&] { decode_png(encode_png(image.view()), "x.png"); });
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(error.message(), "x.png: a colour image, expected grey values");
}

// 3 x 2 pixels of one bit, 101 over 010, in a stored deflate block.
TEST(Png, AMaskOfOneBitIsZeroAndOne) {
  const unsigned char file[] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d,
                                0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x02,
                                0x01, 0x00, 0x00, 0x00, 0x00, 0xb5, 0x0f, 0x5b, 0xb7, 0x00, 0x00, 0x00,
                                0x0f, 0x49, 0x44, 0x41, 0x54, 0x78, 0x01, 0x01, 0x04, 0x00, 0xfb, 0xff,
                                0x00, 0xa0, 0x00, 0x40, 0x02, 0x24, 0x00, 0xe1, 0x48, 0x5f, 0x24, 0x54,
                                0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  const AnyArray mask = decode_png(std::as_bytes(std::span(file)), "mask.png");
  const std::uint8_t expected[6] = {1, 0, 1, 0, 1, 0};
  ASSERT_EQ(mask.shape(), (Shape3{1, 2, 3}));
  EXPECT_EQ(std::memcmp(mask.bytes().data(), expected, 6), 0);
}

TEST(Png, EveryCutFileIsCorrupt) {
  const auto bytes = encode_png(random_image<std::uint8_t>({1, 9, 9}, 5).view());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Error error = error_of([&] { decode_png(std::span(bytes).first(size), "cut.png"); });
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    EXPECT_TRUE(error.message().starts_with("cut.png: damaged PNG")) << error.message();
  }
}

TEST(Png, EveryFlippedByteIsFoundOrHarmless) {
  const auto image = random_image<std::uint8_t>({1, 9, 9}, 5);
  auto bytes = encode_png(image.view());
  Random random(1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte old = bytes[i];
    bytes[i] ^= static_cast<std::byte>(1 + random.below(255));
    try {
      expect_equal(decode_png(bytes, "flipped"), image);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
    bytes[i] = old;
  }
}

TEST(Png, HugeDeclaredSizesAreRefusedBeforeAllocation) {
  auto bytes = encode_png(random_image<std::uint8_t>({1, 2, 2}, 5).view());
  const auto declare = [&](std::uint32_t width, std::uint32_t height) {
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[16 + i] = static_cast<std::byte>(width >> (24 - 8 * i));
      bytes[20 + i] = static_cast<std::byte>(height >> (24 - 8 * i));
    }
  };
  declare(0x7fffffff, 0x7fffffff);
  EXPECT_EQ(error_of([&] { png_info(bytes, "huge"); }).kind(), ErrorKind::kResourceExhausted);
  declare(60'000, 30'000);
  EXPECT_EQ(png_info(bytes, "large").shape, (Shape3{1, 30'000, 60'000}));
  EXPECT_EQ(error_of([&] { decode_png(bytes, "large"); }).kind(), ErrorKind::kCorruptData);
}

// --- TIFF ---

struct TiffForm {
  std::uint16_t compression = COMPRESSION_NONE;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  std::uint32_t rows_per_strip = 3;
  std::uint32_t tile_edge = 0;  // 0: strips
  std::uint16_t predictor = PREDICTOR_NONE;
  const char* mode = "w";  // "wb": big-endian, "w8": BigTIFF
  std::string description = {};
};

template <class T>
void write_tiff(const std::filesystem::path& path, const Array<T>& pages, const TiffForm& form = {}) {
  TIFF* tiff = TIFFOpen(path.c_str(), form.mode);
  ASSERT_NE(tiff, nullptr);
  const Shape3 shape = pages.shape();
  for (std::int64_t page = 0; page < shape.z; ++page) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(shape.x));
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(shape.y));
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8 * static_cast<int>(sizeof(T)));
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT,
                 std::is_floating_point_v<T> ? SAMPLEFORMAT_IEEEFP
                 : std::is_signed_v<T>       ? SAMPLEFORMAT_INT
                                             : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, form.photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, form.compression);
    if (form.predictor != PREDICTOR_NONE) TIFFSetField(tiff, TIFFTAG_PREDICTOR, form.predictor);
    if (!form.description.empty()) TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, form.description.c_str());
    if (form.tile_edge > 0) {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, form.tile_edge);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, form.tile_edge);
      for (std::int64_t y = 0; y < shape.y; y += form.tile_edge) {
        for (std::int64_t x = 0; x < shape.x; x += form.tile_edge) {
          std::vector<T> tile(form.tile_edge * form.tile_edge);
          for (std::int64_t i = 0; i < static_cast<std::int64_t>(tile.size()); ++i) {
            const Index3 from{page, y + i / form.tile_edge, x + i % form.tile_edge};
            if (Box::of_shape(shape).contains(from)) tile[static_cast<std::size_t>(i)] = pages(from);
          }
          TIFFWriteTile(tiff, tile.data(), static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 0,
                        0);
        }
      }
    } else {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, form.rows_per_strip);
      for (std::int64_t y = 0; y < shape.y; ++y) {
        std::vector<T> row(pages.view().row(page, y), pages.view().row(page, y) + shape.x);
        TIFFWriteScanline(tiff, row.data(), static_cast<std::uint32_t>(y), 0);
      }
    }
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
}

template <class T>
void expect_tiff_round_trip(const Shape3& shape, const TiffForm& form) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  const auto pages = random_image<T>(shape, 9);
  write_tiff(path, pages, form);
  expect_equal(read_slice(path), pages);
  expect_equal(decode_tiff(*read_file_if_exists(path), "test"), pages);
  EXPECT_EQ(read_slice_info(path), (ImageInfo{shape, data_type_of<T>()}));
}

TEST(Tiff, RoundTripsTypesStripsTilesCompressionsAndByteOrders) {
  TIFFSetWarningHandler(nullptr);
  for (const std::uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                          COMPRESSION_DEFLATE, COMPRESSION_PACKBITS}) {
    for (const std::uint32_t tile_edge : {0u, 16u}) {
      for (const char* mode : {"wl", "wb", "w8"}) {
        TiffForm form{.compression = compression, .tile_edge = tile_edge, .mode = mode};
        expect_tiff_round_trip<std::uint8_t>({1, 21, 35}, form);
        expect_tiff_round_trip<std::uint16_t>({1, 21, 35}, form);
      }
    }
  }
  expect_tiff_round_trip<std::int8_t>({1, 3, 4}, {});
  expect_tiff_round_trip<std::int16_t>({1, 3, 4}, {.mode = "wb"});
  expect_tiff_round_trip<std::uint32_t>({1, 3, 4}, {.mode = "wb"});
  expect_tiff_round_trip<std::int32_t>({1, 3, 4}, {});
  expect_tiff_round_trip<std::uint16_t>({1, 21, 35},
                                        {.compression = COMPRESSION_LZW, .predictor = PREDICTOR_HORIZONTAL});
  expect_tiff_round_trip<std::uint16_t>({1, 21, 35}, {.rows_per_strip = 0xffffffff});
}

TEST(Tiff, FloatsKeepTheirBits) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  Array<float> image({1, 2, 3}, -1.5f);
  write_tiff(path, image, {.mode = "wb"});
  expect_equal(read_slice(path), image);
}

TEST(Tiff, AMultiPageFileIsAStack) {
  expect_tiff_round_trip<std::uint8_t>({5, 4, 6}, {.compression = COMPRESSION_LZW});
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "stack.tif";
  const auto pages = random_image<std::uint16_t>({7, 3, 4}, 2);
  write_tiff(path, pages);
  const SliceStack stack = open_slice_stack(path);
  EXPECT_EQ(stack.shape, (Shape3{7, 3, 4}));
  const AnyArray slab = read_slab(stack, 2, 5);
  EXPECT_EQ(std::memcmp(slab.bytes().data(), &pages(2, 0, 0), slab.bytes().size()), 0);
}

TEST(Tiff, WhiteIsZeroIsTurnedOver) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  Array<std::uint8_t> image({1, 1, 3});
  image(0, 0, 1) = 1;
  image(0, 0, 2) = 255;
  write_tiff(path, image, {.photometric = PHOTOMETRIC_MINISWHITE});
  const AnyArray read = read_slice(path);
  EXPECT_EQ(read.view<std::uint8_t>()(0, 0, 0), 255);
  EXPECT_EQ(read.view<std::uint8_t>()(0, 0, 1), 254);
  EXPECT_EQ(read.view<std::uint8_t>()(0, 0, 2), 0);
}

TEST(Tiff, AMaskOfOneBitIsZeroAndOne) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "mask.tif";
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 10);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  std::uint8_t row[2] = {0b10110001, 0b01000000};
  TIFFWriteScanline(tiff, row, 0, 0);
  TIFFClose(tiff);
  const AnyArray read = read_slice(path);
  const std::uint8_t expected[10] = {1, 0, 1, 1, 0, 0, 0, 1, 0, 1};
  ASSERT_EQ(read.shape(), (Shape3{1, 1, 10}));
  EXPECT_EQ(std::memcmp(read.bytes().data(), expected, 10), 0);
}

TEST(Tiff, GreyColourAndPalettesAreAcceptedColouredOnesNamed) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  const auto write = [&](bool has_palette, std::uint8_t blue) {
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 2);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    std::uint8_t row[6] = {3, 3, 3, 9, 9, blue};
    std::vector<std::uint16_t> grey(256);
    for (std::size_t i = 0; i < 256; ++i) grey[i] = static_cast<std::uint16_t>(257 * (255 - i));
    std::vector<std::uint16_t> other = grey;
    if (blue != 9) other[7] = 5;
    if (has_palette) {
      TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_PALETTE);
      TIFFSetField(tiff, TIFFTAG_COLORMAP, grey.data(), grey.data(), other.data());
    } else {
      TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
      TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 3);
    }
    TIFFWriteScanline(tiff, row, 0, 0);
    TIFFClose(tiff);
  };
  write(false, 9);
  EXPECT_EQ(read_slice(path).view<std::uint8_t>()(0, 0, 1), 9);
  write(true, 9);
  EXPECT_EQ(read_slice(path).view<std::uint8_t>()(0, 0, 0), 252);
  for (const bool has_palette : {false, true}) {
    write(has_palette, 10);
    const Error error = error_of([&] { read_slice(path); });
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(error.message().find("page 1"), std::string::npos) << error.message();
  }
}

TEST(Tiff, UnknownCompressionsAndDepthsAreNamed) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  write_tiff(path, Array<std::uint8_t>({1, 16, 16}), {.compression = COMPRESSION_JPEG, .rows_per_strip = 16});
  EXPECT_NE(error_of([&] { read_slice(path); }).message().find("compression JPEG"), std::string::npos);
}

// Sets the StripOffsets entry (tag 273, one LONG) of a classic TIFF's first directory.
bool point_strip_at(std::vector<std::byte>& bytes, std::size_t offset, bool is_big_endian) {
  const auto number = [&](std::size_t place, std::size_t count) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value = value << 8 | static_cast<std::size_t>(bytes[place + (is_big_endian ? i : count - 1 - i)]);
    }
    return value;
  };
  const std::size_t directory = number(4, 4);
  for (std::size_t entry = 0; entry < number(directory, 2); ++entry) {
    const std::size_t place = directory + 2 + 12 * entry;
    if (number(place, 2) != 273) continue;
    const std::size_t type_bytes = number(place + 2, 2) == 3 ? 2 : 4;
    for (std::size_t i = 0; i < type_bytes; ++i) {
      bytes[place + 8 + (is_big_endian ? type_bytes - 1 - i : i)] = static_cast<std::byte>(offset >> (8 * i));
    }
    return true;
  }
  return false;
}

TEST(Tiff, LargeImageJStacksWithOneDirectoryAreReadWhole) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "imagej.tif";
  const auto pages = random_image<std::uint16_t>({3, 20, 50}, 6);
  Array<std::uint16_t> first({1, 20, 50});
  std::copy_n(pages.data(), 1000, first.data());
  for (const char* mode : {"wl", "wb"}) {
    const TiffForm form{
        .rows_per_strip = 20, .mode = mode, .description = "ImageJ=1.53t\nimages=3\nslices=3\n"};
    write_tiff(path, first, form);
    auto bytes = *read_file_if_exists(path);
    EXPECT_EQ(error_of([&] { decode_tiff(bytes, "x"); }).kind(), ErrorKind::kCorruptData)
        << "two pages are missing";
    // As ImageJ lays it out: the directory first, then all pixels to the end of the file. libtiff puts the
    // pixels first, so the whole is moved behind by pointing the strip at the end.
    const std::size_t begin = bytes.size();
    const bool is_big = std::string(mode) == "wb";
    for (std::int64_t i = 0; i < pages.size(); ++i) {
      const std::uint16_t value = pages.data()[i];
      bytes.push_back(static_cast<std::byte>(is_big ? value >> 8 : value));
      bytes.push_back(static_cast<std::byte>(is_big ? value : value >> 8));
    }
    ASSERT_TRUE(point_strip_at(bytes, begin, is_big));
    write_file_atomically(path, bytes, Fsync::kNo);
    EXPECT_EQ(read_slice_info(path).shape, (Shape3{3, 20, 50}));
    expect_equal(read_slice(path), pages);
  }
}

std::vector<std::vector<std::byte>> sample_tiffs() {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "test.tif";
  std::vector<std::vector<std::byte>> files;
  const auto image = random_image<std::uint8_t>({2, 20, 20}, 5);
  for (const TiffForm& form :
       {TiffForm{}, TiffForm{.compression = COMPRESSION_LZW}, TiffForm{.tile_edge = 16},
        TiffForm{.compression = COMPRESSION_ADOBE_DEFLATE, .mode = "w8"},
        TiffForm{.compression = COMPRESSION_PACKBITS, .mode = "wb"}}) {
    write_tiff(path, image, form);
    files.push_back(*read_file_if_exists(path));
  }
  return files;
}

TEST(Tiff, EveryCutFileIsCorrupt) {
  for (const auto& bytes : sample_tiffs()) {
    for (std::size_t size = 0; size < bytes.size(); size += 3) {
      const Error error = error_of([&] { decode_tiff(std::span(bytes).first(size), "cut.tif"); });
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.message();
      EXPECT_TRUE(error.message().starts_with("cut.tif, page ")) << error.message();
    }
  }
}

TEST(Tiff, RandomDamageNeverCrashes) {
  Random random(21);
  for (const auto& bytes : sample_tiffs()) {
    for (int round = 0; round < 2000; ++round) {
      auto changed = bytes;
      for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
        // Directories lie at the end of the pages; half of the damage goes there.
        const std::size_t place =
            random.below(2) == 0
                ? random.below(changed.size())
                : changed.size() - 1 - random.below(std::min<std::size_t>(changed.size(), 300));
        changed[place] = static_cast<std::byte>(random.below(256));
      }
      try {
        decode_tiff(changed, "damaged");
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::kInternal);
      }
    }
  }
}

// --- stacks ---

TEST(SliceStack, ASlabIsTheSlicesInOrder) {
  const testing::TemporaryFolder folder;
  const auto volume = random_image<std::uint16_t>({12, 4, 5}, 7);
  for (std::int64_t z = 0; z < 12; ++z) {
    write_file_atomically(folder.path() / ("s" + std::to_string(z) + ".png"),
                          encode_png(volume.view().part({{z, 0, 0}, {z + 1, 4, 5}})), Fsync::kNo);
  }
  const SliceStack stack = open_slice_stack(folder.path());
  EXPECT_EQ(stack.shape, (Shape3{12, 4, 5}));
  EXPECT_EQ(stack.type, DataType::kUint16);
  const AnyArray slab = read_slab(stack, 1, 11);
  EXPECT_EQ(std::memcmp(slab.bytes().data(), &volume(1, 0, 0), slab.bytes().size()), 0);
}

TEST(SliceStack, ASliceOfAnotherSizeOrTypeIsNamed) {
  const testing::TemporaryFolder folder;
  write_png_grey8(folder.path() / "a1.png", Array<std::uint8_t>({1, 4, 5}));
  write_png_grey8(folder.path() / "a2.png", Array<std::uint8_t>({1, 5, 4}));
  Error error = error_of([&] { open_slice_stack(folder.path()); });
  EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
  EXPECT_NE(error.message().find("a2.png: 4 x 5 pixels (x, y) of uint8, but a1.png has 5 x 4"),
            std::string::npos)
      << error.message();
  write_file_atomically(folder.path() / "a2.png", encode_png(Array<std::uint16_t>({1, 4, 5}).view()),
                        Fsync::kNo);
  error = error_of([&] { open_slice_stack(folder.path()); });
  EXPECT_NE(error.message().find("of uint16, but a1.png"), std::string::npos) << error.message();
}

TEST(SliceStack, ADamagedSliceIsNamed) {
  const testing::TemporaryFolder folder;
  write_png_grey8(folder.path() / "a1.png", random_image<std::uint8_t>({1, 4, 5}, 1));
  auto bytes = encode_png(random_image<std::uint8_t>({1, 4, 5}, 1).view());
  bytes.resize(bytes.size() - 20);
  write_file_atomically(folder.path() / "a2.png", bytes, Fsync::kNo);
  const SliceStack stack = open_slice_stack(folder.path());
  const Error error = error_of([&] { read_slab(stack, 0, 2); });
  EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
  EXPECT_NE(error.message().find("a2.png: damaged PNG"), std::string::npos);
  write_text_atomically(folder.path() / "a2.png", "no image", Fsync::kNo);
  EXPECT_EQ(error_of([&] { open_slice_stack(folder.path()); }).kind(), ErrorKind::kCorruptData);
}

TEST(SliceStack, AFolderOfMultiPageFilesIsOneStack) {
  const testing::TemporaryFolder folder;
  const auto a = random_image<std::uint8_t>({3, 2, 2}, 1);
  const auto b = random_image<std::uint8_t>({2, 2, 2}, 2);
  write_tiff(folder.path() / "part1.tif", a);
  write_tiff(folder.path() / "part2.tif", b);
  const SliceStack stack = open_slice_stack(folder.path());
  EXPECT_EQ(stack.shape, (Shape3{5, 2, 2}));
  const AnyArray slab = read_slab(stack, 2, 4);
  EXPECT_EQ(std::memcmp(slab.bytes().data(), &a(2, 0, 0), 4), 0);
  EXPECT_EQ(std::memcmp(slab.bytes().data() + 4, b.data(), 4), 0);
}

TEST(SliceStack, ReadsTheEpflStack) {
  ORGANON_REQUIRE_DATA("epfl-hippocampus-fibsem/images");
  const SliceStack stack = open_slice_stack(testing::data_folder() / "epfl-hippocampus-fibsem" / "images");
  EXPECT_EQ(stack.shape, (Shape3{165, 768, 1024}));
  EXPECT_EQ(stack.type, DataType::kUint8);
  const AnyArray slab = read_slab(stack, 80, 82);
  double sum = 0;
  for (const std::byte value : slab.bytes()) sum += static_cast<double>(value);
  // The data's own notes: grey mean about 140.
  EXPECT_NEAR(sum / static_cast<double>(slab.bytes().size()), 140, 10);
}

}  // namespace
}  // namespace organon::storage
