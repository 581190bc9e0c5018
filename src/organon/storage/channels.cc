#include "organon/storage/channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

constexpr std::int64_t kMaxChannels = std::int64_t{1} << 20;

std::int64_t product(const std::vector<std::int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

std::int64_t Channels::count() const { return product(shape); }

std::int64_t Channels::per_chunk() const { return product(chunk); }

std::vector<std::int64_t> Channels::position_of(std::int64_t channel) const {
  std::vector<std::int64_t> position(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; channel /= shape[axis])
    position[axis] = channel % shape[axis];
  return position;
}

std::vector<std::int64_t> Channels::chunk_position() const {
  std::vector<std::int64_t> position = position_of(chosen.value_or(0));
  for (std::size_t axis = 0; axis < position.size(); ++axis) position[axis] /= chunk[axis];
  return position;
}

std::vector<std::int64_t> Channels::position_in_chunk() const {
  std::vector<std::int64_t> position = position_of(chosen.value_or(0));
  for (std::size_t axis = 0; axis < position.size(); ++axis) position[axis] %= chunk[axis];
  return position;
}

Channels Channels::in_chunk(std::vector<std::int64_t> inner_chunk) const {
  Channels inner{chunk, std::move(inner_chunk), std::nullopt};
  if (chosen) inner.chosen = raster_index(position_in_chunk(), chunk);
  return inner;
}

std::int64_t raster_index(std::span<const std::int64_t> position, std::span<const std::int64_t> shape) {
  std::int64_t index = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) index = index * shape[axis] + position[axis];
  return index;
}

Shape3 stack_of(const Shape3& shape, std::int64_t num_channels) {
  return {shape.z * num_channels, shape.y, shape.x};
}

Box box_in_stack(const Shape3& shape, std::int64_t channel) {
  return Box::of_shape(shape).translate({channel * shape.z, 0, 0});
}

std::string find_channels_problem(const Channels& channels) {
  if (channels.shape.size() > kMaxChannelAxes) return fmt::format("{} axes", channels.shape.size() + 3);
  if (channels.chunk.size() != channels.shape.size()) {
    return fmt::format("chunks of {} axes in an array of {}", channels.chunk.size() + 3,
                       channels.shape.size() + 3);
  }
  for (const auto* extents : {&channels.shape, &channels.chunk}) {
    std::int64_t count = 1;
    for (const std::int64_t extent : *extents) {
      if (extent <= 0 || extent > kMaxChannels || (count *= extent) > kMaxChannels)
        return fmt::format("axes of {} before z are not in 1 .. 2^20", fmt::join(*extents, ","));
    }
  }
  if (channels.chosen && (*channels.chosen < 0 || *channels.chosen >= channels.count()))
    return fmt::format("channel {} of {}", *channels.chosen, channels.count());
  return {};
}

void choose_channel(Channels& channels, std::optional<std::int64_t> wanted, std::string_view address) {
  if (wanted && *wanted >= channels.count()) {
    throw Error(ErrorKind::kInvalidArgument,
                channels.count() == 1
                    ? fmt::format("{}: there is one channel alone, #0", address)
                    : fmt::format("{}: there are channels #0 to #{}", address, channels.count() - 1));
  }
  channels.chosen = wanted;
  if (channels.count() == 1) channels.chosen = 0;
}

std::string without_channel(const std::string& address, std::string* suffix) {
  std::size_t begin = address.size();
  while (begin > 0 && address[begin - 1] >= '0' && address[begin - 1] <= '9') --begin;
  // Numbers above kMaxChannels are names of files.
  const bool has_channel =
      begin > 1 && begin < address.size() && address.size() - begin <= 7 && address[begin - 1] == '#';
  // What is there by this name is meant.
  std::error_code none;
  const std::size_t scheme = address.rfind("://");
  const bool is_name =
      has_channel &&
      std::filesystem::exists(scheme == std::string::npos ? address : address.substr(scheme + 3), none);
  const std::size_t end = has_channel && !is_name ? begin - 1 : address.size();
  if (suffix != nullptr) *suffix = address.substr(end);
  return address.substr(0, end);
}

std::string address_below(const std::string& group, std::string_view name) {
  std::string channel;
  std::string path = without_channel(group, &channel);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return fmt::format("{}/{}{}", path, name, channel);
}

}  // namespace organon::storage
