#include "organon/stages/publish/build_pyramid.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/publish/pyramid_levels.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

Reduction reduction_of(const std::string& kind, const storage::Dataset& dataset) {
  if (kind == "mean") return Reduction::kMean;
  if (kind == "mode") return Reduction::kMode;
  const Json attributes = dataset.attributes();
  if (attributes.contains("role") && attributes["role"].is_string())
    return attributes["role"] == "labels" ? Reduction::kMode : Reduction::kMean;
  const DataType type = dataset.spec().data_type;
  return type == DataType::kUint32 || type == DataType::kUint64 ? Reduction::kMode : Reduction::kMean;
}

std::string without_trailing_slashes(std::string text) {
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::filesystem::path normal_path(const std::string& address) {
  return storage::absolute_place(without_trailing_slashes(address));
}

struct Set {
  PyramidOptions options;
  std::shared_ptr<storage::Dataset> s0;
  std::string group;
  Reduction reduction = Reduction::kMean;
  std::vector<Shape3> factors;
  Shape3 wanted_block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<PyramidOptions>(description.options_json);
    s0 = storage::open_dataset(description.inputs.at(0));
    group = without_trailing_slashes(description.outputs.at(0));
    if (normal_path(description.inputs[0]) != normal_path(group) / "s0") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("a pyramid's levels lie beside its s0: expected {}/s0 as input, found {}",
                              group, description.inputs[0]));
    }
    const storage::DatasetSpec& spec = s0->spec();
    reduction = reduction_of(options.kind, *s0);
    factors = pyramid_factors(spec.shape, spec.grid.voxel_size_nm, spec.chunk_shape, options.levels);
    wanted_block_shape = description.block_shape;
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  /// Level `index`, 1 for s1, ...
  MakeLevel::Level level(std::size_t index) const {
    const Shape3& factor = factors.at(index - 1);
    MakeLevel::Level level;
    level.source = s0;
    level.factor = factor;
    level.reduction = reduction;
    level.output.address = fmt::format("{}/s{}", group, index);
    level.output.spec = level_spec(s0->spec(), factor);
    const Json attributes = s0->attributes();
    for (const char* key : {"role", "contrast_limits"})
      if (attributes.contains(key)) level.output.attributes[key] = attributes[key];
    const storage::DatasetSpec& spec = level.output.spec;
    level.block_shape =
        blockwise::block_shape_or(wanted_block_shape, Shape3::cube(128), spec.shape, spec.chunk_shape);
    level.domain = level_domain(domain, factor, spec);
    return level;
  }
};

/// An earlier pyramid may have had other levels: none may stay among the new ones.
class RemoveOldLevels : public Step {
 public:
  explicit RemoveOldLevels(const Set& set) : set_(set) {}
  StepPlan plan() const override { return StepPlan::solve(); }
  void process(const Block&, BlockOutput&) const override {
    for (int index = 1;; ++index) {
      const std::string address = fmt::format("{}/s{}", set_.group, index);
      const storage::Place place = storage::parse_address(address).place();
      if (!storage::has_anything(place)) return;
      const Json attributes = storage::open_dataset(address)->attributes();
      if (!attributes.contains("organon") || attributes["organon"].value("verb", "") != "pyramid") {
        throw Error(ErrorKind::kAlreadyExists,
                    fmt::format("level {} exists and was not made by organon; move it away", address));
      }
      storage::remove_all(place);
    }
  }

 private:
  const Set& set_;
};

class WriteGroup : public Step {
 public:
  explicit WriteGroup(const Set& set) : set_(set) {}
  StepPlan plan() const override { return StepPlan::solve(); }
  void process(const Block&, BlockOutput&) const override { storage::write_multiscale_metadata(set_.group); }

 private:
  const Set& set_;
};

class PyramidStage : public blockwise::Stage {
 public:
  explicit PyramidStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    std::vector<std::string> names = {"remove old levels"};
    for (std::size_t i = 1; i <= set_.factors.size(); ++i) names.push_back(fmt::format("make s{}", i));
    names.push_back("describe levels");
    return names;
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder&) const override {
    if (index == 0) return std::make_unique<RemoveOldLevels>(set_);
    if (index <= set_.factors.size()) return std::make_unique<MakeLevel>(set_.level(index));
    return std::make_unique<WriteGroup>(set_);
  }
  std::vector<StepPlan> plans() const override {
    std::vector<StepPlan> plans = {StepPlan::solve()};
    for (std::size_t i = 1; i <= set_.factors.size(); ++i) plans.push_back(MakeLevel(set_.level(i)).plan());
    plans.push_back(StepPlan::solve());
    return plans;
  }

 private:
  Set set_;
};

}  // namespace

void PyramidOptions::bind(OptionTable& table) {
  table
      .add("kind", kind,
           {"how voxels are joined: mean for intensities, mode (most frequent) for labels; auto: by the role "
            "of s0, else mode for 32 and 64 bits",
            "",
            -1e300,
            1e300,
            {"auto", "mean", "mode"}})
      .add("levels", levels, {"number of levels beside s0; -1: until one fits a chunk", "", -1, 30, {}});
}

std::unique_ptr<blockwise::Stage> make_pyramid_stage(const StageDescription& description) {
  return std::make_unique<PyramidStage>(description);
}

}  // namespace organon::stages
