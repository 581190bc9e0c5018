#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "organon/geometry/vec3.h"

namespace organon::nn {

/// What a TorchScript module of another program needs beside it to be run here: `<name>.json` beside
/// `<name>.pt`.
///
///     {"classes": ["mito"],              one per output channel that is taken
///      "voxel_size_nm": [8, 8, 8],       of the input, z, y, x, or one number
///      "input_shape": [1, 256, 256],     voxels, z, y, x
///      "output_shape": [1, 256, 256],    voxels; finer than the input by `output_scale`
///      "output_scale": 1,                optional
///      "value_range": [0, 1],            what the contrast limits of raw become; optional, else [-1, 1]
///      "output": "probability",          or "distance" (0 at the boundary, 1 at most), or "logit"; optional,
///                                        else distance
///      "channels": [1],                  optional, else the first ones
///      "slice_wise": true}               optional: the module takes slices, N C Y X; its shapes have z = 1
struct ScriptInfo {
  enum class Output { kDistance, kProbability, kLogit };

  std::vector<std::string> classes;
  SizeNm voxel_size_nm;
  Shape3 input_shape;
  Shape3 output_shape;
  std::int64_t output_scale = 1;
  double low = -1;
  double high = 1;
  Output output = Output::kDistance;
  std::vector<std::int64_t> channels;
  bool is_slice_wise = false;

  /// Input voxels before the first that the output covers: it lies in the middle.
  Shape3 margin() const;
};

/// Errors: kCorruptData "<where>: ..." for keys that are missing, unknown or do not fit each other.
ScriptInfo parse_script_info(std::string_view json, const std::string& where);

/// Its inverse, for the file beside a module.
std::string to_json(const ScriptInfo& info);

/// Whether `path` is a module by its name: .pt or .pth.
bool is_script(const std::filesystem::path& path);
/// Where the facts of the module at `path` lie.
std::filesystem::path script_info_path(const std::filesystem::path& path);
/// Of the module at `path`, from the file beside it. Errors: kNotFound; as parse_script_info().
ScriptInfo read_script_info(const std::filesystem::path& path);

}  // namespace organon::nn
