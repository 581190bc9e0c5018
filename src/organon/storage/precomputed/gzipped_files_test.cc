// Volumes of which the files are kept gzipped, as cloud-volume keeps them on disk.

#include <gtest/gtest.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset.h"

namespace organon::storage {
namespace {

using organon::testing::TemporaryFolder;

// Each file of the folder under another name, its bytes as `encode` makes them.
template <class Encode>
void replace_files(const std::filesystem::path& folder, const std::string& ending, Encode encode) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  for (const auto& file : files) {
    write_file_atomically(file.string() + ending, encode(*read_file_if_exists(file)), Fsync::kNo);
    std::filesystem::remove(file);
  }
}

TEST(GzippedFiles, AreReadAndNotWritten) {
  for (const Codec codec : {Codec::kRaw, Codec::kCompressedSegmentation}) {
    const TemporaryFolder folder;
    DatasetSpec spec;
    spec.shape = {9, 10, 11};
    spec.chunk_shape = {8, 8, 8};
    spec.data_type = DataType::kUint32;
    spec.codec = codec;
    const std::string address = (folder.path() / "a.precomputed/s0").string();
    AnyArray voxels(spec.data_type, spec.shape);
    for (std::int64_t i = 0; i < spec.shape.product(); ++i)
      voxels.view<std::uint32_t>().data()[i] = static_cast<std::uint32_t>(i / 7);
    create_dataset(address, spec)->write(spec.domain(), voxels);
    replace_files(folder.path() / "a.precomputed/s0", ".gz", [](const std::vector<std::byte>& bytes) {
      std::vector<std::byte> packed;
      append_encoded({.codec = Codec::kGzip, .level = 5, .voxel_bytes = 1}, bytes, packed);
      return packed;
    });
    const auto dataset = open_dataset(address);
    EXPECT_TRUE(std::ranges::equal(dataset->read(spec.domain()).bytes(), voxels.bytes()));
    EXPECT_TRUE(dataset->chunk_exists({1, 1, 1}));
    EXPECT_THROW(dataset->write(spec.domain(), voxels), Error);
  }
}

TEST(GzippedFiles, OtherCompressionsAreRefusedByName) {
  const TemporaryFolder folder;
  DatasetSpec spec;
  spec.shape = spec.chunk_shape = {4, 4, 4};
  spec.codec = Codec::kRaw;
  const std::string address = (folder.path() / "a.precomputed/s0").string();
  AnyArray voxels(spec.data_type, spec.shape);
  std::ranges::fill(voxels.bytes(), std::byte{1});
  create_dataset(address, spec)->write(spec.domain(), voxels);
  replace_files(folder.path() / "a.precomputed/s0", ".br",
                [](std::vector<std::byte> bytes) { return bytes; });
  try {
    open_dataset(address);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(error.message().find(".br"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace organon::storage
