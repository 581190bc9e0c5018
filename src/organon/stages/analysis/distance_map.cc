#include "organon/stages/analysis/distance_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/multiscale.h"
#include "organon/tables/id_list.h"
#include "organon/voxel/label_distance.h"
#include "organon/voxel/signed_distance.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;
using voxel::Axis;

// A bundle of lines holds no more voxels than this, unless one chunk's lines do.
constexpr std::int64_t kMaxBundleVoxels = std::int64_t{1} << 26;

struct Set {
  DistanceMapOptions options;
  std::vector<std::uint64_t> ids;  ///< ascending; empty: any but 0
  std::shared_ptr<storage::Dataset> labels;
  std::string output;
  Shape3 block_shape;
  bool is_block_shape_given = false;
  Box whole;
  Box domain;  ///< what is wanted
  double bound_nm = std::numeric_limits<double>::infinity();
  Shape3 halo;  ///< of blocks, where a bound limits it

  explicit Set(const StageDescription& description) {
    options = options_from_json<DistanceMapOptions>(description.options_json);
    ids = tables::parse_id_list(options.ids);
    std::sort(ids.begin(), ids.end());
    labels = storage::open_multiscale(description.inputs.at(0)).levels.front();
    output = description.outputs.at(0);
    const storage::DatasetSpec& spec = labels->spec();
    if (is_floating(spec.data_type)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected labels, found {}", labels->address(), to_string(spec.data_type)));
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(256), spec.shape, spec.chunk_shape);
    is_block_shape_given = description.block_shape.largest() > 0;
    whole = spec.domain();
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
    if (options.bound_nm > 0) bound_nm = options.bound_nm;
    const auto reach = [&](double voxel_nm, std::int64_t size) {
      // One voxel more for the boundary of the signed distance, and for the hair that the bound is widened
      // by.
      return static_cast<std::int64_t>(std::min(bound_nm / voxel_nm, static_cast<double>(size))) + 1;
    };
    const SizeNm& size = spec.grid.voxel_size_nm;
    halo = {reach(size.z, spec.shape.z), reach(size.y, spec.shape.y), reach(size.x, spec.shape.x)};
  }

  const SizeNm& voxel_size_nm() const { return labels->spec().grid.voxel_size_nm; }
  /// Chunks on their way to and from the disk.
  std::int64_t chunk_bytes() const { return 32 * labels->spec().chunk_shape.product(); }
  std::int64_t label_bytes() const { return static_cast<std::int64_t>(size_of(labels->spec().data_type)); }
  /// Whether blocks are read with a halo: where this at most doubles their edges, or they are the whole.
  bool reads_halo() const {
    const auto is_small = [](std::int64_t reach, std::int64_t block, std::int64_t size) {
      return 2 * reach <= block || block >= size;
    };
    const Shape3& size = labels->spec().shape;
    return is_small(halo.z, block_shape.z, size.z) && is_small(halo.y, block_shape.y, size.y) &&
           is_small(halo.x, block_shape.x, size.x);
  }
  storage::DatasetSpec output_spec() const {
    storage::DatasetSpec spec = labels->spec();
    spec.data_type = DataType::kFloat32;
    spec.fill_value = 0;
    return spec;
  }
  storage::DatasetSpec scratch_spec(DataType type) const {
    storage::DatasetSpec spec = output_spec();
    spec.data_type = type;
    spec.codec = storage::Codec::kZstd;
    spec.level = 1;
    return spec;
  }
  blockwise::OutputDataset final_output() const {
    return {output, output_spec(), {{"role", "distance"}, {"unit", "nm"}}};
  }

  /// Labels of `box`, those that are not wanted set to 0.
  AnyArray read_objects(const Box& box) const {
    AnyArray objects = labels->read(box);
    if (ids.empty()) return objects;
    dispatch(objects.type(), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>) {
        T last = 0;
        bool is_wanted = true;  // so 0 stays 0
        for (T *at = objects.view<T>().data(), *end = at + objects.shape().product(); at != end; ++at) {
          if (*at != last) {
            last = *at;
            const auto id = static_cast<std::uint64_t>(static_cast<std::make_unsigned_t<T>>(last));
            is_wanted = std::binary_search(ids.begin(), ids.end(), id);
          }
          if (!is_wanted) *at = 0;
        }
      }
    });
    return objects;
  }
  Array<std::uint8_t> read_mask(const Box& box) const {
    const AnyArray objects = read_objects(box);
    Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(box.shape());
    with_ids(objects, [&](auto view) {
      std::transform(view.data(), view.data() + view.size(), mask.data(),
                     [](auto id) { return static_cast<std::uint8_t>(id != 0); });
    });
    return mask;
  }
};

