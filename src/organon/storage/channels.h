#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/geometry/box.h"

namespace organon::storage {

/// The axes before z, y and x of an array that has more than three: channels, time points. A dataset is one
/// channel of such an array, or all of them as a stack. Lists are slowest axis first, as z y x are; channels
/// are counted in that order.
struct Channels {
  std::vector<std::int64_t> shape;     ///< empty: an array of rank 3
  std::vector<std::int64_t> chunk;     ///< of a stored unit
  std::optional<std::int64_t> chosen;  ///< which one a dataset is; nothing: all

  std::int64_t count() const;      ///< 1 for an array of rank 3
  std::int64_t per_chunk() const;  ///< channels that are encoded together
  /// Channels that a block of voxels holds, one behind the other along z: 1, or all.
  std::int64_t in_stack() const { return chosen ? 1 : count(); }
  /// Whether a stored unit is exactly what a dataset reads: it can be written.
  bool are_whole_in_chunks() const { return per_chunk() == in_stack() && (chosen || chunk == shape); }

  /// Of the chosen one along the last axis before z, which is that of colours; 0 where none is chosen.
  std::int64_t chosen_color() const { return shape.empty() ? 0 : chosen.value_or(0) % shape.back(); }
  /// Position of `channel` on each axis.
  std::vector<std::int64_t> position_of(std::int64_t channel) const;
  /// Of the stored unit that holds the chosen channel, on each axis; zeros where all are in one.
  std::vector<std::int64_t> chunk_position() const;
  /// Of the chosen channel in its stored unit.
  std::vector<std::int64_t> position_in_chunk() const;
  /// The channels of one stored unit as an array of their own, divided further into chunks of `inner_chunk`.
  Channels in_chunk(std::vector<std::int64_t> inner_chunk) const;

  friend bool operator==(const Channels&, const Channels&) = default;
};

/// Place of `position` in an array of `shape`, last axis fastest.
std::int64_t raster_index(std::span<const std::int64_t> position, std::span<const std::int64_t> shape);

/// `num_channels` blocks of `shape` behind each other along z, and where one of them lies there.
Shape3 stack_of(const Shape3& shape, std::int64_t num_channels);
Box box_in_stack(const Shape3& shape, std::int64_t channel);

/// Largest number of axes before z.
inline constexpr std::size_t kMaxChannelAxes = 5;

/// What makes them unusable: extents that are not positive, more than 2^20 channels, a chosen one that is not
/// there. Empty where they are sound.
std::string find_channels_problem(const Channels& channels);

/// `wanted`: of the address. One channel alone needs no word. Errors: kInvalidArgument where there is no such
/// channel.
void choose_channel(Channels& channels, std::optional<std::int64_t> wanted, std::string_view address);

/// The address without the `#2` at its end that chooses a channel; `suffix` becomes that, or empty. Where a
/// file or folder has that name, it is no channel.
std::string without_channel(const std::string& address, std::string* suffix = nullptr);
/// `name` below `group`, with the channel of `group`: "a.zarr#2", "s0" to "a.zarr/s0#2".
std::string address_below(const std::string& group, std::string_view name);

}  // namespace organon::storage
