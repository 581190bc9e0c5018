#include "organon/voxel/row_bits.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "organon/voxel/row_bits.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace organon::voxel {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Asks `mask_at(i)` for the voxels of whole vectors, and `is_set(i)` for single ones.
template <class D, class MaskAt, class IsSet>
HWY_INLINE void gather(D d, std::int64_t num_voxels, const MaskAt& mask_at, const IsSet& is_set,
                       std::uint64_t* bits) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t begin = 0; begin < num_voxels; begin += 64) {
    const std::int64_t count = std::min<std::int64_t>(64, num_voxels - begin);
    std::uint64_t word = 0;
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      std::uint8_t part[8] = {};
      hn::StoreMaskBits(d, mask_at(begin + i), part);
      std::uint64_t of_vector = 0;
      for (int k = 0; k < 8; ++k) of_vector |= std::uint64_t{part[k]} << (8 * k);
      word |= of_vector << i;
    }
    for (; i < count; ++i) word |= std::uint64_t{is_set(begin + i)} << i;
    *bits++ = word;
  }
}

template <class T>
void nonzero(const T* row, std::int64_t num_voxels, std::uint64_t* bits) {
  // Not more lanes than bits in a word.
  const hn::CappedTag<T, 64> d;
  const auto zero = hn::Zero(d);
  gather(
      d, num_voxels, [&](std::int64_t i) HWY_ATTR { return hn::Ne(hn::LoadU(d, row + i), zero); },
      [&](std::int64_t i) { return row[i] != 0; }, bits);
}

template <class T>
void differences(const T* a, const T* b, std::int64_t num_voxels, std::uint64_t* bits) {
  const hn::CappedTag<T, 64> d;
  gather(
      d, num_voxels,
      [&](std::int64_t i) HWY_ATTR { return hn::Ne(hn::LoadU(d, a + i), hn::LoadU(d, b + i)); },
      [&](std::int64_t i) { return a[i] != b[i]; }, bits);
}

#define ORGANON_DEFINE(T, name)                                                                   \
  void nonzero_##name(const T* row, std::int64_t num_voxels, std::uint64_t* bits) {               \
    nonzero(row, num_voxels, bits);                                                               \
  }                                                                                               \
  void differences_##name(const T* a, const T* b, std::int64_t num_voxels, std::uint64_t* bits) { \
    differences(a, b, num_voxels, bits);                                                          \
  }
ORGANON_DEFINE(std::uint8_t, 8)
ORGANON_DEFINE(std::uint16_t, 16)
ORGANON_DEFINE(std::uint32_t, 32)
ORGANON_DEFINE(std::uint64_t, 64)
#undef ORGANON_DEFINE

}  // namespace HWY_NAMESPACE
}  // namespace organon::voxel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace organon::voxel {

#define ORGANON_EXPORT(T, name)                                                                    \
  HWY_EXPORT(nonzero_##name);                                                                      \
  HWY_EXPORT(differences_##name);                                                                  \
  template <>                                                                                      \
  void find_nonzero<T>(const T* row, std::int64_t num_voxels, std::uint64_t* bits) {               \
    HWY_DYNAMIC_DISPATCH(nonzero_##name)(row, num_voxels, bits);                                   \
  }                                                                                                \
  template <>                                                                                      \
  void find_differences<T>(const T* a, const T* b, std::int64_t num_voxels, std::uint64_t* bits) { \
    HWY_DYNAMIC_DISPATCH(differences_##name)(a, b, num_voxels, bits);                              \
  }
ORGANON_EXPORT(std::uint8_t, 8)
ORGANON_EXPORT(std::uint16_t, 16)
ORGANON_EXPORT(std::uint32_t, 32)
ORGANON_EXPORT(std::uint64_t, 64)
#undef ORGANON_EXPORT

}  // namespace organon::voxel
#endif  // HWY_ONCE
