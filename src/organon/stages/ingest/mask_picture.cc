#include "organon/stages/ingest/mask_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "organon/array/array.h"
#include "organon/storage/images/png_codec.h"
#include "organon/voxel/cell_texture.h"

namespace organon::stages {
namespace {

using storage::Rgb8;

constexpr Rgb8 kOutlineColor{255, 214, 10};
constexpr int kPanelPixels = 330;  // longest side of a slice
constexpr int kPanelWidth = 420;
constexpr int kPanelHeight = 400;
constexpr std::int64_t kMaxImagePixels = 660;
constexpr int kNumZSlices = 4;
// Shares of voxels drawn black and white.
constexpr double kDarkest = 0.005;
constexpr double kBrightest = 0.995;

std::string base64(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// One axis of a picture: of the volume, in voxels of the mask.
struct Axis {
  const char* name;
  Index3 step;  // to the next voxel
  std::int64_t count;
  double first_nm;
  double size_nm;
};

std::array<Axis, 3> axes_of(const MaskReport& report) {
  const Shape3 shape = report.domain.shape();
  const PointNm first = report.grid.to_nm(report.domain.begin);
  const SizeNm& size = report.grid.voxel_size_nm;
  return {Axis{"z", {1, 0, 0}, shape.z, first.z, size.z}, Axis{"y", {0, 1, 0}, shape.y, first.y, size.y},
          Axis{"x", {0, 0, 1}, shape.x, first.x, size.x}};
}

// 1, 2 or 5 times a power of ten: about five ticks an axis.
double tick_step_nm(double extent_nm) {
  double step = 1;
  while (step * 50 < extent_nm) step *= 10;
  for (const double factor : {1.0, 2.0, 5.0})
    if (extent_nm / (step * factor) <= 6) return step * factor;
  return step * 10;
}

class Picture {
 public:
  Picture(const MaskReport& report, ArrayView<const float> means, ArrayView<const std::uint8_t> mask)
      : report_(report), means_(means), mask_(mask), axes_(axes_of(report)) {
    choose_contrast();
  }

  std::string draw() {
    const auto [low, high] = z_range();
    for (int i = 0; i < kNumZSlices; ++i) {
      const std::int64_t z = low + (high - low) * (2 * i + 1) / (2 * kNumZSlices);
      slice(axes_[1], axes_[2], axes_[0], z);
    }
    slice(axes_[0], axes_[2], axes_[1], axes_[1].count / 2);
    slice(axes_[0], axes_[1], axes_[2], axes_[2].count / 2);
    histogram();
    const int rows = (num_panels_ + 2) / 3;
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
        "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"white\"/>\n{2}</svg>\n",
        3 * kPanelWidth, rows * kPanelHeight, body_);
  }

 private:
  void choose_contrast() {
    std::vector<float> values;
    const std::int64_t step = std::max<std::int64_t>(1, means_.size() / 100'000);
    const Shape3 shape = means_.shape();
    for (std::int64_t i = 0; i < means_.size(); i += step)
      values.push_back(means_(i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x));
    std::sort(values.begin(), values.end());
    const auto at = [&](double part) {
      return static_cast<double>(
          values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))]);
    };
    low_ = at(kDarkest);
    range_ = std::max(at(kBrightest) - low_, 1e-9);
  }

