#include "organon/tables/overlap_table.h"

#include <algorithm>
#include <tuple>

#include "organon/base/check.h"
#include "organon/base/random.h"
#include "organon/tables/byte_stream.h"

namespace organon::tables {
namespace {

constexpr std::uint32_t kMagic = 0x3152564f;  // "OVR1"

}  // namespace

std::size_t OverlapTable::PairHash::operator()(const Pair& pair) const {
  return static_cast<std::size_t>(mix64(mix64(pair.first) ^ pair.second));
}

void OverlapTable::add(ObjectId first, ObjectId second, std::uint64_t count) {
  if (count > 0) counts_[{first, second}] += count;
}

void OverlapTable::add_voxels(ArrayView<const ObjectId> first, ArrayView<const ObjectId> second) {
  ORGANON_CHECK(first.shape() == second.shape());
  const Shape3 shape = first.shape();
  Pair current{0, 0};
  std::uint64_t run = 0;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const ObjectId* a = first.row(z, y);
      const ObjectId* b = second.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const Pair pair{a[x * first.stride().x], b[x * second.stride().x]};
        if (pair == current) {
          ++run;
        } else {
          add(current.first, current.second, run);
          current = pair;
          run = 1;
        }
      }
    }
  }
  add(current.first, current.second, run);
}

void OverlapTable::merge(const OverlapTable& other) {
  for (const auto& [pair, count] : other.counts_) counts_[pair] += count;
}

std::uint64_t OverlapTable::total() const {
  std::uint64_t sum = 0;
  for (const auto& [pair, count] : counts_) sum += count;
  return sum;
}

std::vector<Overlap> OverlapTable::overlaps() const {
  std::vector<Overlap> result;
  result.reserve(counts_.size());
  for (const auto& [pair, count] : counts_) result.push_back({pair.first, pair.second, count});
  std::sort(result.begin(), result.end(), [](const Overlap& a, const Overlap& b) {
    return std::tie(a.first, a.second) < std::tie(b.first, b.second);
  });
  return result;
}

std::vector<std::byte> OverlapTable::encode() const {
  ByteWriter writer;
  writer.put(kMagic);
  writer.put<std::uint64_t>(counts_.size());
  for (const Overlap& overlap : overlaps()) {
    writer.put(overlap.first);
    writer.put(overlap.second);
    writer.put(overlap.count);
  }
  return writer.take();
}

OverlapTable OverlapTable::decode(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, "overlap table");
  if (reader.take<std::uint32_t>() != kMagic) reader.fail("it does not begin as an overlap table");
  const std::size_t num_pairs = reader.take_count(3 * sizeof(std::uint64_t));
  OverlapTable table;
  table.counts_.reserve(num_pairs);
  Pair previous{0, 0};
  for (std::size_t i = 0; i < num_pairs; ++i) {
    const Pair pair{reader.take<ObjectId>(), reader.take<ObjectId>()};
    const auto count = reader.take<std::uint64_t>();
    if (i > 0 && std::tie(pair.first, pair.second) <= std::tie(previous.first, previous.second)) {
      reader.fail("pairs are not in ascending order");
    }
    if (count == 0) reader.fail("a pair that never meets");
    table.counts_.emplace(pair, count);
    previous = pair;
  }
  return table;
}

}  // namespace organon::tables
