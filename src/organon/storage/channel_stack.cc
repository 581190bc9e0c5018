#include "organon/storage/channel_stack.h"

#include "organon/array/copy.h"

namespace organon::storage {

AnyArray take_channels(AnyArray stored, const Shape3& stored_shape, std::int64_t first, std::int64_t count,
                       const Shape3& shape) {
  if (first == 0 && stored_shape == shape && stored.shape() == stack_of(shape, count)) return stored;
  AnyArray taken(stored.type(), stack_of(shape, count));
  dispatch(stored.type(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t channel = 0; channel < count; ++channel) {
      const auto from = std::as_const(stored).view<T>().part(box_in_stack(stored_shape, first + channel));
      copy_voxels<T>(from.part(Box::of_shape(shape)), taken.view<T>().part(box_in_stack(shape, channel)));
    }
  });
  return taken;
}

}  // namespace organon::storage
