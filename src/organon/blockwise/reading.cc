#include "organon/blockwise/reading.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::blockwise {

template <class T>
Array<T> read_with_border(const storage::Dataset& dataset, const Box& box, Border border, T constant) {
  const Box domain = dataset.spec().domain();
  if (domain.contains(box)) return dataset.read_as<T>(box);
  Box source_box = box.intersect(domain);
  if (border == Border::kReflect) {
    // A halo wider than the domain reaches voxels that only folding brings in.
    const auto reaches = [](std::int64_t& begin, std::int64_t& end, std::int64_t from, std::int64_t to,
                            std::int64_t size) {
      for (std::int64_t i = from; i < to; ++i) {
        const std::int64_t position = border_index(i, size, Border::kReflect);
        begin = std::min(begin, position);
        end = std::max(end, position + 1);
      }
    };
    reaches(source_box.begin.z, source_box.end.z, box.begin.z, box.end.z, domain.end.z);
    reaches(source_box.begin.y, source_box.end.y, box.begin.y, box.end.y, domain.end.y);
    reaches(source_box.begin.x, source_box.end.x, box.begin.x, box.end.x, domain.end.x);
  } else if (border == Border::kReplicate) {
    const auto clamp = [](std::int64_t& begin, std::int64_t& end, std::int64_t size) {
      begin = std::clamp<std::int64_t>(begin, 0, size - 1);
      end = std::clamp<std::int64_t>(end, begin + 1, size);
    };
    source_box = box;
    clamp(source_box.begin.z, source_box.end.z, domain.end.z);
    clamp(source_box.begin.y, source_box.end.y, domain.end.y);
    clamp(source_box.begin.x, source_box.end.x, domain.end.x);
  }
  Array<T> result = Array<T>::uninitialized(box.shape());
  if (source_box.empty()) {
    fill_voxels<T>(result, constant);
    return result;
  }
  const Array<T> source = dataset.read_as<T>(source_box);
  copy_with_border<T>(source, source_box, domain, border, constant, result, box);
  return result;
}

#define ORGANON_INSTANTIATE(T) \
  template Array<T> read_with_border(const storage::Dataset&, const Box&, Border, T);
ORGANON_FOR_EACH_VOXEL_TYPE(ORGANON_INSTANTIATE)
#undef ORGANON_INSTANTIATE

Box domain_in(const std::string& box_nm, const VoxelGrid& grid, const Shape3& shape,
              const Shape3& chunk_shape) {
  const Box whole = Box::of_shape(shape);
  if (box_nm.empty()) return whole;
  PointNm begin;
  PointNm end;
  int used = 0;
  if (std::sscanf(box_nm.c_str(), "%lf,%lf,%lf,%lf,%lf,%lf%n", &begin.z, &begin.y, &begin.x, &end.z, &end.y,
                  &end.x, &used) != 6 ||
      static_cast<std::size_t>(used) != box_nm.size() ||
      !std::isfinite(begin.z + begin.y + begin.x + end.z + end.y + end.x)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("box-nm: expected z0,y0,x0,z1,y1,x1 in nm, found '{}'", box_nm));
  }
  const Box box = grid.voxels_with_centres_in(begin, end).intersect(whole);
  if (box.empty()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("box-nm: {} has no voxel of the volume, whose centres lie from {} to {}", box_nm,
                    to_string(grid.to_nm(whole.begin)), to_string(grid.to_nm(whole.end - Index3{1, 1, 1}))));
  }
  const Index3 low{round_down_to_multiple(box.begin.z, chunk_shape.z),
                   round_down_to_multiple(box.begin.y, chunk_shape.y),
                   round_down_to_multiple(box.begin.x, chunk_shape.x)};
  const Index3 high{round_up_to_multiple(box.end.z, chunk_shape.z),
                    round_up_to_multiple(box.end.y, chunk_shape.y),
                    round_up_to_multiple(box.end.x, chunk_shape.x)};
  return Box{low, high}.intersect(whole);
}

Shape3 block_shape_or(const Shape3& wanted, const Shape3& standard, const Shape3& shape,
                      const Shape3& chunk_shape) {
  const auto axis = [](std::int64_t want, std::int64_t usual, std::int64_t size, std::int64_t chunk) {
    const std::int64_t cover = round_up_to_multiple(std::max<std::int64_t>(size, 1), chunk);
    const std::int64_t value = std::min(want > 0 ? want : round_up_to_multiple(usual, chunk), cover);
    if (value % chunk != 0) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("block shape {} is no multiple of the chunk shape {} (axis values)", want, chunk));
    }
    return value;
  };
  return {axis(wanted.z, standard.z, shape.z, chunk_shape.z),
          axis(wanted.y, standard.y, shape.y, chunk_shape.y),
          axis(wanted.x, standard.x, shape.x, chunk_shape.x)};
}

Shape3 shape_from(const std::vector<std::int64_t>& values, const std::string& option) {
  if (values.size() == 1 && values[0] > 0) return Shape3::cube(values[0]);
  if (values.size() != 3 || std::min({values[0], values[1], values[2]}) < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("option {}: expected one or three whole numbers (z,y,x) above 0", option));
  }
  return {values[0], values[1], values[2]};
}

void require_labels(const storage::Dataset& dataset) {
  bool is_unsigned = false;
  dispatch(dataset.spec().data_type, [&](auto zero) { is_unsigned = std::is_unsigned_v<decltype(zero)>; });
  if (is_unsigned) return;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: expected labels, found {}", dataset.address(),
                                                       to_string(dataset.spec().data_type)));
}

}  // namespace organon::blockwise
