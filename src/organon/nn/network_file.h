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
  double voxel_size_nm = 0;  ///< of input and output
  std::uint64_t seed = 1;    ///< of the first weights
  std::string training;      ///< identity of the options and inputs it was trained with
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

/// What decode_network() would give as `info`, without the tensors.
NetworkInfo decode_network_info(std::string_view text, const std::string& where);

}  // namespace organon::nn
