#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset.h"
#include "organon/storage/digest.h"
#include "organon/storage/fill_value.h"

namespace organon::storage::testing {

/// One member of a format: how to address it, and what it holds.
struct DatasetCase {
  std::string name;      ///< of the test
  std::string location;  ///< below a temporary folder, such as "a.n5/raw/s0"
  Codec codec = Codec::kRaw;
  DataType data_type = DataType::kUint8;
  Shape3 shape;
  Shape3 chunk_shape;
  std::uint64_t fill_value = 0;
  /// Damage of any byte is noticed (by a checksum); else it may only change voxels.
  bool has_checksum = false;
};

inline void PrintTo(const DatasetCase& c, std::ostream* out) { *out << c.name; }

/// The laws of Dataset, for every format, codec and type.
class DatasetContract : public ::testing::TestWithParam<DatasetCase> {
 protected:
  DatasetSpec spec() const {
    DatasetSpec spec;
    spec.shape = GetParam().shape;
    spec.chunk_shape = GetParam().chunk_shape;
    spec.data_type = GetParam().data_type;
    spec.codec = GetParam().codec;
    spec.fill_value = GetParam().fill_value;
    spec.grid = {{5.24, 4, 4}, {2.62, 0, -8}};
    return spec;
  }
  std::string address() const { return (folder_.path() / GetParam().location).string(); }
  std::shared_ptr<Dataset> create() const { return create_dataset(address(), spec()); }

  /// Bytes that differ from place to place and are never all fill within a chunk. Labels are smooth, so that
  /// the label encodings see blocks of one and of many labels.
  static AnyArray make_voxels(DataType type, const Shape3& shape, std::uint64_t seed = 1) {
    AnyArray voxels(type, shape);
    dispatch(type, [&](auto zero) {
      using T = decltype(zero);
      const ArrayView<T> view = voxels.view<T>();
      for (std::int64_t z = 0; z < shape.z; ++z) {
        for (std::int64_t y = 0; y < shape.y; ++y) {
          for (std::int64_t x = 0; x < shape.x; ++x) {
            const auto label = static_cast<std::uint64_t>(z / 3 * 7 + y / 5 * 3 + x / 4) + seed;
            view(z, y, x) = static_cast<T>(label * 0x9E3779B97F4A7C15u % 251 + 1);
          }
        }
      }
    });
    return voxels;
  }

  static void expect_equal(const AnyArray& a, const AnyArray& b) {
    ASSERT_EQ(a.type(), b.type());
    ASSERT_EQ(a.shape(), b.shape());
    EXPECT_EQ(std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()), 0);
  }

  static AnyArray part(const AnyArray& whole, const Box& box) {
    AnyArray result(whole.type(), box.shape());
    dispatch(whole.type(), [&](auto zero) {
      using T = decltype(zero);
      copy_voxels<T>(whole.view<T>().part(box), result.view<T>());
    });
    return result;
  }

  static AnyArray filled(DataType type, const Shape3& shape, std::uint64_t value) {
    AnyArray result(type, shape);
    dispatch(type, [&](auto zero) {
      using T = decltype(zero);
      fill_voxels<T>(result.view<T>(), fill_voxel<T>(value));
    });
    return result;
  }

  /// All files below the folder other than metadata: chunk files.
  std::vector<std::filesystem::path> chunk_files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && name != "attributes.json" && name != "info" && name[0] != '.') {
        files.push_back(entry.path());
      }
    }
    return files;
  }

  organon::testing::TemporaryFolder folder_;
};

TEST_P(DatasetContract, ReadsBackWhatWasWritten) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  const auto records = dataset->write(spec().domain(), voxels, Fsync::kNo);
  EXPECT_EQ(static_cast<std::int64_t>(records.size()), dataset->chunk_grid().count());
  expect_equal(dataset->read(spec().domain()), voxels);
  const auto again = open_dataset(address());
  EXPECT_EQ(describe_difference(again->spec(), spec()), "");
  expect_equal(again->read(spec().domain()), voxels);
}

TEST_P(DatasetContract, ReadsAnyBox) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  dataset->write(spec().domain(), voxels, Fsync::kNo);
  const Shape3 shape = spec().shape;
  const Box boxes[] = {{{0, 0, 0}, {1, 1, 1}},
                       {Index3(shape) - Index3{1, 1, 1}, Index3(shape)},
                       {{shape.z / 3, shape.y / 3, 3}, {shape.z, shape.y, shape.x - 2}}};
  for (const Box& box : boxes) expect_equal(dataset->read(box), part(voxels, box));
}

TEST_P(DatasetContract, RefusesBoxesOutsideTheDomain) {
  const auto dataset = create();
  EXPECT_THROW(dataset->read(spec().domain().grow(1)), Error);
  EXPECT_THROW(dataset->write(spec().domain().grow(1), filled(spec().data_type, spec().shape, 1)), Error);
  EXPECT_EQ(dataset->read(Box{}).bytes().size(), 0u);
}

