#include "organon/stages/refinement/restrict_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "organon/base/error.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/voxel/distance_transform.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// One of the other datasets, and what it asks of a voxel.
struct Condition {
  std::shared_ptr<storage::Dataset> dataset;
  bool is_inside = false;
  double expand_nm = 0;
  double threshold = 0;
  Shape3 halo;
};

template <class T>
T of_each(const std::vector<T>& values, std::size_t index, std::size_t count, const char* option) {
  if (values.size() == 1) return values.front();
  if (values.size() != count) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected one value, or one for each of {} other datasets, found {}", option,
                            count, values.size()));
  }
  return values[index];
}

// Grey levels that a threshold is for, or ids.
void check_type(const storage::Dataset& dataset, double threshold) {
  if (threshold == 0) return blockwise::require_labels(dataset);
  if (dataset.spec().data_type == DataType::kUint8) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: expected a uint8 prediction, found {}", dataset.address(),
                          to_string(dataset.spec().data_type)));
}

struct Set {
  RestrictOptions options;
  std::shared_ptr<storage::Dataset> labels;
  std::vector<Condition> conditions;
  std::string output;
  DataType type = DataType::kUint8;
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<RestrictOptions>(description.options_json);
    labels = storage::open_dataset(description.inputs.at(0));
    output = description.outputs.at(0);
    check_type(*labels, options.threshold);
    const storage::DatasetSpec& spec = labels->spec();
    const std::size_t count = description.inputs.size() - 1;
    for (std::size_t i = 0; i < count; ++i) {
      Condition condition;
      condition.dataset = storage::open_dataset(description.inputs[i + 1]);
      condition.is_inside = of_each(options.keep, i, count, "keep") == "inside";
      condition.expand_nm = of_each(options.expand_nm, i, count, "expand_nm");
      condition.threshold = of_each(options.other_thresholds, i, count, "other_thresholds");
      check_type(*condition.dataset, condition.threshold);
      const storage::DatasetSpec& other = condition.dataset->spec();
      if (other.shape != spec.shape || !coincide(other.grid, spec.grid, spec.shape)) {
        throw Error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: expected the grid of {} ({} voxels of {} nm, the first at {} nm), found {} of "
                        "{} nm, the first at {} nm",
                        condition.dataset->address(), labels->address(), to_string(spec.shape),
                        to_string(spec.grid.voxel_size_nm), to_string(spec.grid.offset_nm),
                        to_string(other.shape), to_string(other.grid.voxel_size_nm),
                        to_string(other.grid.offset_nm)));
      }
      // No further than the volume goes.
      const auto reach = [&](double voxel_nm, std::int64_t num_voxels) {
        const double voxels = std::floor(condition.expand_nm / voxel_nm * (1 + 1e-9));
        return static_cast<std::int64_t>(std::min(voxels, static_cast<double>(num_voxels)));
      };
      const SizeNm& size = spec.grid.voxel_size_nm;
      condition.halo = {reach(size.z, spec.shape.z), reach(size.y, spec.shape.y),
                        reach(size.x, spec.shape.x)};
      conditions.push_back(condition);
    }
    type = options.take_ids        ? conditions.front().dataset->spec().data_type
           : options.threshold > 0 ? DataType::kUint8
                                   : spec.data_type;
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  bool drops_small() const { return options.min_volume_nm3 > 0; }
  StepPlan plan_of(const std::string& target, bool is_scratch) const {
    StepPlan plan = StepPlan::over(domain, block_shape);
    storage::DatasetSpec spec = labels->spec();
    spec.shard_shape = {};
    spec.data_type = type;
    spec.fill_value = 0;
    spec.codec = is_scratch ? storage::Codec::kZstd : storage::Codec::kGzip;
    spec.level = is_scratch ? 1 : -1;
    plan.outputs = {{target, spec, {{"role", "labels"}}}};
    plan.bytes_written = static_cast<std::int64_t>(size_of(type)) * domain.volume();
    return plan;
  }
};

using Counts = std::map<std::uint64_t, std::uint64_t>;  // voxels per id

struct Count {
  std::uint64_t id = 0;
  std::uint64_t voxels = 0;
};

bool is_any(const Array<std::uint8_t>& mask) {
  return std::any_of(mask.data(), mask.data() + mask.size(), [](std::uint8_t v) { return v != 0; });
}

void write_ids(const Set& set, const Block& block, const Array<std::uint64_t>& ids, BlockOutput& output) {
  AnyArray result(set.type, block.write_box.shape());
  dispatch(set.type, [&](auto zero) {
    using Id = decltype(zero);
    Id* to = result.view<Id>().data();
    for (std::int64_t i = 0; i < ids.size(); ++i) to[i] = static_cast<Id>(ids.data()[i]);
  });
  output.write(0, block.write_box, result);
}

