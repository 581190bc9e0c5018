#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "organon/base/json.h"
#include "organon/stages/publish/publish_atlas.h"
#include "organon/storage/dataset.h"

namespace organon::stages {

enum class VolumeRole { kRaw, kPrediction, kSegmentation };

/// A volume to publish.
struct PublishedVolume {
  VolumeRole role = VolumeRole::kRaw;
  std::string class_name;  ///< empty for raw
  std::shared_ptr<storage::Dataset> s0;
  std::string source;                ///< its folder in the published one
  VoxelGrid grid;                    ///< of s0, as published
  storage::DatasetSpec spec;         ///< of s0, as published
  std::vector<Shape3> factors;       ///< of s0, s1, ...
  Json attributes = Json::object();  ///< put into its info
};

/// Meshes to publish.
struct PublishedMeshes {
  std::string class_name;
  std::filesystem::path from;
  std::string target;              ///< folder in the published one
  PointNm shift_nm;                ///< mostly none
  std::vector<std::string> files;  ///< manifests and fragments
};

struct PublishedTable {
  std::string class_name;
  std::filesystem::path csv;
};

/// What the options and inputs of a publication mean, checked.
struct PublishPlan {
  PublishOptions options;
  std::filesystem::path folder;
  std::vector<PublishedVolume> volumes;
  std::vector<PublishedMeshes> meshes;
  std::vector<PublishedTable> tables;
  std::vector<std::filesystem::path> scores;
  std::vector<std::string> classes;  ///< in order of first appearance

  explicit PublishPlan(const blockwise::StageDescription& description);

  /// The text of index.json. Errors: kCorruptData for scores of another form.
  std::string index_text() const;

 private:
  void add_volume(VolumeRole role, const std::string& class_name, const std::string& address);
  void add_meshes(const std::string& class_name, const std::filesystem::path& from);
  void place_volumes();
  void check_classes() const;
  const PublishedVolume* segmentation_of(const std::string& class_name) const;
  Json layer_json(const PublishedVolume& volume) const;
  Json scores_json() const;
};

}  // namespace organon::stages
