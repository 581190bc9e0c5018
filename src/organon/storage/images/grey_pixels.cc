#include "organon/storage/images/grey_pixels.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <limits>

#include "organon/base/check.h"
#include "organon/base/error.h"

namespace organon::storage {

template <class T>
void take_grey(std::span<const std::byte> samples, std::size_t num_channels, std::span<T> target,
               std::string_view where) {
  ORGANON_CHECK(num_channels >= 1 && num_channels <= 4 &&
                samples.size() >= target.size() * num_channels * sizeof(T));
  const std::size_t num_colors = num_channels < 3 ? 1 : 3;
  for (std::size_t x = 0; x < target.size(); ++x) {
    T pixel[4];
    std::memcpy(pixel, samples.data() + x * num_channels * sizeof(T), num_channels * sizeof(T));
    if (num_colors == 3 && (pixel[1] != pixel[0] || pixel[2] != pixel[0])) {
      throw Error(ErrorKind::kUnsupported, fmt::format("{}: a colour image, expected grey values", where));
    }
    if (num_colors < num_channels && pixel[num_colors] != std::numeric_limits<T>::max()) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: an image with transparency, expected grey values", where));
    }
    target[x] = pixel[0];
  }
}

template <class T>
void split_channels(std::span<const std::byte> samples, std::size_t num_channels, std::size_t num_pixels,
                    T* target, std::size_t row_stride) {
  ORGANON_CHECK(samples.size() >= num_pixels * num_channels * sizeof(T));
  for (std::size_t channel = 0; channel < num_channels; ++channel) {
    for (std::size_t x = 0; x < num_pixels; ++x) {
      std::memcpy(target + channel * row_stride + x,
                  samples.data() + (x * num_channels + channel) * sizeof(T), sizeof(T));
    }
  }
}

template void split_channels(std::span<const std::byte>, std::size_t, std::size_t, std::uint8_t*,
                             std::size_t);
template void split_channels(std::span<const std::byte>, std::size_t, std::size_t, std::uint16_t*,
                             std::size_t);
template void take_grey(std::span<const std::byte>, std::size_t, std::span<std::uint8_t>, std::string_view);
template void take_grey(std::span<const std::byte>, std::size_t, std::span<std::uint16_t>, std::string_view);

}  // namespace organon::storage