TEST_P(DatasetContract, MissingChunksReadAsFill) {
  const auto dataset = create();
  expect_equal(dataset->read(spec().domain()), filled(spec().data_type, spec().shape, spec().fill_value));
  EXPECT_FALSE(dataset->chunk_exists({0, 0, 0}));
  EXPECT_FALSE(dataset->read_chunk({0, 0, 0}).has_value());
}

TEST_P(DatasetContract, AllFillChunksAreDeleted) {
  const auto dataset = create();
  dataset->write(spec().domain(), make_voxels(spec().data_type, spec().shape), Fsync::kNo);
  EXPECT_EQ(static_cast<std::int64_t>(chunk_files().size()), dataset->chunk_grid().count());
  const auto records =
      dataset->write(spec().domain(), filled(spec().data_type, spec().shape, spec().fill_value), Fsync::kYes);
  EXPECT_TRUE(chunk_files().empty());
  for (const ChunkRecord& record : records) {
    EXPECT_TRUE(record.is_absent);
    EXPECT_EQ(record.file, Hash128{});
    EXPECT_NE(record.voxels, Hash128{});
  }
}

TEST_P(DatasetContract, RecordsHoldTheHashesOfVoxelsAndFile) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  for (const ChunkRecord& record : dataset->write(spec().domain(), voxels, Fsync::kNo)) {
    const Box box = dataset->chunk_grid().box_of(record.position);
    EXPECT_EQ(record.voxels, hash_bytes(part(voxels, box).bytes()));
    const auto file = dataset->read_chunk_file(record.position);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(record.file, hash_bytes(*file));
    EXPECT_EQ(record.file_bytes, static_cast<std::int64_t>(file->size()));
    const auto chunk = dataset->read_chunk(record.position);
    ASSERT_TRUE(chunk.has_value());
    expect_equal(*chunk, part(voxels, box));
  }
}

TEST_P(DatasetContract, OneVoxelChangesOneChunkAndTheDigest) {
  const auto dataset = create();
  AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  const auto before = dataset->write(spec().domain(), voxels, Fsync::kNo);
  const Hash128 digest = digest_dataset(*dataset);
  voxels.bytes().back() ^= std::byte{1};
  const auto after = dataset->write(spec().domain(), voxels, Fsync::kNo);
  int num_changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i) num_changed += before[i].voxels == after[i].voxels ? 0 : 1;
  EXPECT_EQ(num_changed, 1);
  EXPECT_NE(digest_dataset(*dataset), digest);
}

TEST_P(DatasetContract, WritingOneChunkLeavesTheOthers) {
  const auto dataset = create();
  const AnyArray old_voxels = make_voxels(spec().data_type, spec().shape);
  const AnyArray new_voxels = make_voxels(spec().data_type, spec().shape, 77);
  dataset->write(spec().domain(), old_voxels, Fsync::kNo);
  const Box box = dataset->chunk_grid().box_of(dataset->chunk_grid().count() - 1);
  dataset->write(box, part(new_voxels, box), Fsync::kNo);
  const AnyArray result = dataset->read(spec().domain());
  for (std::int64_t id = 0; id < dataset->chunk_grid().count(); ++id) {
    const Box other = dataset->chunk_grid().box_of(id);
    expect_equal(part(result, other), part(other == box ? new_voxels : old_voxels, other));
  }
}

TEST_P(DatasetContract, RefusesBoxesThatCutChunksAndOtherTypes) {
  const auto dataset = create();
  const Box cut{{0, 0, 0}, {1, 1, 1}};
  EXPECT_THROW(dataset->write(cut, AnyArray(spec().data_type, cut.shape())), Error);
  const DataType other = spec().data_type == DataType::kUint8 ? DataType::kInt8 : DataType::kUint8;
  EXPECT_THROW(dataset->write(spec().domain(), filled(other, spec().shape, 1)), Error);
  EXPECT_THROW(dataset->write(spec().domain(), AnyArray(spec().data_type, {1, 1, 1})), Error);
}

TEST_P(DatasetContract, CreateOverAnEqualOneKeepsItsVoxels) {
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  create()->write(spec().domain(), voxels, Fsync::kNo);
  expect_equal(create()->read(spec().domain()), voxels);
}

TEST_P(DatasetContract, CreateOverAnotherSpecNamesTheDifference) {
  create();
  DatasetSpec other = spec();
  other.shape.z += 1;
  try {
    create_dataset(address(), other);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kAlreadyExists);
    EXPECT_NE(error.message().find("shape"), std::string::npos) << error.message();
  }
  other = spec();
  other.grid.voxel_size_nm.x *= 1.01;
  EXPECT_THROW(create_dataset(address(), other), Error);
}

