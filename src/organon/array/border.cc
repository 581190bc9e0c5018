#include "organon/array/border.h"

#include <algorithm>
#include <vector>

#include "organon/array/copy.h"
#include "organon/array/data_type.h"

namespace organon {
namespace {

// Per axis: the source position for each target position, so that the copy is a table look-up.
std::vector<std::int64_t> positions(std::int64_t target_begin, std::int64_t target_end,
                                    std::int64_t domain_begin, std::int64_t domain_end,
                                    std::int64_t source_begin, std::int64_t source_end, Border border) {
  std::vector<std::int64_t> result;
  result.reserve(static_cast<std::size_t>(std::max<std::int64_t>(0, target_end - target_begin)));
  for (std::int64_t i = target_begin; i < target_end; ++i) {
    const std::int64_t position =
        domain_begin + border_index(i - domain_begin, domain_end - domain_begin, border);
    ORGANON_CHECK(position >= source_begin && position < source_end);
    result.push_back(position - source_begin);
  }
  return result;
}

}  // namespace

std::int64_t border_index(std::int64_t index, std::int64_t size, Border border) {
  if (index >= 0 && index < size) return index;
  if (border == Border::kReplicate || size == 1) return std::clamp<std::int64_t>(index, 0, size - 1);
  const std::int64_t period = 2 * (size - 1);
  const std::int64_t phase = ((index % period) + period) % period;
  return phase < size ? phase : period - phase;
}

template <class T>
void copy_with_border(ArrayView<const T> source, const Box& source_box, const Box& domain, Border border,
                      T constant, ArrayView<T> target, const Box& target_box) {
  if (border == Border::kConstant) {
    if (!source_box.contains(target_box)) fill_voxels<T>(target, constant);
    copy_overlap<T>(source, source_box, target, target_box);
    return;
  }
  const auto zs = positions(target_box.begin.z, target_box.end.z, domain.begin.z, domain.end.z,
                            source_box.begin.z, source_box.end.z, border);
  const auto ys = positions(target_box.begin.y, target_box.end.y, domain.begin.y, domain.end.y,
                            source_box.begin.y, source_box.end.y, border);
  const auto xs = positions(target_box.begin.x, target_box.end.x, domain.begin.x, domain.end.x,
                            source_box.begin.x, source_box.end.x, border);
  // The part of each row that lies inside the domain is one piece of the source.
  const auto inside_begin = static_cast<std::size_t>(
      std::clamp(domain.begin.x, target_box.begin.x, target_box.end.x) - target_box.begin.x);
  const auto inside_end = static_cast<std::size_t>(
      std::clamp(domain.end.x, target_box.begin.x, target_box.end.x) - target_box.begin.x);
  const bool rows_are_contiguous = source.stride().x == 1 && target.stride().x == 1;
  for (std::size_t z = 0; z < zs.size(); ++z) {
    for (std::size_t y = 0; y < ys.size(); ++y) {
      const T* from = source.row(zs[z], ys[y]);
      T* to = target.row(static_cast<std::int64_t>(z), static_cast<std::int64_t>(y));
      const auto copy_each = [&](std::size_t begin, std::size_t end) {
        for (std::size_t x = begin; x < end; ++x) {
          to[static_cast<std::int64_t>(x) * target.stride().x] = from[xs[x] * source.stride().x];
        }
      };
      if (rows_are_contiguous && inside_begin < inside_end) {
        copy_each(0, inside_begin);
        std::copy_n(from + xs[inside_begin], inside_end - inside_begin, to + inside_begin);
        copy_each(inside_end, xs.size());
      } else {
        copy_each(0, xs.size());
      }
    }
  }
}

#define ORGANON_INSTANTIATE(T)                                                                           \
  template void copy_with_border<T>(ArrayView<const T>, const Box&, const Box&, Border, T, ArrayView<T>, \
                                    const Box&);
ORGANON_FOR_EACH_VOXEL_TYPE(ORGANON_INSTANTIATE)
#undef ORGANON_INSTANTIATE

}  // namespace organon
