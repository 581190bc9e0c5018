#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/box.h"
#include "organon/stages/training/augment_options.h"

namespace organon::stages {

/// How the voxels of a patch lie in a crop: mirrored and swapped, and perhaps turned, scaled and deformed
/// about the patch's middle.
///
///     place in the crop = middle + turn * scale * symmetry * (voxel - middle of the patch) + displacement
///
/// Turns and scales are those of physical space, so that they hold for anisotropic voxels.
class PatchWarp {
 public:
  /// Of a patch that covers `window` of raw, drawn from `random`.
  PatchWarp(const AugmentOptions& options, const Box& window, const SizeNm& voxel_size_nm, Random& random);

  /// Raw of the patch: linear between voxels, reflected at the crop's border.
  /// Shapes: `patch` that of the window.
  void take_raw(ArrayView<const float> crop, ArrayView<float> patch) const;

  /// Targets on the middle of the patch, from the stored form (0: no say, else 128 t + 127), on a grid finer
  /// than raw by the whole factor `scale`; `masks` is 0 where the crop ends, or one of the voxels between
  /// which is interpolated has no say.
  /// Shapes: per class one array of the crop, `targets` and `masks` of equal shapes, which leave equal
  /// margins in the window.
  void take_targets(const std::vector<Array<std::uint8_t>>& crop, std::int64_t scale,
                    std::vector<Array<float>>& targets, std::vector<Array<std::uint8_t>>& masks) const;

  /// The axis of the patch (0: z) that runs along the crop's z, or nearest to it.
  std::size_t slice_axis() const;

 private:
  using Matrix = std::array<std::array<float, 3>, 3>;

  // A part of the patch on a grid finer than raw by `scale`.
  struct Window {
    Box box;
    std::int64_t scale;
  };
  template <class Use>
  void for_each_straight_row(const Window& window, const Shape3& crop, const Use& use) const;
  template <class Use>
  void for_each_turned_row(const Window& window, const Shape3& crop, const Use& use) const;
  std::array<float, 3> displacement(const std::array<float, 3>& voxel) const;
  void draw_displacements(const AugmentOptions& options, const SizeNm& voxel_size_nm, Random& random);

  Box window_;
  std::array<std::size_t, 3> axis_ = {0, 1, 2};  ///< of the crop, along which each axis of the patch runs
  std::array<bool, 3> is_reversed_ = {false, false, false};
  bool is_turned_ = false;
  Matrix matrix_{};
  Shape3 nodes_;                                     ///< none: no displacement
  std::vector<std::array<float, 3>> displacements_;  ///< at nodes, in voxels of raw
};

}  // namespace organon::stages
