#include "organon/storage/zarr/zarr_chunk.h"

#include "organon/array/copy.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

// Where voxel (z, y, x) of a stored chunk lies: in Fortran order z is fastest.
Stride3 stored_stride(const ZarrArray& array) {
  const Shape3& chunk = array.spec.chunk_shape;
  if (array.is_fortran_order) return {1, chunk.z, chunk.z * chunk.y};
  return {chunk.y * chunk.x, chunk.x, 1};
}

bool is_as_in_memory(const ZarrArray& array, const Shape3& shape) {
  return shape == array.spec.chunk_shape && !array.is_fortran_order && !array.is_big_endian;
}

}  // namespace

AnyArray decode_zarr_chunk(std::span<const std::byte> bytes, const ZarrArray& array, const Shape3& shape) {
  const DatasetSpec& spec = array.spec;
  AnyArray stored(spec.data_type, spec.chunk_shape);
  decode(spec.codec, bytes, stored.bytes());
  if (array.is_big_endian) swap_byte_order(stored.bytes(), size_of(spec.data_type));
  if (shape == spec.chunk_shape && !array.is_fortran_order) return stored;
  AnyArray voxels(spec.data_type, shape);
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    const ArrayView<const T> from(stored.view<T>().data(), spec.chunk_shape, stored_stride(array));
    copy_voxels<T>(from.part(Box::of_shape(shape)), voxels.view<T>());
  });
  return voxels;
}

std::vector<std::byte> encode_zarr_chunk(const AnyArray& voxels, const ZarrArray& array) {
  const DatasetSpec& spec = array.spec;
  const Encoding encoding = encoding_of(spec);
  std::vector<std::byte> output;
  if (is_as_in_memory(array, voxels.shape())) {
    append_encoded(encoding, voxels.bytes(), output);
    return output;
  }
  AnyArray stored(spec.data_type, spec.chunk_shape);
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    fill_voxels<T>(stored.view<T>(), fill_voxel<T>(spec.fill_value));
    const ArrayView<T> to(stored.view<T>().data(), spec.chunk_shape, stored_stride(array));
    copy_voxels<T>(voxels.view<T>(), to.part(Box::of_shape(voxels.shape())));
  });
  if (array.is_big_endian) swap_byte_order(stored.bytes(), encoding.voxel_bytes);
  append_encoded(encoding, stored.bytes(), output);
  return output;
}

}  // namespace organon::storage
