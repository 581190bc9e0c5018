#include "organon/config/crop_config.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::config {
namespace {

const Taxonomy& taxonomy() {
  static const Taxonomy loaded = load_taxonomy(kStandardTaxonomy);
  return loaded;
}

ClassConfig class_named(const std::string& name) {
  const LearnedClass& learned = taxonomy().learned_class(name);
  ClassConfig organelle;
  organelle.name = name;
  organelle.atoms = learned.atoms;
  organelle.generic = learned.generic;
  return organelle;
}

Annotation annotation(const CropConfig& crop, const std::string& name) {
  return class_in_crop(crop, class_named(name), taxonomy()).annotation;
}

TEST(CropConfig, ACropThatSaysNothingIsAnnotatedThroughout) {
  EXPECT_EQ(annotation({}, "mito"), Annotation::kPresent);
}

TEST(CropConfig, AClassIsAnnotatedWhereAllItsAtomsAre) {
  CropConfig crop;
  crop.present = {"mito_mem", "mito_lum"};
  crop.absent = {"mito_ribo", "ld"};
  EXPECT_EQ(annotation(crop, "mito"), Annotation::kPresent);
  EXPECT_EQ(annotation(crop, "mito-mem"), Annotation::kPresent);
  EXPECT_EQ(annotation(crop, "mito-ribo"), Annotation::kAbsent);
  EXPECT_EQ(annotation(crop, "ld"), Annotation::kAbsent) << "a class's name stands for its atoms";
  EXPECT_EQ(annotation(crop, "er"), Annotation::kUnannotated) << "of which nothing is said";
  crop.absent = {};
  EXPECT_EQ(annotation(crop, "mito"), Annotation::kUnannotated) << "one of three was not painted";
  EXPECT_EQ(class_in_crop(crop, class_named("mito"), taxonomy()).because, "mito_ribo is unannotated");
}

TEST(CropConfig, TheWeakestStatementCounts) {
  CropConfig crop;
  crop.present = {"er"};
  crop.partial = {"er_lum"};
  EXPECT_EQ(annotation(crop, "er"), Annotation::kPartial);
  EXPECT_EQ(annotation(crop, "er-mem"), Annotation::kPresent);
  crop.partial = {};
  crop.unannotated = {"ne"};
  EXPECT_EQ(annotation(crop, "er"), Annotation::kUnannotated);
  EXPECT_FALSE(class_in_crop(crop, class_named("er"), taxonomy()).is_annotated());
}

TEST(CropConfig, AGenericAtomStandsForAllTheOthersAndTheyForIt) {
  CropConfig crop;
  crop.present = {"nucleus"};
  EXPECT_EQ(annotation(crop, "nucleus"), Annotation::kPresent);
  EXPECT_EQ(annotation(crop, "ne"), Annotation::kUnannotated);
  crop.present = {"ne", "chrom", "nucpl", "nucleo"};
  EXPECT_EQ(annotation(crop, "nucleus"), Annotation::kPresent);
  crop.present = {"ne", "chrom", "nucpl"};
  EXPECT_EQ(annotation(crop, "nucleus"), Annotation::kUnannotated);
}

TEST(CropConfig, ClassesWithIdsOfTheirOwnAreSpokenOfByName) {
  CropConfig crop;
  crop.present = {"spine"};
  ClassConfig spine;
  spine.name = "spine";
  spine.ids = {4};
  EXPECT_TRUE(class_in_crop(crop, spine, {}).is_annotated());
  spine.name = "bouton";
  EXPECT_FALSE(class_in_crop(crop, spine, {}).is_annotated());
}

TEST(CropConfig, NamesThatMeanNothingOrTwoThingsAreRefused) {
  const auto refusal = [](const CropConfig& crop) {
    try {
      check_annotations(crop, {class_named("mito")}, taxonomy());
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  CropConfig crop;
  crop.name = "a";
  crop.present = {"mito", "er_mem", "MVB"};
  EXPECT_EQ(refusal(crop), "");
  crop.absent = {"mito_men"};
  EXPECT_NE(refusal(crop).find("did you mean 'mito_mem'?"), std::string::npos) << refusal(crop);
  crop.absent = {"er_mem"};
  EXPECT_NE(refusal(crop).find("er_mem is said to be present and absent"), std::string::npos)
      << refusal(crop);
  crop.absent = {};
  crop.masks = {{"mit", "x"}};
  EXPECT_NE(refusal(crop).find("no class 'mit'"), std::string::npos) << refusal(crop);
}

}  // namespace
}  // namespace organon::config
