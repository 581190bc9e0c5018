#include "organon/stages/ground_truth/make_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/ground_truth/class_source.h"
#include "organon/storage/fitted_dataset.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/training_targets.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr double kVoxelSizeTolerance = 0.05;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "targets: " + message);
}

// Whole voxels of `size_nm` per `wanted_nm`.
std::int64_t factor_of(double wanted_nm, double size_nm, const SizeNm& labels) {
  const double ratio = wanted_nm / size_nm;
  const double factor = std::round(ratio);
  if (!(factor >= 1) || std::abs(ratio - factor) > kVoxelSizeTolerance * ratio) {
    refuse(fmt::format("labels of {} nm do not reduce to voxels of {} nm by a whole factor",
                       to_string(labels), wanted_nm));
  }
  return static_cast<std::int64_t>(factor);
}

struct LabelVolume {
  storage::FittedDataset fitted;
  double unlabelled_id = -1;
};

struct TargetClass {
  std::string name;
  ClassSource source;
  voxel::TargetOptions target;      ///< but for the factor, which is that of its volumes
  std::vector<std::size_t> joined;  ///< numbers of other classes
  std::int64_t mask = -1;           ///< number of a volume
};

struct Set {
  TargetsOptions options;
  std::string group;
  std::vector<LabelVolume> volumes;
  std::vector<TargetClass> classes;
  storage::DatasetSpec spec;  ///< of each output
  Shape3 block_shape;
  Box domain;  ///< of the targets: nothing is known beyond

  explicit Set(const StageDescription& description) {
    options = options_from_json<TargetsOptions>(description.options_json);
    group = description.outputs.at(0);
    open_volumes(description);
    read_classes();
    block_shape = blockwise::block_shape_or(description.block_shape, Shape3{64, 128, 128}, spec.shape,
                                            spec.chunk_shape);
  }

  void open_volumes(const StageDescription& description) {
    const auto& sizes = options.voxel_size_nm;
    if (sizes.size() != 1 && sizes.size() != 3) refuse("voxel_size_nm: expected one number, or three: z,y,x");
    const auto& inputs = description.inputs;
    const auto& unlabelled = options.unlabelled_id;
    if (unlabelled.size() != 1 && unlabelled.size() != inputs.size()) {
      refuse(fmt::format("unlabelled_id: expected one id, or one for each of {} volumes, found {}",
                         inputs.size(), unlabelled.size()));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto labels = storage::open_multiscale(inputs[i]).levels.front();
      if (i == 0) {
        const storage::DatasetSpec& own = labels->spec();
        const SizeNm& size = own.grid.voxel_size_nm;
        const Shape3 factor{factor_of(sizes.front(), size.z, size),
                            factor_of(sizes[sizes.size() / 2], size.y, size),
                            factor_of(sizes.back(), size.x, size)};
        spec.shape = {own.shape.z / factor.z, own.shape.y / factor.y, own.shape.x / factor.x};
        if (spec.shape.product() == 0)
          refuse(fmt::format("{}: {} voxels are less than one of the targets", labels->address(),
                             to_string(own.shape)));
        spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
        spec.data_type = DataType::kUint8;
        spec.grid = own.grid.downsampled(factor);
        domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, {1, 1, 1});
      }
      volumes.push_back({storage::fit_dataset(labels, {spec.grid, "the targets"}, "labels"),
                         unlabelled[unlabelled.size() == 1 ? 0 : i]});
    }
  }

  void read_classes() {
    const std::size_t count = options.classes.size();
    const auto expect = [&](const char* option, std::size_t found, bool is_optional) {
      if (found != count && !(is_optional && found == 0))
        refuse(fmt::format("{} classes need as many {}, found {}", count, option, found));
    };
    if (count == 0) refuse("no classes are named");
    expect("ids", options.ids.size(), false);
    expect("add_nm", options.add_nm.size(), true);
    expect("joined", options.joined.size(), true);
    expect("masks", options.masks.size(), true);
    for (std::size_t c = 0; c < count; ++c) {
      TargetClass found;
      found.name = options.classes[c];
      found.source = parse_class_source(options.ids[c], volumes.size());
      found.target.scale_nm = options.scale_nm;
      found.target.limit_nm = options.limit_nm;
      found.target.add_nm = options.add_nm.empty() ? 0 : options.add_nm[c];
      if (std::abs(found.target.add_nm) >= options.limit_nm)
        refuse(
            fmt::format("add_nm of {}: expected less than the limit, {} nm", found.name, options.limit_nm));
      found.target.sampling =
          options.sampling == "mean" ? voxel::TargetSampling::kMean : voxel::TargetSampling::kEveryNth;
      if (!found.source.empty()) found.target.factor = factor_of_class(found);
      if (!options.joined.empty()) found.joined = numbers_of(options.joined[c], found.name);
      if (!options.masks.empty()) found.mask = options.masks[c];
      if (found.mask >= static_cast<std::int64_t>(volumes.size())) {
        refuse(fmt::format("masks: {} is to have volume {}, and there are {}", found.name, found.mask,
                           volumes.size()));
      }
      classes.push_back(std::move(found));
    }
  }

  Shape3 factor_of_class(const TargetClass& of) const {
    const Shape3 factor = volumes[of.source.front().volume].fitted.factor;
    for (const VolumeIds& part : of.source) {
      if (volumes[part.volume].fitted.factor == factor) continue;
      refuse(fmt::format("{}: it is made of volumes of different voxel sizes, {} and {}", of.name,
                         volumes[of.source.front().volume].fitted.dataset->address(),
                         volumes[part.volume].fitted.dataset->address()));
    }
    return factor;
  }

  std::vector<std::size_t> numbers_of(const std::string& names, const std::string& of) const {
    std::vector<std::size_t> numbers;
    for (std::size_t begin = 0; begin < names.size();) {
      const std::size_t end = std::min(names.find('+', begin), names.size());
      const std::string name = names.substr(begin, end - begin);
      const auto place = std::find(options.classes.begin(), options.classes.end(), name);
      if (place == options.classes.end() || name == of)
        refuse(fmt::format("joined: {} is to be joined with '{}', which is no other class here", of, name));
      numbers.push_back(static_cast<std::size_t>(place - options.classes.begin()));
      begin = end + 1;
    }
    return numbers;
  }

  SizeNm label_size_nm(const TargetClass& of) const {
    const Shape3& f = of.target.factor;
    const SizeNm& size = spec.grid.voxel_size_nm;
    return {size.z / static_cast<double>(f.z), size.y / static_cast<double>(f.y),
            size.x / static_cast<double>(f.x)};
  }

  /// In target voxels: how far labels are needed around what is wanted. One for all classes, so that what is
  /// read, and where it is annotated, is looked at once.
  Shape3 halo() const {
    Shape3 most;
    for (const TargetClass& of : classes) {
      const Shape3& f = of.target.factor;
      const Shape3 own = voxel::target_halo(label_size_nm(of), of.target);
      most = {std::max(most.z, own.z / f.z), std::max(most.y, own.y / f.y), std::max(most.x, own.x / f.x)};
    }
    return most;
  }

  double reach_nm() const {
    double most = 0;
    for (const TargetClass& of : classes)
      most = std::max(most, of.target.limit_nm + std::abs(of.target.add_nm));
    return most;
  }
};

