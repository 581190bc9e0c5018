#pragma once

#include <filesystem>

#include "organon/nn/network_file.h"
#include "organon/nn/script_info.h"

namespace organon::nn {

/// Writes what predictions use of a network, the running mean of its weights, as a TorchScript module `path`
/// (.pt or .pth), and beside it its facts (script_info.h), which are returned. The module takes all inputs
/// that fit the network; the facts name one of them, which yields at least `tile` output voxels
/// (smallest_tile()). A Predictor of the module predicts what Network::predict() does, but for the last
/// bits; of "valid" networks that part of it which tile_of() takes.
///
/// Errors: kInvalidArgument where `path` is no module by its name, or no such input, or none whose output
/// lies in its middle, is found; kAlreadyExists where either file is there; kCorruptData where the weights do
/// not fit the options.
ScriptInfo export_script(const NetworkFile& file, const std::filesystem::path& path, const Shape3& tile);

}  // namespace organon::nn
