#include "organon/app/crop_volumes.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

class CropVolumesTest : public ::testing::Test {
 protected:
  std::string store(const std::string& name, const Json& attributes = Json::object()) const {
    storage::DatasetSpec spec;
    spec.shape = {4, 4, 4};
    spec.chunk_shape = {4, 4, 4};
    spec.data_type = DataType::kUint8;
    const std::string address = group_ + "/" + name;
    const auto dataset = storage::create_dataset(address, spec);
    if (!attributes.empty()) dataset->set_attributes(attributes);
    return dataset->address();
  }
  static Json annotation(const char* type, const Json& encoding) {
    return {{"cellmap", {{"annotation", {{"annotation_type", {{"type", type}, {"encoding", encoding}}}}}}}};
  }
  static config::CellConfig cell(const std::string& classes, const std::string& crop) {
    return config::parse_cell_config("taxonomy = \"heinrich2021\"\n[raw]\nsource = \"raw\"\n" + classes +
                                         "[[crops]]\nlabels = \"crop\"\n" + crop,
                                     "/cell/cell.toml");
  }

  TemporaryFolder folder_;
  std::string group_ = "n5://" + (folder_.path() / "crop.n5").string();
};

TEST_F(CropVolumesTest, OneVolumeOfIdsWithWhatTheListsSay) {
  const std::string labels = store("labels");
  const std::string ribo = store("ribo");
  const std::string mask = store("mask");
  const auto config = cell("[classes.er]\n[classes.ld]\n[classes.mito]\n[classes.ribo]\n[classes.vesicle]\n",
                           "present = [\"mito\", \"ribo\"]\nabsent = [\"ld\"]\npartial = [\"vesicle\"]\n"
                           "own_labels = {ribo = \"" +
                               ribo + "\", ld = \"nowhere\"}\nmasks = {vesicle = \"" + mask + "\"}\n");
  const CropVolumes found = volumes_of_crop(config.crops[0], labels, config);
  EXPECT_EQ(found.addresses, (std::vector<std::string>{labels, ribo, mask}));
  EXPECT_EQ(found.unlabelled_ids, (std::vector<std::int64_t>{0, -1, -1}));
  EXPECT_EQ(found.ids, (std::vector<std::string>{"-", "14+15", "3+4+5", "1:34", "8+9"}))
      << "of what is absent the common volume says so";
  EXPECT_EQ(found.masks, (std::vector<std::int64_t>{-1, -1, -1, -1, 2}));
}

TEST_F(CropVolumesTest, WithoutTaxonomyAndListsEverythingIsAnnotated) {
  const std::string labels = store("labels");
  const auto config = config::parse_cell_config(
      "[raw]\nsource = \"raw\"\n[classes.spine]\nids = [4, 7]\n[[crops]]\nlabels = \"crop\"\n",
      "/cell/cell.toml");
  const CropVolumes found = volumes_of_crop(config.crops[0], labels, config);
  EXPECT_EQ(found.unlabelled_ids, (std::vector<std::int64_t>{-1}));
  EXPECT_EQ(found.ids, (std::vector<std::string>{"4+7"}));
}

TEST_F(CropVolumesTest, AGroupHasAnArrayPerClassOrPerAtom) {
  const Json semantic =
      annotation("semantic_segmentation", {{"absent", 0}, {"present", 1}, {"unknown", 255}});
  const std::string mito =
      store("mito", annotation("instance_segmentation", {{"absent", 0}, {"unknown", 9}}));
  const std::string lysosome = store("lysosome", semantic);
  const std::string ves_mem = store("ves_mem", semantic);
  const std::string ves_lum = store("ves_lum", semantic);
  store("er_mem", semantic);
  const auto config = cell("[classes.er]\n[classes.lyso]\n[classes.mito]\n[classes.vesicle]\n", "");
  EXPECT_TRUE(is_group_of_classes(group_, config));
  const CropVolumes found = volumes_of_crop(config.crops[0], group_, config);
  EXPECT_EQ(found.addresses, (std::vector<std::string>{lysosome, mito, ves_mem, ves_lum}));
  EXPECT_EQ(found.unlabelled_ids, (std::vector<std::int64_t>{255, 9, 255, 255}));
  EXPECT_EQ(found.ids, (std::vector<std::string>{"-", "0:1", "1:any", "2:1&3:1"}))
      << "of er one atom of eight has an array";
}

}  // namespace
}  // namespace organon::app