// What is known of one class in a block.
struct ClassTarget {
  Array<float> target;
  Array<std::uint8_t> mask;
};

class MakeTargets : public Step {
 public:
  explicit MakeTargets(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan;
    // Whole chunks are written; voxels outside the box stay 0, "no say".
    const Shape3 chunk = set_.spec.chunk_shape;
    const BlockGrid chunks(Box::of_shape(set_.spec.shape), chunk);
    const Box positions = chunks.positions_touching(set_.domain);
    plan.domain =
        Box{chunks.box_of(positions.begin).begin, chunks.box_of(positions.end - Index3{1, 1, 1}).end};
    plan.block_shape = set_.block_shape;
    for (const TargetClass& of : set_.classes)
      plan.outputs.push_back({target_address(set_.group, of.name), set_.spec});
    const Shape3 halo = set_.halo();
    std::int64_t read_voxels = 0;
    std::int64_t most_voxels = 0;
    const Shape3 cells = set_.block_shape + halo * 2;
    for (const LabelVolume& volume : set_.volumes) {
      plan.inputs.push_back(
          {volume.fitted.dataset->address(),
           [fitted = volume.fitted, halo](const Box& box) { return fitted.cells_of(box.grow(halo, halo)); }});
      const std::int64_t voxels = cells.product() * volume.fitted.factor.product();
      read_voxels += voxels;
      most_voxels = std::max(most_voxels, voxels);
    }
    plan.bytes_per_worker = 40 * most_voxels + 8 * read_voxels +
                            5 * static_cast<std::int64_t>(set_.classes.size()) * set_.block_shape.product();
    plan.bytes_read = plan.blocks().count() * read_voxels;
    plan.bytes_written = static_cast<std::int64_t>(plan.outputs.size()) * plan.domain.volume();
    plan.voxels_per_second = 0.3e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box wanted = block.write_box.intersect(set_.domain);
    LabelsRead read(set_);
    BorderSeen border(set_);
    std::vector<ClassTarget> made;
    for (const TargetClass& of : set_.classes) made.push_back(make(of, wanted, read, border));
    for (std::size_t c = 0; c < made.size(); ++c) {
      Array<std::uint8_t> stored(block.write_box.shape());
      const auto part = stored.view().part(wanted.translate(Index3{} - block.write_box.begin));
      for (std::int64_t z = 0; z < wanted.shape().z; ++z) {
        for (std::int64_t y = 0; y < wanted.shape().y; ++y) {
          for (std::int64_t x = 0; x < wanted.shape().x; ++x) {
            float target = made[c].target(z, y, x);
            bool is_known = made[c].mask(z, y, x) != 0;
            for (const std::size_t other : set_.classes[c].joined) {
              target = std::max(target, made[other].target(z, y, x));
              is_known = is_known || made[other].mask(z, y, x) != 0;
            }
            part(z, y, x) =
                is_known ? std::max<std::uint8_t>(1, voxel::quantize_prediction(target)) : std::uint8_t{0};
          }
        }
      }
      output.write<std::uint8_t>(c, block.write_box, stored.view());
    }
  }

