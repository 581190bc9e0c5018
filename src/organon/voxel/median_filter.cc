#include "organon/voxel/median_filter.h"

#include <algorithm>
#include <vector>

namespace organon::voxel {
namespace {

// Counts of the values in a box that moves, and their median.
class RunningMedian {
 public:
  explicit RunningMedian(std::size_t num_values) : counts_(num_values) {}

  void clear() {
    std::fill(counts_.begin(), counts_.end(), 0);
    total_ = 0;
    below_ = 0;
    median_ = 0;
  }
  void add(std::uint16_t value) {
    ORGANON_DCHECK(value < counts_.size());
    ++counts_[value];
    ++total_;
    below_ += value < median_;
  }
  void remove(std::uint16_t value) {
    --counts_[value];
    --total_;
    below_ -= value < median_;
  }
  std::uint16_t median() {
    if (total_ == 0) return 0;
    const std::int64_t rank = (total_ - 1) / 2;
    while (below_ > rank) below_ -= counts_[--median_];
    while (below_ + counts_[median_] <= rank) below_ += counts_[median_++];
    return static_cast<std::uint16_t>(median_);
  }

 private:
  std::vector<std::int64_t> counts_;
  std::int64_t total_ = 0;
  std::int64_t below_ = 0;  // values below median_
  std::size_t median_ = 0;
};

}  // namespace

void median_filter(ArrayView<const std::uint16_t> values, const MedianOptions& options,
                   ArrayView<std::uint16_t> medians) {
  const Shape3 shape = values.shape();
  const Shape3& radius = options.radius;
  ORGANON_CHECK(medians.shape() == shape && radius.smallest() >= 0 && options.num_values > 0);
  RunningMedian running(options.num_values);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const Box rows =
          Box{{z - radius.z, y - radius.y, 0}, {z + radius.z + 1, y + radius.y + 1, 1}}.intersect(
              Box::of_shape(shape));
      // The face of the box at x enters or leaves.
      const auto each_of_face = [&](std::int64_t x, auto&& act) {
        for (std::int64_t face_z = rows.begin.z; face_z < rows.end.z; ++face_z) {
          for (std::int64_t face_y = rows.begin.y; face_y < rows.end.y; ++face_y) {
            const std::uint16_t value = values(face_z, face_y, x);
            if (value >= options.first_counted) act(value);
          }
        }
      };
      const auto enter = [&](std::uint16_t value) { running.add(value); };
      const auto leave = [&](std::uint16_t value) { running.remove(value); };
      running.clear();
      for (std::int64_t x = 0; x < std::min(radius.x, shape.x); ++x) each_of_face(x, enter);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        if (x + radius.x < shape.x) each_of_face(x + radius.x, enter);
        if (x - radius.x - 1 >= 0) each_of_face(x - radius.x - 1, leave);
        medians(z, y, x) = running.median();
      }
    }
  }
}

}  // namespace organon::voxel
