#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::storage {
namespace {

TEST(Dataset, ReadsBackWhatWasWrittenInN5) {
  const organon::testing::TemporaryFolder folder;
  DatasetSpec spec;
  spec.shape = {5, 7, 9};
  spec.chunk_shape = {4, 4, 4};
  spec.data_type = DataType::kUint16;
  const auto dataset = create_dataset((folder.path() / "a.n5/raw/s0").string(), spec);
  Array<std::uint16_t> voxels(spec.shape);
  for (std::int64_t i = 0; i < voxels.size(); ++i) voxels.data()[i] = static_cast<std::uint16_t>(i * 257);
  const auto records = dataset->write<std::uint16_t>(spec.domain(), voxels.view());
  EXPECT_EQ(records.size(), 2u * 2u * 3u);
  const auto again = open_dataset(dataset->path().string());
  const AnyArray read = again->read(spec.domain());
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    ASSERT_EQ(read.view<std::uint16_t>().data()[i], voxels.data()[i]);
}

}  // namespace
}  // namespace organon::storage
