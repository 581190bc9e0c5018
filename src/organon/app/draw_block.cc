#include "organon/app/draw_block.h"

#include <algorithm>
#include <array>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/storage/dataset.h"
#include "organon/storage/images/png_codec.h"

namespace organon::app {
namespace {

using storage::Rgb8;
using Picture = Array<Rgb8>;

constexpr std::int64_t kWantedPixels = 384;  // of the longer edge of a plane
constexpr std::int64_t kGap = 8;
constexpr Rgb8 kBackground{24, 24, 28};
constexpr Rgb8 kFrame{255, 200, 0};
constexpr double kDarkest = 0.005;
constexpr double kBrightest = 0.995;

Rgb8 color_of_id(std::uint64_t id) {
  if (id == 0) return {0, 0, 0};
  const std::uint64_t mixed = mix64(id);
  const auto channel = [&](int shift) { return static_cast<std::uint8_t>(64 + ((mixed >> shift) & 0xbf)); };
  return {channel(0), channel(8), channel(16)};
}

// Colours of `voxels`, in their order.
Picture colored_plane(const AnyArray& voxels, bool is_labels) {
  const Shape3 shape = voxels.shape();
  Picture picture({1, 1, shape.product()});
  dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    const T* values = voxels.view<T>().data();
    const std::int64_t count = shape.product();
    std::vector<double> sorted(values, values + count);
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](double share) {
      return sorted[static_cast<std::size_t>(share * static_cast<double>(count - 1))];
    };
    const double low = at(kDarkest);
    const double range = std::max(at(kBrightest) - low, 1e-9);
    for (std::int64_t i = 0; i < count; ++i) {
      const double shade = std::clamp(255 * (static_cast<double>(values[i]) - low) / range, 0.0, 255.0);
      const auto grey = static_cast<std::uint8_t>(shade);
      picture.data()[i] =
          is_labels ? color_of_id(static_cast<std::uint64_t>(values[i])) : Rgb8{grey, grey, grey};
    }
  });
  return picture;
}

Picture enlarged(const Picture& picture, std::int64_t zoom) {
  const Shape3 shape = picture.shape();
  Picture result({1, shape.y * zoom, shape.x * zoom});
  for (std::int64_t y = 0; y < result.shape().y; ++y)
    for (std::int64_t x = 0; x < result.shape().x; ++x) result(0, y, x) = picture(0, y / zoom, x / zoom);
  return result;
}

void draw_frame(Picture& picture, const Box& frame) {
  const Shape3 shape = picture.shape();
  const auto set = [&](std::int64_t y, std::int64_t x) {
    if (y >= 0 && x >= 0 && y < shape.y && x < shape.x) picture(0, y, x) = kFrame;
  };
  for (std::int64_t y = frame.begin.y; y < frame.end.y; ++y) {
    set(y, frame.begin.x);
    set(y, frame.end.x - 1);
  }
  for (std::int64_t x = frame.begin.x; x < frame.end.x; ++x) {
    set(frame.begin.y, x);
    set(frame.end.y - 1, x);
  }
}

// The middle plane across `axis` (0: z) of what is read, framed where the block's own voxels lie.
Picture draw_plane(const storage::Dataset& dataset, const Box& read_box, const Box& write_box, int axis) {
  Box plane = read_box;
  const auto cut = [](std::int64_t& begin, std::int64_t& end) {
    begin = (begin + end) / 2;
    end = begin + 1;
  };
  if (axis == 0) cut(plane.begin.z, plane.end.z);
  if (axis == 1) cut(plane.begin.y, plane.end.y);
  if (axis == 2) cut(plane.begin.x, plane.end.x);
  const AnyArray voxels = dataset.read(plane);
  const bool is_labels = dataset.attributes().value("role", "") == "labels" ||
                         (size_of(voxels.type()) > 2 && !is_floating(voxels.type()));
  // Image axes: the two that are left, in their order.
  const auto flat = [&](const Box& box) {
    const Box at = box.translate(read_box.begin * -1);
    if (axis == 0) return Box{{0, at.begin.y, at.begin.x}, {1, at.end.y, at.end.x}};
    if (axis == 1) return Box{{0, at.begin.z, at.begin.x}, {1, at.end.z, at.end.x}};
    return Box{{0, at.begin.z, at.begin.y}, {1, at.end.z, at.end.y}};
  };
  const Shape3 size = flat(read_box).shape();
  Picture colors = colored_plane(voxels, is_labels);
  Picture picture({1, size.y, size.x});
  std::copy_n(colors.data(), size.product(), picture.data());
  const std::int64_t zoom = std::clamp<std::int64_t>(kWantedPixels / std::max(size.y, size.x), 1, 16);
  picture = enlarged(picture, zoom);
  if (read_box.contains(write_box)) {
    const Box own = flat(write_box);
    draw_frame(picture,
               {{0, own.begin.y * zoom, own.begin.x * zoom}, {1, own.end.y * zoom, own.end.x * zoom}});
  }
  return picture;
}

void paste(const Picture& from, std::int64_t top, std::int64_t left, Picture& to) {
  for (std::int64_t y = 0; y < from.shape().y; ++y)
    for (std::int64_t x = 0; x < from.shape().x; ++x) to(0, top + y, left + x) = from(0, y, x);
}

}  // namespace

void draw_block_inputs(const blockwise::StepPlan& plan, const Box& write_box,
                       const std::filesystem::path& path) {
  std::vector<std::array<Picture, 3>> rows;
  for (const blockwise::InputDataset& input : plan.inputs) {
    const auto dataset = storage::open_dataset(input.address);
    const Box read_box = input.box_read_by(write_box).intersect(dataset->spec().domain());
    if (read_box.empty()) continue;
    rows.push_back({draw_plane(*dataset, read_box, write_box, 0),
                    draw_plane(*dataset, read_box, write_box, 1),
                    draw_plane(*dataset, read_box, write_box, 2)});
  }
  if (rows.empty())
    throw Error(ErrorKind::kInvalidArgument, "this step does not say what its blocks read: nothing to draw");
  std::int64_t height = kGap;
  std::int64_t width = 0;
  for (const auto& row : rows) {
    std::int64_t row_height = 0;
    std::int64_t row_width = kGap;
    for (const Picture& picture : row) {
      row_height = std::max(row_height, picture.shape().y);
      row_width += picture.shape().x + kGap;
    }
    height += row_height + kGap;
    width = std::max(width, row_width);
  }
  Picture sheet({1, height, width}, kBackground);
  std::int64_t top = kGap;
  for (const auto& row : rows) {
    std::int64_t left = kGap;
    std::int64_t row_height = 0;
    for (const Picture& picture : row) {
      paste(picture, top, left, sheet);
      left += picture.shape().x + kGap;
      row_height = std::max(row_height, picture.shape().y);
    }
    top += row_height + kGap;
  }
  storage::write_png_rgb8(path, sheet);
}

}  // namespace organon::app