 private:
  // Volumes of a block as they are read, each once for all classes that need the same box.
  class LabelsRead {
   public:
    explicit LabelsRead(const Set& set) : set_(set) {}
    const Array<std::uint64_t>& of(std::size_t volume, const Box& box) {
      auto& [known_box, labels] = read_[volume];
      if (known_box != box || labels.size() == 0) {
        labels = set_.volumes[volume].fitted.dataset->read_as<std::uint64_t>(box);
        known_box = box;
      }
      return labels;
    }

   private:
    const Set& set_;
    std::map<std::size_t, std::pair<Box, Array<std::uint64_t>>> read_;
  };

  // How far voxels lie from what is not annotated: computed anew only where a class is annotated otherwise
  // than the one before.
  class BorderSeen {
   public:
    explicit BorderSeen(const Set& set) : set_(set) {}
    const Array<float>& of(const TargetClass& seen, Array<std::uint8_t> annotated, const Box& inner) {
      const bool is_same =
          annotated.shape() == annotated_.shape() && inner == inner_ && seen.target.factor == factor_ &&
          std::equal(annotated.data(), annotated.data() + annotated.size(), annotated_.data());
      if (!is_same) {
        distance_ = voxel::distance_to_unannotated(annotated, inner, set_.label_size_nm(seen), seen.target,
                                                   set_.reach_nm());
        annotated_ = std::move(annotated);
        inner_ = inner;
        factor_ = seen.target.factor;
      }
      return distance_;
    }

   private:
    const Set& set_;
    Array<std::uint8_t> annotated_;
    Box inner_;
    Shape3 factor_;
    Array<float> distance_;
  };

  ClassTarget make(const TargetClass& of, const Box& wanted, LabelsRead& read, BorderSeen& border) const {
    // Without a source nothing is known, and -1 is what never wins where classes are joined.
    ClassTarget made{Array<float>(wanted.shape(), -1.0F), Array<std::uint8_t>(wanted.shape())};
    if (of.source.empty() || wanted.empty()) return made;
    const Shape3 halo = set_.halo();
    Box view = wanted.grow(halo, halo).intersect(set_.domain);
    for (const VolumeIds& part : of.source)
      view = view.intersect(set_.volumes[part.volume].fitted.coverage());
    const Box inner = wanted.intersect(view);
    if (inner.empty()) return made;
    const Shape3& f = of.target.factor;
    const auto scaled = [&](const Box& box) {
      return Box{{box.begin.z * f.z, box.begin.y * f.y, box.begin.x * f.x},
                 {box.end.z * f.z, box.end.y * f.y, box.end.x * f.x}};
    };
    Array<std::uint8_t> member(scaled(view).shape());
    Array<std::uint8_t> annotated(member.shape(), 1);
    for (const VolumeIds& part : of.source) {
      const LabelVolume& volume = set_.volumes[part.volume];
      add_members(read.of(part.volume, volume.fitted.cells_of(view)), part.ids, volume.unlabelled_id, member,
                  annotated);
    }
    if (of.mask >= 0) cut_by_mask(static_cast<std::size_t>(of.mask), view, f, read, annotated);
    Array<float> target = Array<float>::uninitialized(inner.shape());
    Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(inner.shape());
    const Box inner_labels = scaled(inner.translate(Index3{} - view.begin));
    const Array<float>& to_unannotated = border.of(of, std::move(annotated), inner_labels);
    voxel::make_target(member, to_unannotated, inner_labels, set_.label_size_nm(of), of.target, target, mask);
    const Box place = inner.translate(Index3{} - wanted.begin);
    copy_voxels<float>(std::as_const(target).view(), made.target.view().part(place));
    copy_voxels<std::uint8_t>(std::as_const(mask).view(), made.mask.view().part(place));
    return made;
  }