class Restrict : public Step {
 public:
  Restrict(const Set& set, std::string target, bool is_scratch)
      : set_(set), target_(std::move(target)), is_scratch_(is_scratch) {}

  StepPlan plan() const override {
    StepPlan plan = set_.plan_of(target_, is_scratch_);
    plan.reads(set_.labels->address());
    plan.reuse = blockwise::Reuse::kAnywhere;
    plan.bytes_per_worker = 20 * set_.block_shape.product();
    plan.bytes_read =
        static_cast<std::int64_t>(size_of(set_.labels->spec().data_type)) * set_.domain.volume();
    std::int64_t largest = 0;
    for (const Condition& condition : set_.conditions) {
      plan.reads(condition.dataset->address(), condition.halo);
      // No more than the volume has, wherever the block lies.
      const Shape3 reached = Box::of_shape(set_.block_shape).grow(condition.halo, condition.halo).shape();
      const Shape3& there = condition.dataset->spec().shape;
      const std::int64_t voxels =
          std::min(reached.z, there.z) * std::min(reached.y, there.y) * std::min(reached.x, there.x);
      largest = std::max(largest, voxels);
      plan.bytes_read += plan.blocks().count() * voxels *
                         static_cast<std::int64_t>(size_of(condition.dataset->spec().data_type));
    }
    plan.bytes_per_worker += 21 * largest;
    plan.voxels_per_second = 20e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    Array<std::uint64_t> ids = set_.labels->read_as<std::uint64_t>(block.write_box);
    if (set_.options.threshold > 0) {
      for (std::int64_t i = 0; i < ids.size(); ++i)
        ids.data()[i] = static_cast<double>(ids.data()[i]) >= set_.options.threshold ? 1 : 0;
    }
    const auto is_nothing = [&] {
      return std::all_of(ids.data(), ids.data() + ids.size(), [](std::uint64_t id) { return id == 0; });
    };
    for (const Condition& condition : set_.conditions) {
      if (is_nothing()) break;
      const Array<std::uint8_t> other = region_of(condition, block.write_box);
      for (std::int64_t i = 0; i < ids.size(); ++i)
        if ((other.data()[i] != 0) != condition.is_inside) ids.data()[i] = 0;
    }
    if (set_.options.take_ids && !is_nothing()) {
      const auto parents = set_.conditions.front().dataset->read_as<std::uint64_t>(block.write_box);
      for (std::int64_t i = 0; i < ids.size(); ++i)
        if (ids.data()[i] != 0) ids.data()[i] = parents.data()[i];
    }
    write_ids(set_, block, ids, output);
    if (!is_scratch_) return;
    Counts counts;
    for (std::int64_t i = 0; i < ids.size();) {
      std::int64_t end = i;
      while (end < ids.size() && ids.data()[end] == ids.data()[i]) ++end;
      if (ids.data()[i] != 0) counts[ids.data()[i]] += static_cast<std::uint64_t>(end - i);
      i = end;
    }
    std::vector<Count> list;
    for (const auto& [id, voxels] : counts) list.push_back({id, voxels});
    if (!list.empty()) output.emit(block.id, blockwise::bytes_of(list));
  }

 private:
  // 1 in the condition's dataset, expanded.
  Array<std::uint8_t> region_of(const Condition& condition, const Box& box) const {
    const storage::DatasetSpec& spec = condition.dataset->spec();
    const Box read_box = box.grow(condition.halo, condition.halo).intersect(spec.domain());
    Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(read_box.shape());
    const AnyArray voxels = condition.dataset->read(read_box);
    dispatch(voxels.type(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = voxels.view<T>().data();
      for (std::int64_t i = 0; i < mask.size(); ++i) {
        mask.data()[i] =
            condition.threshold > 0 ? static_cast<double>(from[i]) >= condition.threshold : from[i] != T{};
      }
    });
    if (condition.expand_nm == 0) return mask;
    Array<std::uint8_t> region(box.shape());
    if (!is_any(mask)) return region;
    Array<float> squared_nm2 = Array<float>::uninitialized(mask.shape());
    voxel::squared_distance_transform(mask, spec.grid.voxel_size_nm,
                                      {voxel::DistanceTo::kForeground, condition.expand_nm}, squared_nm2);
    const ArrayView<const float> own = squared_nm2.view().part(box.translate(Index3{} - read_box.begin));
    for (std::int64_t z = 0; z < region.shape().z; ++z) {
      for (std::int64_t y = 0; y < region.shape().y; ++y) {
        const float* from = own.row(z, y);
        std::uint8_t* to = region.view().row(z, y);
        // Beyond the bound it is infinite.
        for (std::int64_t x = 0; x < region.shape().x; ++x) to[x] = std::isfinite(from[x]) ? 1 : 0;
      }
    }
    return region;
  }