// Bounded: all at once, from labels with a halo.
class MeasureBlocks : public Step {
 public:
  explicit MeasureBlocks(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    plan.reads(set_.labels->address(), set_.halo);
    plan.outputs = {set_.final_output()};
    plan.reuse = blockwise::Reuse::kAnywhere;
    const Shape3 reach = set_.block_shape + set_.halo * 2;
    const Shape3& size = set_.labels->spec().shape;
    const Shape3 read_shape{std::min(reach.z, size.z), std::min(reach.y, size.y), std::min(reach.x, size.x)};
    const std::int64_t read_voxels = read_shape.product();
    // Labels, distances, mask and sides; the part of the block; lines.
    plan.bytes_per_worker = (set_.label_bytes() + 8) * read_voxels + 8 * set_.block_shape.product() +
                            kBytesPerLineVoxel * read_shape.largest() + set_.chunk_bytes();
    plan.bytes_read = plan.blocks().count() * read_voxels * set_.label_bytes();
    plan.bytes_written = 4 * plan.domain.volume();
    plan.voxels_per_second = 30e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow(set_.halo, set_.halo).intersect(set_.whole);
    Array<float> distance = Array<float>::uninitialized(view_box.shape());
    if (set_.options.is_signed) {
      voxel::signed_distance(set_.read_mask(view_box), set_.voxel_size_nm(), set_.bound_nm, distance);
    } else {
      const AnyArray objects = set_.read_objects(view_box);
      with_ids(objects, [&](auto ids) {
        voxel::label_distance(ids, set_.voxel_size_nm(), {voxel::DistanceBorder::kAbsent, set_.bound_nm},
                              distance.view());
      });
    }
    const Box part = block.write_box.translate(Index3{} - view_box.begin);
    output.write<float>(0, block.write_box, std::as_const(distance).view().part(part));
  }

  // What the passes of all axes keep per voxel of the longest line, 32 lines at a time.
  static constexpr std::int64_t kBytesPerLineVoxel = 1024;

 private:
  const Set& set_;
};

// For the passes of the signed distance: inside, boundary or outside.
class FindSides : public Step {
 public:
  FindSides(const Set& set, std::string sides) : set_(set), sides_(std::move(sides)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.whole, set_.block_shape);
    plan.reads(set_.labels->address(), Shape3::cube(1));
    plan.outputs = {{sides_, set_.scratch_spec(DataType::kUint8)}};
    const std::int64_t read_voxels = Box::of_shape(set_.block_shape).grow(1).volume();
    plan.bytes_per_worker = (set_.label_bytes() + 4) * read_voxels + set_.chunk_bytes();
    plan.bytes_read = plan.blocks().count() * read_voxels * set_.label_bytes();
    plan.bytes_written = plan.domain.volume();
    plan.voxels_per_second = 100e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow(1).intersect(set_.whole);
    const Array<std::uint8_t> sides = voxel::sides_of(set_.read_mask(view_box));
    output.write<std::uint8_t>(0, block.write_box,
                               sides.view().part(block.write_box.translate(Index3{} - view_box.begin)));
  }

 private:
  const Set& set_;
  std::string sides_;
};

// One axis: bundles of whole lines along it.
class GoAlong : public Step {
 public:
  /// `sides`: of the signed distance; `from`: what the pass before left, `to`: what this one leaves.
  GoAlong(const Set& set, Axis axis, std::string sides, std::string from, std::string to)
      : set_(set), axis_(axis), sides_(std::move(sides)), from_(std::move(from)), to_(std::move(to)) {}

  StepPlan plan() const override {
    // Later passes need nothing but the lines that cross what they fill.
    Box domain = set_.domain;
    if (axis_ != Axis::kZ) domain = with_axis(domain, Axis::kZ, set_.whole);
    if (axis_ == Axis::kX) domain = with_axis(domain, Axis::kY, set_.whole);
    StepPlan plan = StepPlan::over(domain, bundle_shape());
    const auto box_read_by = [axis = axis_, whole = set_.whole](const Box& write_box) {
      return with_axis(write_box, axis, whole);
    };
    plan.inputs = {{ids_address(), box_read_by}};
    if (axis_ != Axis::kX) plan.inputs.push_back({from_, box_read_by});
    // Scratch has no place before the run.
    std::erase_if(plan.inputs, [](const auto& input) { return input.address.empty(); });
    plan.outputs = {axis_ == Axis::kZ ? set_.final_output()
                                      : blockwise::OutputDataset{to_, set_.scratch_spec(DataType::kFloat32)}};
    const std::int64_t voxels = plan.block_shape.product();
    const std::int64_t id_bytes = set_.options.is_signed ? 1 : set_.label_bytes();
    plan.bytes_per_worker = (id_bytes + 8) * voxels + set_.chunk_bytes() +
                            MeasureBlocks::kBytesPerLineVoxel * set_.whole.shape().largest();
    plan.bytes_read =
        (id_bytes + (axis_ == Axis::kX ? 0 : 4)) * with_axis(domain, axis_, set_.whole).volume();
    plan.bytes_written = 4 * domain.volume();
    plan.voxels_per_second = 60e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box box = with_axis(block.write_box, axis_, set_.whole);
    Array<float> squared = axis_ == Axis::kX ? Array<float>::uninitialized(box.shape())
                                             : storage::open_dataset(from_)->read_as<float>(box);
    const AnyArray objects =
        set_.options.is_signed ? storage::open_dataset(sides_)->read(box) : set_.read_objects(box);
    with_ids(objects, [&](auto ids) {
      voxel::label_distance_pass(ids, axis_, set_.voxel_size_nm(),
                                 {voxel::DistanceBorder::kAbsent, set_.bound_nm}, squared.view());
    });
    if (axis_ == Axis::kZ) {
      std::transform(squared.data(), squared.data() + squared.size(), squared.data(),
                     [](float value) { return std::sqrt(value); });
      if (set_.options.is_signed) voxel::sign_distances(objects.view<std::uint8_t>(), squared);
    }
    const Box part = block.write_box.translate(Index3{} - box.begin);
    output.write<float>(0, block.write_box, std::as_const(squared).view().part(part));
  }

