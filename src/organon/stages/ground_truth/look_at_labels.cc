#include "organon/stages/ground_truth/look_at_labels.h"

#include <algorithm>
#include <set>

#include "organon/blockwise/reading.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/grey_slice.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kMostPixels = 1536;
constexpr std::int64_t kWantedPixels = 768;

}  // namespace

LabelCounts count_labels(const storage::Dataset& labels, const Box& box) {
  blockwise::require_labels(labels);
  LabelCounts counts;
  std::pair<std::size_t, std::int64_t> most{0, -1};
  const std::int64_t slab = std::max<std::int64_t>(1, labels.spec().chunk_shape.z);
  for (std::int64_t z = box.begin.z; z < box.end.z;) {
    const std::int64_t end = std::min(round_down_to_multiple(z, slab) + slab, box.end.z);
    const Array<std::uint64_t> ids =
        labels.read_as<std::uint64_t>({{z, box.begin.y, box.begin.x}, {end, box.end.y, box.end.x}});
    const std::int64_t plane = ids.shape().y * ids.shape().x;
    for (std::int64_t k = 0; k < ids.shape().z; ++k) {
      const std::uint64_t* first = ids.data() + k * plane;
      std::int64_t painted = 0;
      std::set<std::uint64_t> different;
      for (std::int64_t i = 0; i < plane;) {
        std::int64_t run = 1;
        while (i + run < plane && first[i + run] == first[i]) ++run;
        counts.voxels[first[i]] += run;
        different.insert(first[i]);
        painted += first[i] != 0 ? run : 0;
        i += run;
      }
      if (std::pair(different.size(), painted) > most) {
        most = {different.size(), painted};
        counts.fullest_z = z + k;
      }
    }
    z = end;
  }
  return counts;
}

void write_label_picture(const storage::Dataset& labels, const Box& box, std::int64_t z,
                         const std::string& raw, const std::map<std::uint64_t, storage::Rgb8>& colors,
                         const std::filesystem::path& path) {
  Box slice = box;
  slice.begin.z = z;
  slice.end.z = z + 1;
  const Array<std::uint64_t> ids = labels.read_as<std::uint64_t>(slice);
  const Array<std::uint8_t> grey = storage::read_grey_slice(raw, labels.spec().grid, slice);
  const Shape3 shape = slice.shape();
  const std::int64_t longest = std::max(shape.y, shape.x);
  const std::int64_t every = ceil_divide(longest, kMostPixels);
  const std::int64_t zoom = std::clamp<std::int64_t>(kWantedPixels / longest, 1, 8);
  Array<storage::Rgb8> picture({1, std::max<std::int64_t>(1, shape.y * zoom / every),
                                std::max<std::int64_t>(1, shape.x * zoom / every)});
  for (std::int64_t y = 0; y < picture.shape().y; ++y) {
    for (std::int64_t x = 0; x < picture.shape().x; ++x) {
      const Index3 at{0, y * every / zoom, x * every / zoom};
      const std::uint8_t shade = grey(at);
      const auto known = colors.find(ids(at));
      if (known == colors.end()) {
        picture(0, y, x) = {shade, shade, shade};
        continue;
      }
      const storage::Rgb8 color = known->second;
      const auto mix = [&](std::uint8_t part) { return static_cast<std::uint8_t>((shade + part) / 2); };
      picture(0, y, x) = {mix(color.red), mix(color.green), mix(color.blue)};
    }
  }
  std::filesystem::create_directories(path.parent_path());
  storage::write_png_rgb8(path, picture);
}

}  // namespace organon::stages
