#include "organon/stages/evaluation/score_picture.h"

#include <algorithm>

#include "organon/storage/grey_slice.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {
namespace {

using storage::Rgb8;

constexpr Rgb8 kTruthColor{60, 230, 90};
constexpr Rgb8 kSegmentationColor{255, 40, 220};
constexpr Rgb8 kBothColor{255, 255, 255};
constexpr std::int64_t kWantedPixels = 900;

// Where the part that is shown begins, along one axis.
void choose_part(std::int64_t middle, std::int64_t& begin, std::int64_t& end) {
  if (end - begin <= kMaxPictureVoxels) return;
  begin = std::clamp(middle - kMaxPictureVoxels / 2, begin, end - kMaxPictureVoxels);
  end = begin + kMaxPictureVoxels;
}

}  // namespace

void write_score_picture(const ScoredVolumes& volumes, std::int64_t z, const std::filesystem::path& path) {
  Box box = volumes.region();
  box.begin.z = z;
  box.end.z = z + 1;
  MaskArrays masks = volumes.read_masks(box);
  const Box slice = box;
  // The part with the truth's middle.
  std::int64_t sum_y = 0;
  std::int64_t sum_x = 0;
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < slice.shape().y; ++y) {
    for (std::int64_t x = 0; x < slice.shape().x; ++x) {
      if (masks.truth(0, y, x) == 0) continue;
      sum_y += y;
      sum_x += x;
      ++count;
    }
  }
  const Index3 middle = count > 0 ? slice.begin + Index3{0, sum_y / count, sum_x / count}
                                  : slice.begin + Index3{0, slice.shape().y / 2, slice.shape().x / 2};
  choose_part(middle.y, box.begin.y, box.end.y);
  choose_part(middle.x, box.begin.x, box.end.x);
  const Box part = box.translate(slice.begin * -1);
  const auto predicted = masks.predicted.view().part(part);
  const auto truth = masks.truth.view().part(part);
  const auto counted = masks.counted.view().part(part);
  const Array<std::uint8_t> raw = storage::read_grey_slice(volumes.options().raw, volumes.spec().grid, box);

  const Shape3 shape = box.shape();
  const std::int64_t zoom = std::clamp<std::int64_t>(kWantedPixels / std::max(shape.y, shape.x), 1, 8);
  Array<Rgb8> picture({1, shape.y * zoom, shape.x * zoom});
  // A pixel is outline where it is inside and a pixel near it is outside.
  const std::int64_t line_width = zoom >= 3 ? 2 : 1;
  const auto is_outline = [&](const ArrayView<std::uint8_t>& mask, std::int64_t y, std::int64_t x) {
    if (mask(0, y / zoom, x / zoom) == 0) return false;
    const auto outside = [&](std::int64_t py, std::int64_t px) {
      if (py < 0 || px < 0 || py >= shape.y * zoom || px >= shape.x * zoom) return false;
      return mask(0, py / zoom, px / zoom) == 0;
    };
    for (std::int64_t d = 1; d <= line_width; ++d)
      if (outside(y - d, x) || outside(y + d, x) || outside(y, x - d) || outside(y, x + d)) return true;
    return false;
  };
  for (std::int64_t y = 0; y < shape.y * zoom; ++y) {
    for (std::int64_t x = 0; x < shape.x * zoom; ++x) {
      const bool is_counted = counted(0, y / zoom, x / zoom) != 0;
      const std::uint8_t grey = raw(0, y / zoom, x / zoom);
      const auto shade = static_cast<std::uint8_t>(is_counted ? grey : grey / 3);
      const bool in_truth = is_outline(truth, y, x);
      const bool in_segmentation = is_outline(predicted, y, x);
      picture(0, y, x) = in_truth && in_segmentation ? kBothColor
                         : in_truth                  ? kTruthColor
                         : in_segmentation           ? kSegmentationColor
                                                     : Rgb8{shade, shade, shade};
    }
  }
  storage::write_png_rgb8(path, picture);
}

}  // namespace organon::stages
