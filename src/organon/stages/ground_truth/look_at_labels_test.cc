#include "organon/stages/ground_truth/look_at_labels.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/stages/ground_truth/annotated_array.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

std::shared_ptr<storage::Dataset> store(const std::string& address, const Array<std::uint16_t>& ids) {
  storage::DatasetSpec spec;
  spec.shape = ids.shape();
  spec.chunk_shape = {2, 8, 8};
  spec.data_type = DataType::kUint16;
  spec.grid = {{4, 4, 4}, {0, 0, 0}};
  auto dataset = storage::create_dataset(address, spec);
  dataset->write<std::uint16_t>(spec.domain(), ids.view(), Fsync::kNo);
  return dataset;
}

TEST(LookAtLabels, CountsIdsAndFindsTheSliceWithMost) {
  const TemporaryFolder folder;
  Array<std::uint16_t> ids({5, 6, 7});
  for (std::int64_t i = 0; i < 42; ++i) ids.data()[i] = 9;  // slice 0: full of one
  ids(3, 1, 1) = 2;
  ids(3, 4, 5) = 500;
  const auto labels = store("n5://" + (folder.path() / "a.n5/labels").string(), ids);
  const LabelCounts all = count_labels(*labels, labels->spec().domain());
  EXPECT_EQ(all.voxels, (std::map<std::uint64_t, std::int64_t>{{0, 166}, {2, 1}, {9, 42}, {500, 1}}));
  EXPECT_EQ(all.fullest_z, 3);
  const LabelCounts part = count_labels(*labels, {{0, 0, 0}, {3, 3, 3}});
  EXPECT_EQ(part.voxels, (std::map<std::uint64_t, std::int64_t>{{0, 18}, {9, 9}}));
  EXPECT_EQ(part.fullest_z, 0);
}

TEST(LookAtLabels, DrawsIdsInTheirColours) {
  const TemporaryFolder folder;
  Array<std::uint16_t> ids({1, 4, 4});
  ids(0, 1, 2) = 7;
  ids(0, 3, 3) = 8;  // of no class
  const auto labels = store("n5://" + (folder.path() / "a.n5/labels").string(), ids);
  const auto path = folder.path() / "made" / "picture.png";
  write_label_picture(*labels, labels->spec().domain(), 0, "", {{7, {200, 100, 50}}}, path);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(AnnotatedArray, CellMapsAttributesSayWhatValuesMean) {
  const TemporaryFolder folder;
  const std::string group = "n5://" + (folder.path() / "crop.n5").string();
  const Array<std::uint16_t> ids({2, 2, 2});
  const auto annotate = [](const char* type, const Json& encoding) {
    return Json{{"cellmap",
                 {{"annotation",
                   {{"class_name", "x"},
                    {"complement_counts", {{"unknown", 1}, {"absent", 2}}},
                    {"annotation_type", {{"type", type}, {"encoding", encoding}}}}}}}};
  };
  store(group + "/mito", ids)
      ->set_attributes(annotate("semantic_segmentation", {{"absent", 0}, {"present", 1}, {"unknown", 255}}));
  store(group + "/er/s0", ids)->set_attributes(annotate("instance_segmentation", {{"absent", 0}}));
  store(group + "/plain", ids);
  store(group + "/bad", ids)->set_attributes(annotate("pretty", Json::object()));
  store(group + "/worse", ids)
      ->set_attributes(annotate("semantic_segmentation", {{"absent", 0}, {"present", -1}}));
  const auto mito = find_annotated_array(group, "mito");
  ASSERT_TRUE(mito.has_value());
  EXPECT_FALSE(mito->has_instances);
  EXPECT_EQ(mito->present, 1U);
  EXPECT_EQ(mito->unknown, 255U);
  const auto er = find_annotated_array(group, "er");
  ASSERT_TRUE(er.has_value()) << "a pyramid is described at its finest level";
  EXPECT_TRUE(er->has_instances);
  EXPECT_FALSE(er->unknown.has_value());
  EXPECT_FALSE(find_annotated_array(group, "plain").has_value());
  EXPECT_FALSE(find_annotated_array(group, "nowhere").has_value());
  EXPECT_THROW(find_annotated_array(group, "bad"), Error);
  EXPECT_THROW(find_annotated_array(group, "worse"), Error);
}

}  // namespace
}  // namespace organon::stages
