#include "organon/stages/ingest/value_sample.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <unordered_set>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/random.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kMaxProbes = 1 << 16;
constexpr std::size_t kNumBins = 1 << 16;
constexpr std::size_t kMaxDistinct = 1'000'000;
constexpr std::size_t kMaxDamage = 16;
constexpr std::uint64_t kSeed = 20210101;

// `num_wanted` of the numbers 0 .. count-1, ascending, one from each of equal parts. Random inside its part,
// so that chunks of one row or plane are not preferred.
std::vector<std::int64_t> spread(std::int64_t count, std::int64_t num_wanted) {
  num_wanted = std::min(count, num_wanted);
  Random random(kSeed);
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < num_wanted; ++i) {
    const auto part = [&](std::int64_t k) {
      return static_cast<std::int64_t>(static_cast<Wide>(count) * static_cast<Wide>(k) /
                                       static_cast<Wide>(num_wanted));
    };
    numbers.push_back(
        part(i) + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(part(i + 1) - part(i)))));
  }
  return numbers;
}

// Adds up the values of pieces.
class Collector {
 public:
  explicit Collector(DataType type) : type_(type) {
    dispatch(type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (sizeof(T) <= 2) {
        histogram_ =
            tables::Histogram::of_integers(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
      }
    });
  }

  /// Whether a first pass for the range is needed before histogram().
  bool needs_range() const { return size_of(type_) > 2; }

  void add(const AnyArray& piece) {
    num_voxels_ += piece.shape().product();
    dispatch(type_, [&](auto zero) {
      using T = decltype(zero);
      const ArrayView<const T> voxels = piece.view<T>();
      for (std::int64_t i = 0; i < voxels.size(); ++i) {
        const T value = voxels.data()[i];
        if constexpr (std::is_floating_point_v<T>) {
          if (!std::isfinite(value)) continue;
        } else if constexpr (sizeof(T) > 2) {
          if ((distinct_.empty() || value != static_cast<T>(last_)) && distinct_.size() < kMaxDistinct) {
            distinct_.insert(static_cast<std::uint64_t>(value));
            last_ = static_cast<std::uint64_t>(value);
          }
        }
        const auto number = static_cast<double>(value);
        min_ = std::min(min_, number);
        max_ = std::max(max_, number);
        sum_ += number;
        ++num_finite_;
      }
      if constexpr (sizeof(T) <= 2) histogram_->add_voxels<T>(voxels);
    });
  }

  void start_histogram() {
    if (num_finite_ > 0) histogram_ = tables::Histogram::of_range(min_, max_, kNumBins);
  }
  void add_to_histogram(const AnyArray& piece) {
    if (!histogram_) return;
    dispatch(type_, [&](auto zero) {
      using T = decltype(zero);
      histogram_->add_voxels<T>(piece.view<T>());
    });
  }

  void finish(ValueSample& sample) const {
    sample.num_voxels = num_voxels_;
    if (num_finite_ == 0) return;
    const auto& counts = histogram_->counts();
    sample.num_distinct =
        needs_range() ? static_cast<std::int64_t>(distinct_.size())
                      : std::count_if(counts.begin(), counts.end(), [](auto count) { return count > 0; });
    sample.histogram = histogram_;
    sample.min = min_;
    sample.max = max_;
    sample.mean = sum_ / static_cast<double>(num_finite_);
  }

 private:
  DataType type_;
  std::optional<tables::Histogram> histogram_;
  std::unordered_set<std::uint64_t> distinct_;
  std::uint64_t last_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0;
  std::int64_t num_voxels_ = 0;
  std::int64_t num_finite_ = 0;
};

}  // namespace

ValueSample sample_values(const storage::Dataset& dataset, std::int64_t max_voxels) {
  const BlockGrid grid = dataset.chunk_grid();
  ValueSample sample;
  std::vector<std::int64_t> found;
  const std::vector<std::int64_t> probes = spread(grid.count(), kMaxProbes);
  for (const std::int64_t id : probes) {
    if (dataset.chunk_exists(grid.position_of(id))) found.push_back(id);
  }
  sample.chunks_probed = static_cast<std::int64_t>(probes.size());
  sample.chunks_found = static_cast<std::int64_t>(found.size());

  const std::int64_t chunk_voxels =
      Box::of_shape(dataset.spec().chunk_shape).intersect(dataset.spec().domain()).volume();
  const std::int64_t num_wanted =
      std::max<std::int64_t>(1, max_voxels / std::max<std::int64_t>(1, chunk_voxels));
  Collector collector(dataset.spec().data_type);
  std::vector<Index3> readable;
  for (const std::int64_t place : spread(sample.chunks_found, num_wanted)) {
    throw_if_cancelled();
    const Index3 position = grid.position_of(found[static_cast<std::size_t>(place)]);
    try {
      const auto chunk = dataset.read_chunk(position);
      if (!chunk) continue;
      collector.add(*chunk);
      sample.file_bytes_read += static_cast<std::int64_t>(
          dataset.read_chunk_file(position).value_or(std::vector<std::byte>()).size());
      ++sample.chunks_read;
      readable.push_back(position);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kCorruptData) throw;
      if (sample.damage.size() < kMaxDamage) sample.damage.push_back(error.message());
    }
  }
  if (collector.needs_range()) {
    collector.start_histogram();
    for (const Index3& position : readable) {
      throw_if_cancelled();
      if (const auto chunk = dataset.read_chunk(position)) collector.add_to_histogram(*chunk);
    }
  }
  collector.finish(sample);
  sample.is_whole = sample.chunks_probed == grid.count() && sample.chunks_read == sample.chunks_found;
  return sample;
}

ValueSample sample_values(storage::VolumeSource& volume, std::int64_t max_voxels) {
  const Shape3& shape = volume.info().shape;
  ValueSample sample;
  const std::int64_t slice_voxels = std::max<std::int64_t>(1, shape.y * shape.x);
  Collector collector(volume.info().type);
  const auto slices = spread(shape.z, std::max<std::int64_t>(1, max_voxels / slice_voxels));
  for (const std::int64_t z : slices) {
    throw_if_cancelled();
    collector.add(volume.read_slices(z, z + 1));
  }
  if (collector.needs_range()) {
    collector.start_histogram();
    for (const std::int64_t z : slices) {
      throw_if_cancelled();
      collector.add_to_histogram(volume.read_slices(z, z + 1));
    }
  }
  collector.finish(sample);
  sample.is_whole = static_cast<std::int64_t>(slices.size()) == shape.z;
  return sample;
}

}  // namespace organon::stages
