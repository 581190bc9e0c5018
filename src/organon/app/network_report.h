#pragma once

#include <optional>
#include <string>
#include <vector>

#include "organon/base/json.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/network_file.h"

namespace organon::app {

/// What a network is, and what its tiles take. Voxels and nm are z, y, x.
struct NetworkReport {
  /// One size of input. Memory is that of predicting one input, and of training on two.
  struct Row {
    nn::Tile tile;
    Shape3 output;
    std::int64_t prediction_bytes = 0;
    std::int64_t training_bytes = 0;  ///< of a batch of two such inputs, one thread
    double operations_per_voxel = 0;  ///< of the tile's output
    double overhead = 0;              ///< that, against a tile without borders
  };

  std::string name;  ///< as asked for
  nn::NetworkOptions options;
  std::int64_t num_classes = 0;
  // Of a file; else empty.
  std::vector<std::string> classes;
  SizeNm voxel_size_nm{0, 0, 0};        ///< zeros: not known
  std::vector<double> boundary_levels;  ///< per class, or none
  std::optional<std::int64_t> step;
  Json training;  ///< what stands beside the file in training.json; null: nothing

  Shape3 receptive_radius;
  Shape3 multiple;
  std::int64_t num_parameters = 0;
  std::int64_t memory_bytes = 0;
  std::vector<Row> rows;            ///< smallest first
  std::optional<nn::Tile> largest;  ///< that fits memory_bytes
};

/// What to report on.
struct NetworkQuestion {
  std::string network;                ///< a preset, a file, or a folder of a training
  std::vector<std::string> settings;  ///< key=value, changes of a preset
  std::int64_t num_classes = 0;       ///< 0: a file's own, else 14
  std::int64_t memory_bytes = 0;
  std::int64_t halo = 32;  ///< around tiles of padded networks
};

/// Errors: kInvalidArgument where a file's network is to be changed, or options do not fit together;
/// kNotFound; kCorruptData.
NetworkReport report_on(const NetworkQuestion& question);

std::string to_text(const NetworkReport& report);
/// One object; bytes, voxels and nm as numbers.
std::string to_json(const NetworkReport& report);

}  // namespace organon::app
