#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "organon/nn/network_options.h"

namespace organon::nn {

/// What a network is for, kept with its weights.
struct NetworkInfo {
  NetworkOptions options;
  std::vector<std::string> classes;
  SizeNm voxel_size_nm;    ///< of the input
  std::uint64_t seed = 1;  ///< of the first weights
  std::string training;    ///< identity of the options and inputs it was trained with
  /// Per class the output of the mean weights that divides inside from outside best; predictions are the
  /// outputs less these, so that 0 is the boundary. Empty: all 0.
  std::vector<double> boundary_levels;

  SizeNm output_voxel_size_nm() const {
    return voxel_size_nm * (1 / static_cast<double>(options.output_scale));
  }
};

/// A checkpoint in memory, without libtorch.
struct NetworkFile {
  struct Tensor {
    std::string name;
    std::vector<float> values;
  };

  NetworkInfo info;
  std::int64_t step = 0;
  std::vector<Tensor> tensors;
};

/// The bytes of a file: docs/formats/network.md. Equal for equal contents.
std::string encode_network(const NetworkFile& file);

/// Inverse of encode_network(). `where` begins every message.
/// Errors: kCorruptData where the hash differs, a field is missing, the options do not fit together, or sizes
/// disagree. Memory: twice the text.
NetworkFile decode_network(std::string_view text, const std::string& where);

/// What decode_network() would give, without the tensors.
NetworkFile decode_network_header(std::string_view text, const std::string& where);

}  // namespace organon::nn