  // Slices of the mask, or all where it is empty.
  std::pair<std::int64_t, std::int64_t> z_range() const {
    const Shape3 shape = mask_.shape();
    std::int64_t low = shape.z;
    std::int64_t high = 0;
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const std::uint8_t* row = mask_.row(z, y);
        if (std::none_of(row, row + shape.x, [](std::uint8_t value) { return value != 0; })) continue;
        low = std::min(low, z);
        high = z + 1;
        break;
      }
    }
    return low < high ? std::pair(low, high) : std::pair<std::int64_t, std::int64_t>(0, shape.z);
  }

  // Where the next panel goes.
  std::pair<int, int> next_panel() {
    const std::pair place(num_panels_ % 3 * kPanelWidth + 60, num_panels_ / 3 * kPanelHeight + 30);
    ++num_panels_;
    return place;
  }

  void slice(const Axis& down, const Axis& right, const Axis& across, std::int64_t index) {
    const double height_nm = static_cast<double>(down.count) * down.size_nm;
    const double width_nm = static_cast<double>(right.count) * right.size_nm;
    const double pixels_per_nm = kPanelPixels / std::max(height_nm, width_nm);
    const double width = width_nm * pixels_per_nm;
    const double height = height_nm * pixels_per_nm;
    const auto [left, top] = next_panel();
    body_ +=
        fmt::format("<g transform=\"translate({},{})\">\n<text x=\"0\" y=\"-8\">{} = {:g} nm</text>\n", left,
                    top, across.name, across.first_nm + static_cast<double>(index) * across.size_nm);
    const Array<Rgb8> pixels = image(down, right, across.step * index);
    body_ += fmt::format(
        "<image width=\"{:.2f}\" height=\"{:.2f}\" preserveAspectRatio=\"none\" "
        "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
        width, height, base64(storage::encode_png(pixels.view())));
    ticks(right, pixels_per_nm, [&](double at, double nm) {
      return fmt::format(
          "<path d=\"M{0:.2f} {1:.2f}v4\" stroke=\"black\"/><text x=\"{0:.2f}\" y=\"{2:.2f}\" "
          "text-anchor=\"middle\">{3:g}</text>\n",
          at, height, height + 15, nm);
    });
    ticks(down, pixels_per_nm, [&](double at, double nm) {
      return fmt::format(
          "<path d=\"M0 {0:.2f}h-4\" stroke=\"black\"/><text x=\"-6\" y=\"{1:.2f}\" "
          "text-anchor=\"end\">{2:g}</text>\n",
          at, at + 4, nm);
    });
    body_ += fmt::format(
        "<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"end\">{} / nm</text>\n<text x=\"-6\" y=\"-8\" "
        "text-anchor=\"end\">{} / nm</text>\n</g>\n",
        width, height + 28, right.name, down.name);
  }

  template <class Draw>
  void ticks(const Axis& axis, double pixels_per_nm, Draw&& draw) {
    const double begin_nm = axis.first_nm - axis.size_nm / 2;
    const double extent_nm = static_cast<double>(axis.count) * axis.size_nm;
    const double step = tick_step_nm(extent_nm);
    // From the first tick on by whole numbers: far from 0 a step may be less than a number's last digit.
    const double first_nm = std::ceil(begin_nm / step) * step;
    const auto count = static_cast<std::int64_t>(std::floor((begin_nm + extent_nm - first_nm) / step)) + 1;
    for (std::int64_t i = 0; i < count; ++i) {
      const double nm = first_nm + static_cast<double>(i) * step;
      body_ += draw((nm - begin_nm) * pixels_per_nm, nm == 0 ? 0.0 : nm);
    }
  }

  Array<Rgb8> image(const Axis& down, const Axis& right, const Index3& at) const {
    const std::int64_t longest = std::max(down.count, right.count);
    const std::int64_t zoom = std::clamp<std::int64_t>(kMaxImagePixels / longest, 1, 8);
    const std::int64_t every = (longest + kMaxImagePixels - 1) / kMaxImagePixels;
    const Shape3 shape{1, std::max<std::int64_t>(1, down.count / every) * zoom,
                       std::max<std::int64_t>(1, right.count / every) * zoom};
    const auto voxel_at = [&](std::int64_t y, std::int64_t x) {
      return at + down.step * (y / zoom * every) + right.step * (x / zoom * every);
    };
    const auto is_inside = [&](std::int64_t y, std::int64_t x) { return mask_(voxel_at(y, x)) != 0; };
    Array<Rgb8> picture(shape);
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const double grey = (static_cast<double>(means_(voxel_at(y, x))) - low_) / range_;
        const bool inside = is_inside(y, x);
        const auto shade = static_cast<std::uint8_t>(std::clamp(grey, 0.0, 1.0) * (inside ? 255 : 120));
        bool outline = false;
        for (const auto& [dy, dx] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
          const std::int64_t near_y = y + dy;
          const std::int64_t near_x = x + dx;
          if (near_y < 0 || near_x < 0 || near_y >= shape.y || near_x >= shape.x) continue;
          outline = outline || (inside && !is_inside(near_y, near_x));
        }
        picture(0, y, x) = outline ? kOutlineColor : Rgb8{shade, shade, shade};
      }
    }
    return picture;
  }

  void histogram() {
    const auto& counts = report_.textures;
    std::size_t first = voxel::kFirstTexture;
    std::size_t last = counts.size();
    while (first + 1 < last && counts[first] == 0) ++first;
    while (last > first + 1 && counts[last - 1] == 0) --last;
    const std::uint64_t highest = std::max<std::uint64_t>(1, *std::max_element(counts.begin(), counts.end()));
    const auto [left, top] = next_panel();
    const double bar = static_cast<double>(kPanelPixels) / static_cast<double>(last - first);
    body_ += fmt::format(
        "<g transform=\"translate({},{})\">\n<text x=\"0\" y=\"-8\">texture / grey values (logarithmic), and "
        "the threshold</text>\n",
        left, top);
    for (std::size_t code = first; code < last; ++code) {
      if (counts[code] == 0) continue;
      const double height = kPanelPixels * static_cast<double>(counts[code]) / static_cast<double>(highest);
      const bool is_sample = code >= report_.threshold;
      body_ +=
          fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"/>\n",
                      bar * static_cast<double>(code - first), kPanelPixels - height, bar, height,
                      is_sample ? "#3565a8" : "#b9b9b9");
    }
    const std::size_t step = std::max<std::size_t>(1, (last - first) / 6);
    for (std::size_t code = first; code < last; code += step) {
      body_ += fmt::format("<text x=\"{:.2f}\" y=\"{}\" text-anchor=\"middle\">{:.2g}</text>\n",
                           bar * static_cast<double>(code - first), kPanelPixels + 15,
                           voxel::texture_sd(static_cast<std::uint16_t>(code)));
    }
    if (report_.decided_by != "nothing" && report_.threshold >= first && report_.threshold <= last) {
      body_ += fmt::format("<path d=\"M{:.2f} 0V{}\" stroke=\"#c0392b\" stroke-dasharray=\"4 3\"/>\n",
                           bar * static_cast<double>(report_.threshold - first), kPanelPixels);
    }
    body_ += fmt::format("<path d=\"M0 {0}h{0}\" stroke=\"black\"/>\n</g>\n", kPanelPixels);
  }

  const MaskReport& report_;
  ArrayView<const float> means_;
  ArrayView<const std::uint8_t> mask_;
  std::array<Axis, 3> axes_;
  double low_ = 0;
  double range_ = 1;
  int num_panels_ = 0;
  std::string body_;
};

}  // namespace

std::string mask_picture(const MaskReport& report, ArrayView<const float> means,
                         ArrayView<const std::uint8_t> mask) {
  return Picture(report, means, mask).draw();
}

}  // namespace organon::stages
