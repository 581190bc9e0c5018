#include "organon/tables/region_graph.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "organon/base/error.h"
#include "organon/tables/byte_stream.h"

namespace organon::tables {
namespace {

constexpr std::uint32_t kMagic = 0x31524752;  // "RGR1"
constexpr std::uint64_t kHighestLevel = 255;

template <class T>
void put_all(ByteWriter& writer, const std::vector<T>& values) {
  writer.put<std::uint64_t>(values.size());
  for (const T& value : values) writer.put(value);
}

template <class T>
std::vector<T> take_all(ByteReader& reader) {
  const auto count = reader.take<std::uint64_t>();
  // As they come: a count that is too large meets the end of the bytes, not of the memory.
  std::vector<T> values;
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(reader.take<T>());
  return values;
}

void check(const RegionGraph& graph, const ByteReader& reader) {
  for (std::size_t i = 0; i < graph.regions.size(); ++i) {
    const Region& region = graph.regions[i];
    if (region.id == 0 || region.peak_level > kHighestLevel) reader.fail("a region of id 0 or a level > 255");
    if (i > 0 && graph.regions[i - 1].id >= region.id) reader.fail("regions are not in ascending order");
  }
  const auto has_region = [&](ObjectId id) {
    const auto at = std::lower_bound(graph.regions.begin(), graph.regions.end(), id,
                                     [](const Region& region, ObjectId other) { return region.id < other; });
    return at != graph.regions.end() && at->id == id;
  };
  std::uint64_t next_count = 0;
  for (std::size_t i = 0; i < graph.interfaces.size(); ++i) {
    const Interface& one = graph.interfaces[i];
    if (one.a >= one.b || !has_region(one.a) || !has_region(one.b))
      reader.fail("an interface of regions that are not there");
    if (i > 0 && std::tie(graph.interfaces[i - 1].a, graph.interfaces[i - 1].b) >= std::tie(one.a, one.b))
      reader.fail("interfaces are not in ascending order");
    if (one.first_count < next_count || one.first_count >= graph.counts.size() ||
        (i == 0 && one.first_count != 0))
      reader.fail("an interface has no faces");
    next_count = one.first_count + 1;
  }
  if (graph.interfaces.empty() && !graph.counts.empty()) reader.fail("faces of no interface");
  for (std::size_t i = 0; i < graph.interfaces.size(); ++i) {
    std::int64_t before = -1;
    for (const LevelCount& entry : graph.counts_of(i)) {
      if (entry.level > kHighestLevel || entry.level <= before || entry.faces == 0)
        reader.fail("levels of an interface are not in ascending order");
      before = entry.level;
    }
  }
}

void add_merged(std::span<const LevelCount> a, std::span<const LevelCount> b,
                std::vector<LevelCount>& counts) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].level < b[j].level)) {
      counts.push_back(a[i++]);
    } else if (i == a.size() || b[j].level < a[i].level) {
      counts.push_back(b[j++]);
    } else {
      if (a[i].faces > std::numeric_limits<std::uint32_t>::max() - b[j].faces) {
        throw Error(ErrorKind::kResourceExhausted,
                    "more than 2^32 - 1 faces of one level at one interface of fragments");
      }
      counts.push_back({a[i].level, a[i].faces + b[j].faces});
      ++i, ++j;
    }
  }
}

}  // namespace

std::span<const LevelCount> RegionGraph::counts_of(std::size_t interface) const {
  const std::uint64_t begin = interfaces[interface].first_count;
  const std::uint64_t end =
      interface + 1 < interfaces.size() ? interfaces[interface + 1].first_count : counts.size();
  return std::span(counts).subspan(begin, end - begin);
}

std::vector<std::byte> RegionGraph::encode() const {
  ByteWriter writer;
  writer.put(kMagic);
  put_all(writer, regions);
  put_all(writer, interfaces);
  put_all(writer, counts);
  return writer.take();
}

RegionGraph RegionGraph::decode(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, "region graph");
  if (reader.take<std::uint32_t>() != kMagic) reader.fail("it does not begin with RGR1");
  RegionGraph graph;
  graph.regions = take_all<Region>(reader);
  graph.interfaces = take_all<Interface>(reader);
  graph.counts.resize(reader.take_count(sizeof(LevelCount)));
  for (LevelCount& entry : graph.counts) entry = reader.take<LevelCount>();
  check(graph, reader);
  return graph;
}

RegionGraph merge(const RegionGraph& a, const RegionGraph& b) {
  RegionGraph merged;
  merged.regions.reserve(a.regions.size() + b.regions.size());
  std::merge(a.regions.begin(), a.regions.end(), b.regions.begin(), b.regions.end(),
             std::back_inserter(merged.regions),
             [](const Region& one, const Region& other) { return one.id < other.id; });
  std::size_t num_kept = 0;
  for (const Region& region : merged.regions) {
    if (num_kept > 0 && merged.regions[num_kept - 1].id == region.id) {
      Region& kept = merged.regions[num_kept - 1];
      kept.voxels += region.voxels;
      kept.peak_level = std::max(kept.peak_level, region.peak_level);
    } else {
      merged.regions[num_kept++] = region;
    }
  }
  merged.regions.resize(num_kept);

  merged.interfaces.reserve(a.interfaces.size() + b.interfaces.size());
  merged.counts.reserve(a.counts.size() + b.counts.size());
  std::size_t i = 0;
  std::size_t j = 0;
  const auto key = [](const Interface& interface) { return std::tie(interface.a, interface.b); };
  while (i < a.interfaces.size() || j < b.interfaces.size()) {
    const bool takes_a =
        j == b.interfaces.size() || (i < a.interfaces.size() && key(a.interfaces[i]) <= key(b.interfaces[j]));
    const bool takes_b =
        i == a.interfaces.size() || (j < b.interfaces.size() && key(b.interfaces[j]) <= key(a.interfaces[i]));
    const Interface& from = takes_a ? a.interfaces[i] : b.interfaces[j];
    merged.add_interface(from.a, from.b);
    add_merged(takes_a ? a.counts_of(i) : std::span<const LevelCount>(),
               takes_b ? b.counts_of(j) : std::span<const LevelCount>(), merged.counts);
    i += takes_a ? 1 : 0;
    j += takes_b ? 1 : 0;
  }
  return merged;
}

}  // namespace organon::tables
