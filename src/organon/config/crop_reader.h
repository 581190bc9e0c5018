#pragma once

#include <filesystem>
#include <vector>

#include "organon/config/crop_config.h"
#include "organon/config/toml_reader.h"

namespace organon::config {

/// Where what is read has its relative paths from, and whose classes it speaks of.
struct CropSurroundings {
  const std::filesystem::path& folder;
  const std::vector<ClassConfig>& classes;
  const Taxonomy& taxonomy;
};

/// The crops of `[[crops]]`. Errors: kInvalidArgument naming file and line.
std::vector<CropConfig> read_crops(const TomlReader& reader, const toml::node& node,
                                   const CropSurroundings& where);

}  // namespace organon::config