TEST_P(DatasetContract, RefusesUnsoundSpecs) {
  const auto expect_invalid = [&](const DatasetSpec& unsound) {
    try {
      create_dataset(address(), unsound);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument) << error.message();
    }
  };
  DatasetSpec unsound = spec();
  unsound.grid.voxel_size_nm.y = 0;
  expect_invalid(unsound);
  unsound = spec();
  unsound.shape.y = 0;
  expect_invalid(unsound);
  unsound = spec();
  unsound.chunk_shape = Shape3::cube(2048);
  expect_invalid(unsound);
  unsound = spec();
  unsound.level = 99;
  expect_invalid(unsound);
  EXPECT_FALSE(std::filesystem::exists(address()));
}

TEST_P(DatasetContract, AttributesAreKeptBesideTheFormatsOwn) {
  const auto dataset = create();
  dataset->set_attributes(Json{{"contrastLimits", {1, 2}}, {"provenance", {{"a", "b"}}}});
  dataset->set_attributes(Json{{"provenance", {{"a", "c"}}}});
  const auto again = open_dataset(address());
  EXPECT_EQ(again->attributes().at("contrastLimits"), Json({1, 2}));
  EXPECT_EQ(again->attributes().at("provenance").at("a"), "c");
  EXPECT_EQ(describe_difference(again->spec(), spec()), "");
  again->set_attributes(Json{{"provenance", nullptr}});
  EXPECT_FALSE(dataset->attributes().contains("provenance"));
}

TEST_P(DatasetContract, WritersOfDifferentChunksDoNotDisturbEachOther) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  constexpr std::int64_t kNumThreads = 4;
  std::vector<std::jthread> threads;
  for (std::int64_t thread = 0; thread < kNumThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const BlockGrid grid = dataset->chunk_grid();
      for (std::int64_t id = thread; id < grid.count(); id += kNumThreads) {
        dataset->write(grid.box_of(id), part(voxels, grid.box_of(id)), Fsync::kNo);
        static_cast<void>(dataset->read(grid.box_of(id)));
      }
    });
  }
  threads.clear();
  expect_equal(dataset->read(spec().domain()), voxels);
}

TEST_P(DatasetContract, TruncatedChunksAreCorruptDataAndNamed) {
  const auto dataset = create();
  dataset->write(spec().domain(), make_voxels(spec().data_type, spec().shape), Fsync::kNo);
  for (const std::filesystem::path& file : chunk_files()) {
    const auto size = std::filesystem::file_size(file);
    for (const std::uintmax_t shorter : {size - 1, size / 2, std::uintmax_t{3}, std::uintmax_t{0}}) {
      std::filesystem::resize_file(file, shorter);
      try {
        dataset->read(spec().domain());
        FAIL() << file << " cut to " << shorter << " of " << size << " bytes was not noticed";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.message();
        EXPECT_NE(error.message().find(file.string()), std::string::npos) << error.message();
        EXPECT_NE(error.message().find(address()), std::string::npos) << error.message();
        EXPECT_NE(error.message().find("chunk "), std::string::npos) << error.message();
      }
    }
    return;
  }
}

TEST_P(DatasetContract, FlippedBytesNeverCrash) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  dataset->write(spec().domain(), voxels, Fsync::kNo);
  const std::filesystem::path file = chunk_files().front();
  const auto original = *read_file_if_exists(file);
  const std::size_t step = std::max<std::size_t>(1, original.size() / 200);
  for (std::size_t place = 0; place < original.size(); place += step) {
    auto damaged = original;
    damaged[place] ^= std::byte{0x55};
    write_file_atomically(file, damaged, Fsync::kNo);
    try {
      const AnyArray read = dataset->read(spec().domain());
      // The first bytes of gzip say when and where it was packed, which no checksum covers.
      if (GetParam().has_checksum) expect_equal(read, voxels);
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::kCorruptData || error.kind() == ErrorKind::kUnsupported)
          << error.what();
    }
  }
}

TEST_P(DatasetContract, ReadsIntoWiderTypesExactly) {
  const auto dataset = create();
  const AnyArray voxels = make_voxels(spec().data_type, spec().shape);
  dataset->write(spec().domain(), voxels, Fsync::kNo);
  const Array<double> wide = [&]() -> Array<double> {
    if (spec().data_type == DataType::kUint64 || spec().data_type == DataType::kInt64) return {};
    return dataset->read_as<double>(spec().domain());
  }();
  dispatch(spec().data_type, [&](auto zero) {
    using T = decltype(zero);
    const Array<T> same = dataset->read_as<T>(spec().domain());
    for (std::int64_t i = 0; i < same.size(); ++i) {
      ASSERT_EQ(same.data()[i], voxels.view<T>().data()[i]);
      if (wide.size() > 0) {
        ASSERT_EQ(wide.data()[i], static_cast<double>(same.data()[i]));
      }
    }
  });
  if (size_of(spec().data_type) > 1) {
    EXPECT_THROW(dataset->read_as<std::uint8_t>(spec().domain()), Error);
  }
}

}  // namespace organon::storage::testing
