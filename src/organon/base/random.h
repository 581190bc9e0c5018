#pragma once

#include <cstdint>

namespace organon {

/// SplitMix64: a well mixed 64-bit hash of a counter. Source: [steele2014splitmix].
constexpr std::uint64_t mix64(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

/// A stream of random numbers that is the same on every machine and compiler (std distributions are not).
/// Streams for different places are made by mixing the place into the seed, so that order of use does not
/// matter.
/// (__extension__: 128-bit integers are not ISO C++.)
__extension__ using Wide = unsigned __int128;

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(mix64(seed)) {}
  constexpr Random(std::uint64_t seed, std::uint64_t place)
      : Random(mix64(seed) ^ mix64(place + 0x51ed270b)) {}

  constexpr std::uint64_t next() { return mix64(state_++); }
  /// Uniform in [0, 1).
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in 0 .. count-1; `count` > 0.
  constexpr std::uint64_t below(std::uint64_t count) {
    return static_cast<std::uint64_t>(static_cast<Wide>(next()) * count >> 64);
  }
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::uint64_t state_;
};

}  // namespace organon