  const Set& set_;
  std::string target_;
  bool is_scratch_;
};

class ChooseLarge : public Step {
 public:
  ChooseLarge(const Set& set, const std::filesystem::path& counts) : set_(set), counts_(counts) {}
  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = 8 * counts_.num_bytes();
    return plan;
  }
  void process(const Block&, BlockOutput& output) const override {
    Counts counts;
    for (const std::int64_t key : counts_.keys())
      for (const Count& one : blockwise::values_of<Count>(counts_.read(key).value()))
        counts[one.id] += one.voxels;
    std::vector<std::uint64_t> kept;
    const double voxel_nm3 = set_.labels->spec().grid.voxel_volume_nm3();
    for (const auto& [id, voxels] : counts)
      if (static_cast<double>(voxels) * voxel_nm3 >= set_.options.min_volume_nm3) kept.push_back(id);
    output.emit(0, blockwise::bytes_of(kept));
  }

 private:
  const Set& set_;
  blockwise::PartialReader counts_;
};

class DropSmall : public Step {
 public:
  DropSmall(const Set& set, const std::string& restricted, const std::filesystem::path& chosen)
      : set_(set), restricted_(storage::open_dataset(restricted)) {
    kept_ = blockwise::values_of<std::uint64_t>(blockwise::PartialReader(chosen).read(0).value());
  }
  StepPlan plan() const override {
    StepPlan plan = plan_over(set_);
    plan.reads(restricted_->address());
    plan.bytes_per_worker += static_cast<std::int64_t>(8 * kept_.size());
    return plan;
  }
  static StepPlan plan_over(const Set& set) {
    StepPlan plan = set.plan_of(set.output, false);
    plan.bytes_per_worker = 20 * set.block_shape.product();
    plan.bytes_read = plan.bytes_written;
    plan.voxels_per_second = 100e6;
    return plan;
  }
  void process(const Block& block, BlockOutput& output) const override {
    Array<std::uint64_t> ids = restricted_->read_as<std::uint64_t>(block.write_box);
    std::uint64_t last = 0;
    bool is_kept = true;
    for (std::int64_t i = 0; i < ids.size(); ++i) {
      if (ids.data()[i] == 0) continue;
      if (ids.data()[i] != last) {
        last = ids.data()[i];
        is_kept = std::binary_search(kept_.begin(), kept_.end(), last);
      }
      if (!is_kept) ids.data()[i] = 0;
    }
    write_ids(set_, block, ids, output);
  }

 private:
  const Set& set_;
  std::shared_ptr<storage::Dataset> restricted_;
  std::vector<std::uint64_t> kept_;
};

class RestrictStage : public blockwise::Stage {
 public:
  explicit RestrictStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override {
    if (!set_.drops_small()) return {"restrict"};
    return {"restrict", "choose large", "drop small"};
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (!set_.drops_small()) return std::make_unique<Restrict>(set_, set_.output, false);
    const std::string scratch = run.scratch("restricted");
    if (index == 0) return std::make_unique<Restrict>(set_, scratch, true);
    if (index == 1) return std::make_unique<ChooseLarge>(set_, run.step(0));
    return std::make_unique<DropSmall>(set_, scratch, run.step(1));
  }
  std::vector<StepPlan> plans() const override {
    if (!set_.drops_small()) return {Restrict(set_, set_.output, false).plan()};
    return {Restrict(set_, "", true).plan(), StepPlan::solve(), DropSmall::plan_over(set_)};
  }

 private:
  Set set_;
};

}  // namespace

void RestrictOptions::bind(OptionTable& table) {
  table
      .add("keep", keep,
           {"what stays, for each other dataset: what lies inside or outside of it",
            "",
            -1e300,
            1e300,
            {"inside", "outside"}})
      .add("expand_nm", expand_nm, {"by how much each other dataset is expanded first", "nm", 0, 1e5, {}})
      .add("other_thresholds", other_thresholds,
           {"for each other dataset: 0 where it is labels; of a prediction the smallest foreground value",
            "grey levels",
            0,
            255,
            {}})
      .add("threshold", threshold,
           {"0: the first dataset is labels; of a prediction the smallest foreground value",
            "grey levels",
            0,
            255,
            {}})
      .add("take_ids", take_ids,
           {"voxels take the id that the first other dataset has there, as a membrane that of its organelle",
            "",
            -1e300,
            1e300,
            {}})
      .add("min_volume_nm3", min_volume_nm3,
           {"objects of which less than this stays are dropped; 0: none", "nm^3", 0, 1e18, {}});
}

std::unique_ptr<blockwise::Stage> make_restrict_stage(const StageDescription& description) {
  return std::make_unique<RestrictStage>(description);
}

}  // namespace organon::stages
