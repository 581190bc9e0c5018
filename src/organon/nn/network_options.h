#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/geometry/vec3.h"

namespace organon::nn {

/// A 3-D U-Net. Level l has features[l] maps; between levels l and l+1 lies max pooling by pooling[l] on the
/// way down and, on the way up, a 1x1x1 mix and repetition by pooling[l] ("constant" upsampling).
///
/// Factors and kernels are texts: "2" for all axes or "1x2x2" for z, y, x.
struct NetworkOptions {
  std::vector<std::int64_t> features = {8, 32, 64, 128};
  std::vector<std::string> pooling = {"2", "2", "2"};
  std::vector<std::string> kernels = {"3"};  ///< of the convolutions: one for all levels, or one per level
  std::int64_t convolutions = 2;             ///< per level and direction
  std::int64_t stem = 2;           ///< input voxels per axis folded into channels, and unfolded at the head
  std::int64_t last_features = 0;  ///< maps of the last level on the way up; 0: features[0]
  std::int64_t output_scale = 1;   ///< output voxels per input voxel and axis: 1 or 2; 2 adds a finer level
  /// "valid" as in the paper; or around the maps of each convolution, so that outputs are as large as inputs,
  /// "same": zeros; "replicate": the voxels of the faces. Zeros make maps darker near the faces of a patch,
  /// and the deep maps of a small patch are all near: in larger tiles such a network sees what it never
  /// learned from.
  std::string padding = "same";
  /// How "valid" ways join: "centred" puts every map where it belongs, so that a network with symmetric
  /// weights commutes with mirroring, and outputs into the middle of inputs; "paper" halves each crop and
  /// rounds down, which shifts ways against each other (by one voxel in the paper's network). Files of
  /// networks that do not say it were trained with "paper".
  std::string alignment = "centred";
  /// After each convolution: "batch", "group" (of 8 maps where their number allows it), "instance" or "none".
  /// "group" and "instance" take their statistics from the whole input: predictions then depend on tiles.
  std::string normalization = "batch";
  /// Whether a level's last convolution adds the result of its first: "true", "false", or "auto", which is
  /// true for normalized networks that are not "valid".
  std::string residual = "auto";
  std::string skip = "add";  ///< how the way down joins the way up: "add" or "concatenate"

  void bind(OptionTable& table);
  /// Errors: kInvalidArgument where a value is out of its range or the values do not fit together.
  void check() const;

  // Of options that check().
  std::int64_t num_levels() const { return static_cast<std::int64_t>(features.size()); }
  /// Features after convolutions on the way up at `level`.
  std::int64_t up_features(std::int64_t level) const;
  /// Features that the head sees.
  std::int64_t head_features() const { return num_levels() == 1 ? features[0] : up_features(0); }
  Shape3 pooling_at(std::int64_t level) const;
  Shape3 kernel_at(std::int64_t level) const;
  bool is_valid() const { return padding == "valid"; }
  bool is_normalized() const { return normalization != "none"; }
  bool is_residual() const;
  /// Groups of `maps` maps that "group" and "instance" normalize each by itself.
  std::int64_t num_groups(std::int64_t maps) const;
};

/// The network of Heinrich et al. 2021 at 4 nm: 4 levels, features 12 times 6 per level, pooling 2, 3, 3,
/// valid. Source: [heinrich2021cosem] and its published training set-ups.
NetworkOptions paper_network();
/// The same for raw of 8 nm, with outputs of 4 nm: one more upsampling and two more convolutions.
NetworkOptions paper_8nm_network();
/// Trains on a CPU in minutes: the finest level is folded into channels, where convolutions cost most.
NetworkOptions compact_network();
/// Names that network_preset() knows.
const std::vector<std::string>& network_preset_names();
/// Errors: kInvalidArgument.
NetworkOptions network_preset(const std::string& name);

}  // namespace organon::nn
