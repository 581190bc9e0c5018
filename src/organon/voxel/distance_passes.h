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

/// The set of voxels of a mask that distances are measured to.
enum class DistanceTo { kForeground, kBackground };

/// What the last pass leaves: all others leave squares.
enum class DistanceValue { kSquare, kRoot };

/// Errors: kInvalidArgument for voxel sizes that are not positive and finite, or a negative bound.
void check_distance_arguments(const SizeNm& voxel_size_nm, double bound_nm);

/// The shape of an occupancy: per kBundleWidth voxels along x of a view of `shape`, whether any has a
/// distance other than 0. The first pass notes it, all passes leave it so: background is written once and
/// never read. A pass that is given none, an empty view, looks at all voxels.
Shape3 occupancy_shape(const Shape3& shape);

/// One axis of a distance transform: its steps squared, and room for lines of voxels. For the files of the
/// transforms; the passes that others use are in `label_distance.h`.
///
/// A squared distance is a sum of one square per axis, each rounded to single precision, added x first, then
/// y, then z: whole where the squares are whole and below 2^24, else wrong by 3e-7 of it at most.
class DistancePass {
 public:
  /// Lines of `length` voxels, `step_nm` apart. Squares of distances above `bound_nm` are infinite.
  DistancePass(std::int64_t length, double step_nm, double bound_nm, DistanceBorder border);

  /// The first pass, rows along x: squared distance to the nearest voxel of another id, 0 for id 0.
  template <class Id>
  void start(ArrayView<const Id> labels, ArrayView<float> squared_nm2, ArrayView<std::uint8_t> occupancy);
  /// The same to a set: to the voxels that are not 0, or that are 0.
  void start_mask(ArrayView<const std::uint8_t> mask, DistanceTo to, ArrayView<float> squared_nm2,
                  ArrayView<std::uint8_t> occupancy);

  /// A later pass over lines along z or y of the whole view; `labels` keeps objects apart that touch.
  template <class Id>
  void go_on(ArrayView<const Id> labels, Axis axis, DistanceValue value, ArrayView<float> squared_nm2,
             ArrayView<const std::uint8_t> occupancy);
  /// The same where no objects touch, as in the distance to a set.
  void go_on(Axis axis, DistanceValue value, ArrayView<float> squared_nm2,
             ArrayView<const std::uint8_t> occupancy);

 private:
  // Rows of background at each end of a line.
  std::int64_t margin() const { return border_ == DistanceBorder::kBackground ? 1 : 0; }
  template <class Id, class IsZero, class IsSame>
  void start_row(const Id* ids, std::int64_t id_stride, IsZero is_zero, IsSame is_same, float* squared_nm2,
                 std::int64_t stride, std::uint8_t* occupied);
  template <class Id, class IsZero, class IsSame>
  void start_rows(ArrayView<const Id> ids, IsZero is_zero, IsSame is_same, ArrayView<float> squared_nm2,
                  ArrayView<std::uint8_t> occupancy);
  struct Lines;
  template <class FindMeetings>
  void search_bundle(const Lines& lines, DistanceValue value, FindMeetings find_meetings);
  template <class MakeFinder>
  void search_all(Axis axis, DistanceValue value, ArrayView<float> squared_nm2,
                  ArrayView<const std::uint8_t> occupancy, MakeFinder make_finder);

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
