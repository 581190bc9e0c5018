#include "organon/app/crop_volumes.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

// By the ending of the container.
class CropVolumesTest : public ::testing::TestWithParam<const char*> {
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
  // Of a group: where each format keeps a group's attributes.
  void annotate_group(const std::string& name, const Json& attributes) const {
    const std::string format = GetParam();
    const std::filesystem::path path = std::filesystem::path(group_) / name /
                                       (format == ".n5"     ? "attributes.json"
                                        : format == ".zarr" ? ".zattrs"
                                                            : "zarr.json");
    Json all = parse_json(read_text(path), path.string());
    (format == ".zarr3" ? all["attributes"] : all).update(attributes);
    write_text_atomically(path, to_text(all));
  }
  static config::CellConfig cell(const std::string& classes, const std::string& crop) {
    return config::parse_cell_config("taxonomy = \"heinrich2021\"\n[raw]\nsource = \"raw\"\n" + classes +
                                         "[[crops]]\nlabels = \"crop\"\n" + crop,
                                     "/cell/cell.toml");
  }

  TemporaryFolder folder_;
  std::string group_ = (folder_.path() / "crop").string() + GetParam();
};
INSTANTIATE_TEST_SUITE_P(Formats, CropVolumesTest, ::testing::Values(".n5", ".zarr", ".zarr3"),
                         [](const auto& format) { return std::string(format.param).substr(1); });

TEST_P(CropVolumesTest, OneVolumeOfIdsWithWhatTheListsSay) {
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
  EXPECT_EQ(found.masks, (std::vector<std::int64_t>{-1, -1, -1, 0, 2}))
      << "where nothing was painted nobody looked for ribosomes, either";
}

TEST_P(CropVolumesTest, AVolumeOfItsOwnIsKnownWhereTheCommonOneIsPainted) {
  const std::string labels = store("labels");
  const std::string ribo = store("ribo");
  const std::string mask = store("mask");
  const std::string own = "own_labels = {ribo = \"" + ribo + "\"}\n";
  const auto masks_of = [&](const std::string& crop) {
    const auto config = cell("[classes.mito]\n[classes.ribo]\n", own + crop);
    return volumes_of_crop(config.crops[0], labels, config).masks;
  };
  EXPECT_EQ(masks_of(""), (std::vector<std::int64_t>{-1, 0})) << "annotated throughout";
  EXPECT_EQ(masks_of("masks = {ribo = \"" + mask + "\"}\n"), (std::vector<std::int64_t>{-1, 2}));
  EXPECT_EQ(masks_of("unlabelled_id = -1\n"), (std::vector<std::int64_t>{-1, -1})) << "0 is background";
  EXPECT_EQ(masks_of("unlabelled_id = 255\nmasks = {ribo = \"" + mask + "\"}\n"),
            (std::vector<std::int64_t>{-1, 2}));
  try {
    masks_of("unlabelled_id = 255\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("unlabelled_id 255: ribo"), std::string::npos) << error.message();
  }
}

TEST_P(CropVolumesTest, WithoutTaxonomyAndListsEverythingIsAnnotated) {
  const std::string labels = store("labels");
  const auto config = config::parse_cell_config(
      "[raw]\nsource = \"raw\"\n[classes.spine]\nids = [4, 7]\n[[crops]]\nlabels = \"crop\"\n",
      "/cell/cell.toml");
  const CropVolumes found = volumes_of_crop(config.crops[0], labels, config);
  EXPECT_EQ(found.unlabelled_ids, (std::vector<std::int64_t>{-1}));
  EXPECT_EQ(found.ids, (std::vector<std::string>{"4+7"}));
}

TEST_P(CropVolumesTest, AGroupHasAnArrayPerClassOrPerAtom) {
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

TEST_P(CropVolumesTest, APyramidIsAnnotatedAtItsGroup) {
  const std::string finest = store("mito/s0");
  store("mito/s1");
  storage::write_multiscale_metadata(group_ + "/mito");
  annotate_group("mito", annotation("instance_segmentation", {{"absent", 0}, {"unknown", 255}}));
  const auto config = cell("[classes.mito]\n", "");
  const CropVolumes found = volumes_of_crop(config.crops[0], group_, config);
  EXPECT_EQ(found.addresses, (std::vector<std::string>{finest}));
  EXPECT_EQ(found.unlabelled_ids, (std::vector<std::int64_t>{255}));
  EXPECT_EQ(found.ids, (std::vector<std::string>{"0:any"}));
}

}  // namespace
}  // namespace organon::app
