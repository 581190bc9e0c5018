#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

namespace organon::nn {

/// Where the checkpoint of a step lies in the folder of a training: checkpoints/step_<step>.organon.
std::filesystem::path checkpoint_path(const std::filesystem::path& training, std::int64_t step);

/// The checkpoints that are there, by step. None where the folder is missing.
std::map<std::int64_t, std::filesystem::path> checkpoints_in(const std::filesystem::path& training);

}  // namespace organon::nn