  static void add_members(const Array<std::uint64_t>& labels, const std::vector<std::uint64_t>& ids,
                          double unlabelled_id, Array<std::uint8_t>& member, Array<std::uint8_t>& annotated) {
    const bool has_unlabelled = unlabelled_id >= 0;
    const auto unlabelled = has_unlabelled ? static_cast<std::uint64_t>(unlabelled_id) : 0;
    for (std::int64_t i = 0; i < labels.size(); ++i) {
      const std::uint64_t id = labels.data()[i];
      if (has_unlabelled && id == unlabelled) {
        annotated.data()[i] = 0;
      } else if (ids.empty() ? id != 0 : std::find(ids.begin(), ids.end(), id) != ids.end()) {
        member.data()[i] = 1;
      }
    }
  }

  // Voxels of labels in target voxels where the mask is 0, or beyond it, are not annotated. A mask finer than
  // the targets is sampled as labels are.
  void cut_by_mask(std::size_t volume, const Box& view, const Shape3& f, LabelsRead& read,
                   Array<std::uint8_t>& annotated) const {
    const storage::FittedDataset& fitted = set_.volumes[volume].fitted;
    const Box covered = view.intersect(fitted.coverage());
    const Array<std::uint64_t>* mask = covered.empty() ? nullptr : &read.of(volume, fitted.cells_of(covered));
    for (std::int64_t z = 0; z < annotated.shape().z; ++z) {
      for (std::int64_t y = 0; y < annotated.shape().y; ++y) {
        for (std::int64_t x = 0; x < annotated.shape().x; ++x) {
          const Index3 at = view.begin + Index3{z / f.z, y / f.y, x / f.x};
          const bool is_known =
              covered.contains(at) &&
              (*mask)((at.z - covered.begin.z) * fitted.factor.z, (at.y - covered.begin.y) * fitted.factor.y,
                      (at.x - covered.begin.x) * fitted.factor.x) != 0;
          if (!is_known) annotated(z, y, x) = 0;
        }
      }
    }
  }

  const Set& set_;
};

class TargetsStage : public blockwise::Stage {
 public:
  explicit TargetsStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override { return {"make targets"}; }
  // 3: every second label, and borders between target voxels, as the paper has them.
  int algorithm_version() const override { return 3; }
  std::unique_ptr<Step> make_step(std::size_t, const blockwise::RunFolder&) const override {
    return std::make_unique<MakeTargets>(set_);
  }
  std::vector<StepPlan> plans() const override { return {MakeTargets(set_).plan()}; }

 private:
  Set set_;
};

}  // namespace

std::string target_address(const std::string& group, const std::string& class_name) {
  return group + "/" + class_name;
}

void TargetsOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("classes", classes, {"names of the classes to learn", "", -kAny, kAny, {}})
      .add(
          "ids", ids,
          {"per class the label ids that it merges, as 3+4+5; any: all but 0; -: not annotated; 2:31 for ids "
           "of volume 2 (LABELS is 0), and 1:1&2:1 for the union of several",
           "",
           -kAny,
           kAny,
           {}})
      .add("voxel_size_nm", voxel_size_nm,
           {"voxel size of the targets, one number or z,y,x: the labels' or a whole multiple",
            "nm",
            0.1,
            1000,
            {}})
      .add("scale_nm", scale_nm, {"target = tanh(distance / scale)", "nm", 1, 1e4, {}})
      .add("limit_nm", limit_nm, {"distances are clipped here", "nm", 1, 1e4, {}})
      .add("add_nm", add_nm,
           {"per class, added to its distance: structures that are thin grow; empty: 0", "nm", -1e3, 1e3, {}})
      .add(
          "joined", joined,
          {"per class the classes whose targets are joined to its own, as cent+cent-dapp: the largest counts",
           "",
           -kAny,
           kAny,
           {}})
      .add("masks", masks,
           {"per class the number of the volume that is not 0 where the class is annotated; -1: none",
            "",
            -1,
            1e6,
            {}})
      .add("unlabelled_id", unlabelled_id,
           {"label id that means: not annotated; -1: none. One for all volumes, or one for each",
            "",
            -1,
            1e15,
            {}})
      .add("sampling", sampling,
           {"of labels finer than targets: every_nth voxel, as the paper, or the mean of their distances, "
            "which does not shift by half a voxel",
            "",
            -kAny,
            kAny,
            {"every_nth", "mean"}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_targets_stage(const StageDescription& description) {
  return std::make_unique<TargetsStage>(description);
}

}  // namespace organon::stages
