#pragma once

#include <cstdint>
#include <vector>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// What is taken to lie outside the view.
enum class DistanceBorder {
  kAbsent,      ///< nothing: no distance is measured to it
  kBackground,  ///< background: the voxels next to the view's end are one voxel from it
};

enum class Axis { kZ, kY, kX };

/// Errors: kInvalidArgument for voxel sizes that are not positive and finite, or a negative bound.
void check_distance_arguments(const SizeNm& voxel_size_nm, double bound_nm);

/// One axis of a distance transform: its steps squared, and room for lines of voxels. For the files of the
/// transforms; the passes that others use are in `label_distance.h`.
///
/// A squared distance is a sum of one square per axis, each rounded to single precision, added x first, then
/// y, then z: whole where the squares are whole and below 2^24, else wrong by 3e-7 of it at most.
class DistancePass {
 public:
  /// Lines of `length` voxels, `step_nm` apart. Squares of distances above `bound_nm` are infinite.
  DistancePass(std::int64_t length, double step_nm, double bound_nm, DistanceBorder border);

  /// The first pass, one row along x: squared distance to the nearest voxel of another id, 0 for id 0.
  template <class Id>
  void start_row(const Id* ids, std::int64_t id_stride, float* squared_nm2, std::int64_t stride);

  /// The first pass for the distance to a set: to the voxels that are not 0 (`to_foreground`), or that are 0.
  void start_mask_row(const std::uint8_t* mask, std::int64_t mask_stride, bool to_foreground,
                      float* squared_nm2, std::int64_t stride);

  /// A later pass over lines along z or y of the whole view; `labels` keeps objects apart that touch.
  template <class Id>
  void go_on(ArrayView<const Id> labels, Axis axis, bool take_root, ArrayView<float> squared_nm2);
  /// The same where no objects touch, as in the distance to a set.
  void go_on(Axis axis, bool take_root, ArrayView<float> squared_nm2);

 private:
  // Rows of background at each end of a line.
  std::int64_t margin() const { return border_ == DistanceBorder::kBackground ? 1 : 0; }
  template <class Id, class IsZero, class IsSame>
  void start(const Id* ids, std::int64_t id_stride, IsZero is_zero, IsSame is_same, float* squared_nm2,
             std::int64_t stride);
  template <class FindMeetings>
  void search_bundle(float* first, std::int64_t width, std::int64_t across, std::int64_t along,
                     bool take_root, FindMeetings find_meetings);

  std::int64_t length_;
  DistanceBorder border_;
  float bound_nm2_;
  std::vector<float> squares_;     ///< of 0, 1, ... steps
  std::vector<float> descending_;  ///< of length, ..., 1 steps
  // Of a bundle, and of the rows of background around it where that is the border.
  std::vector<float> values_;
  std::vector<float> result_;
  std::vector<float> minima_;
  std::vector<std::uint8_t> meets_;
  std::vector<std::uint8_t> is_row_zero_;
};

}  // namespace organon::voxel