 private:
  static Box with_axis(Box box, Axis axis, const Box& whole) {
    if (axis == Axis::kZ) {
      box.begin.z = whole.begin.z;
      box.end.z = whole.end.z;
    } else if (axis == Axis::kY) {
      box.begin.y = whole.begin.y;
      box.end.y = whole.end.y;
    } else {
      box.begin.x = whole.begin.x;
      box.end.x = whole.end.x;
    }
    return box;
  }

  const std::string& ids_address() const { return set_.options.is_signed ? sides_ : set_.labels->address(); }

  // Whole lines along the axis; across it blocks as asked for, or as many whole chunks as are not too much.
  Shape3 bundle_shape() const {
    const Shape3 chunk = set_.labels->spec().chunk_shape;
    Shape3 shape = set_.block_shape;
    if (axis_ == Axis::kZ) shape.z = round_up_to_multiple(set_.whole.end.z, chunk.z);
    if (axis_ == Axis::kY) shape.y = round_up_to_multiple(set_.whole.end.y, chunk.y);
    if (axis_ == Axis::kX) shape.x = round_up_to_multiple(set_.whole.end.x, chunk.x);
    std::int64_t& first = axis_ == Axis::kZ ? shape.y : shape.z;
    std::int64_t& second = axis_ == Axis::kX ? shape.y : shape.x;
    const std::int64_t first_chunk = axis_ == Axis::kZ ? chunk.y : chunk.z;
    const std::int64_t second_chunk = axis_ == Axis::kX ? chunk.y : chunk.x;
    while (!set_.is_block_shape_given && shape.product() > kMaxBundleVoxels) {
      const bool takes_first = first > first_chunk && (first >= second || second <= second_chunk);
      if (!takes_first && second <= second_chunk) break;
      std::int64_t& extent = takes_first ? first : second;
      const std::int64_t extent_chunk = takes_first ? first_chunk : second_chunk;
      // Fewer than before, as there are at least two chunks.
      extent = extent / extent_chunk / 2 * extent_chunk;
    }
    return shape;
  }

  const Set& set_;
  Axis axis_;
  std::string sides_;
  std::string from_;
  std::string to_;
};

class DistanceStage : public blockwise::Stage {
 public:
  explicit DistanceStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    if (set_.reads_halo()) return {"measure distances"};
    std::vector<std::string> names = {"go along x", "go along y", "go along z"};
    if (set_.options.is_signed) names.insert(names.begin(), "find sides");
    return names;
  }

  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    return step(index, [&](const std::string& name) { return run.scratch(name); });
  }

  std::vector<StepPlan> plans() const override {
    std::vector<StepPlan> plans;
    for (std::size_t i = 0; i < steps().size(); ++i)
      plans.push_back(step(i, [](const std::string&) { return std::string(); })->plan());
    return plans;
  }

 private:
  template <class Scratch>
  std::unique_ptr<Step> step(std::size_t index, Scratch scratch) const {
    if (set_.reads_halo()) return std::make_unique<MeasureBlocks>(set_);
    const std::size_t first_pass = set_.options.is_signed ? 1 : 0;
    if (index < first_pass) return std::make_unique<FindSides>(set_, scratch("sides"));
    const std::size_t pass = index - first_pass;
    const Axis axes[] = {Axis::kX, Axis::kY, Axis::kZ};
    return std::make_unique<GoAlong>(set_, axes[pass], scratch("sides"),
                                     scratch(pass == 1 ? "along_x" : "along_y"),
                                     scratch(pass == 0 ? "along_x" : "along_y"));
  }

  Set set_;
};

}  // namespace

void DistanceMapOptions::bind(OptionTable& table) {
  table
      .add("bound_nm", bound_nm,
           {"larger distances become infinite, which makes small bounds quick; 0: none", "nm", 0, 1e12, {}})
      .add("signed", is_signed,
           {"signed distance to the boundary of all objects together: inside above 0, outside below",
            "",
            -1e300,
            1e300,
            {}})
      .add("ids", ids, {"ids that are objects, as 3+4+5; none: any above 0", "", -1e300, 1e300, {}});
}

std::unique_ptr<blockwise::Stage> make_distance_stage(const StageDescription& description) {
  return std::make_unique<DistanceStage>(description);
}

}  // namespace organon::stages
