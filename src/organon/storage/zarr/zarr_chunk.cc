#include "organon/storage/zarr/zarr_chunk.h"

#include <algorithm>

#include "organon/array/copy.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

// Of the voxels as they are stored, channel `index` of those that the dataset has. In Fortran order the first
// axis is the fastest, so that the channels of a voxel lie beside each other.
template <class T>
ArrayView<T> stored_channel(T* voxels, const ZarrArray& array, std::int64_t index) {
  const Shape3& chunk = array.spec.chunk_shape;
  const Channels& channels = array.spec.channels;
  std::vector<std::int64_t> position =
      channels.chosen ? channels.position_in_chunk() : channels.position_of(index);
  if (!array.is_fortran_order) {
    const std::int64_t begin = raster_index(position, channels.chunk) * chunk.product();
    return ArrayView<T>(voxels + begin, chunk, {chunk.y * chunk.x, chunk.x, 1});
  }
  std::vector<std::int64_t> extents = channels.chunk;
  std::reverse(position.begin(), position.end());
  std::reverse(extents.begin(), extents.end());
  const std::int64_t step = channels.per_chunk();
  return ArrayView<T>(voxels + raster_index(position, extents), chunk,
                      {step, step * chunk.z, step * chunk.z * chunk.y});
}

// Whether a stored chunk is in memory what the dataset has of it.
bool is_as_in_memory(const ZarrArray& array, const Shape3& shape) {
  return shape == array.spec.chunk_shape && !array.is_fortran_order &&
         array.spec.channels.per_chunk() == array.spec.channels.in_stack();
}

AnyArray stored_chunk(const ZarrArray& array) {
  const DatasetSpec& spec = array.spec;
  return AnyArray(spec.data_type, stack_of(spec.chunk_shape, spec.channels.per_chunk()));
}

}  // namespace

AnyArray decode_zarr_chunk(std::span<const std::byte> bytes, const ZarrArray& array, const Shape3& shape) {
  const DatasetSpec& spec = array.spec;
  AnyArray stored = stored_chunk(array);
  decode(spec.codec, bytes, stored.bytes());
  if (array.is_big_endian) swap_byte_order(stored.bytes(), size_of(spec.data_type));
  if (is_as_in_memory(array, shape)) return stored;
  const std::int64_t num_channels = spec.channels.in_stack();
  AnyArray voxels(spec.data_type, stack_of(shape, num_channels));
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t channel = 0; channel < num_channels; ++channel) {
      const ArrayView<const T> from = stored_channel<const T>(stored.view<T>().data(), array, channel);
      copy_voxels<T>(from.part(Box::of_shape(shape)), voxels.view<T>().part(box_in_stack(shape, channel)));
    }
  });
  return voxels;
}

std::vector<std::byte> encode_zarr_chunk(const AnyArray& voxels, const ZarrArray& array) {
  const DatasetSpec& spec = array.spec;
  const Encoding encoding = encoding_of(spec);
  std::vector<std::byte> output;
  const std::int64_t num_channels = spec.channels.in_stack();
  const Shape3 shape{voxels.shape().z / num_channels, voxels.shape().y, voxels.shape().x};
  if (is_as_in_memory(array, shape) && !array.is_big_endian) {
    append_encoded(encoding, voxels.bytes(), output);
    return output;
  }
  AnyArray stored = stored_chunk(array);
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    fill_voxels<T>(stored.view<T>(), fill_voxel<T>(spec.fill_value));
    for (std::int64_t channel = 0; channel < num_channels; ++channel) {
      const ArrayView<T> to = stored_channel<T>(stored.view<T>().data(), array, channel);
      copy_voxels<T>(voxels.view<T>().part(box_in_stack(shape, channel)), to.part(Box::of_shape(shape)));
    }
  });
  if (array.is_big_endian) swap_byte_order(stored.bytes(), encoding.voxel_bytes);
  append_encoded(encoding, stored.bytes(), output);
  return output;
}

}  // namespace organon::storage
