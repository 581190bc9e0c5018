#include "organon/stages/publish/build_pyramid.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/stages/publish/reduce_levels.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

Reduction reduction_of(const std::string& kind, const storage::Dataset& dataset, bool is_label_image) {
  if (kind == "mean") return Reduction::kMean;
  if (kind == "mode") return Reduction::kMode;
  const Json attributes = dataset.attributes();
  if (attributes.contains("role") && attributes["role"].is_string())
    return attributes["role"] == "labels" ? Reduction::kMode : Reduction::kMean;
  if (is_label_image) return Reduction::kMode;
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
  std::string group;
  LevelSet levels;
  std::vector<storage::LabelColor> label_colors;

  explicit Set(const StageDescription& description) {
    options = options_from_json<PyramidOptions>(description.options_json);
    const auto s0 = storage::open_dataset(description.inputs.at(0));
    group = without_trailing_slashes(description.outputs.at(0));
    if (normal_path(description.inputs[0]) != normal_path(group) / "s0") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("a pyramid's levels lie beside its s0: expected {}/s0 as input, found {}",
                              group, description.inputs[0]));
    }
    const storage::DatasetSpec& spec = s0->spec();
    levels.source = s0;
    levels.reduction = reduction_of(options.kind, *s0, storage::read_group_display(group).is_label_image());
    label_colors = label_colors_for(*s0);
    levels.factors = pyramid_factors(spec.shape, spec.grid.voxel_size_nm, spec.chunk_shape, options.levels);
    levels.domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
    Json attributes = Json::object();
    const Json of_source = s0->attributes();
    for (const char* key : {"role", "contrast_limits"})
      if (of_source.contains(key)) attributes[key] = of_source[key];
    const char* const limits = storage::kContrastLimitsKey;
    if (const auto contrast = storage::contrast_of(*s0); contrast && !attributes.contains(limits))
      attributes[limits] = {contrast->low, contrast->high};
    for (std::size_t i = 0; i < levels.factors.size(); ++i) {
      const Shape3& factor = levels.factors[i];
      const std::string address = fmt::format("{}/s{}", group, i + 1);
      storage::DatasetSpec of_level = level_spec(spec, factor);
      // In shards as s0, where the level's format has them.
      if (storage::has_shards(spec)) {
        of_level.shard_shape = spec.shard_shape;
        of_level.shard_shape = storage::fitted_to(storage::format_for_new(address), of_level).shard_shape;
      }
      levels.outputs.push_back({address, of_level, attributes, factor});
    }
    levels.set_parts();
  }

  std::vector<storage::LabelColor> label_colors_for(const storage::Dataset& s0) const {
    std::vector<storage::LabelColor> colors;
    for (const std::string& text : options.label_colors) colors.push_back(storage::parse_label_color(text));
    if (colors.empty()) return colors;
    Json tried;
    storage::set_label_colors(tried, colors);
    const storage::Place& place = s0.place();
    if (is_floating(s0.spec().data_type) ||
        !((place / ".zarray").exists() || (place / "zarr.json").exists())) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format(
              "option label_colors: {} is no dataset of whole numbers in Zarr, which alone keeps colours "
              "of labels",
              s0.address()));
    }
    return colors;
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
      storage::remove_dataset(address);
    }
  }

 private:
  const Set& set_;
};

class WriteGroup : public Step {
 public:
  explicit WriteGroup(const Set& set) : set_(set) {}
  StepPlan plan() const override { return StepPlan::solve(); }
  void process(const Block&, BlockOutput&) const override {
    storage::write_multiscale_metadata(set_.group);
    if (!set_.label_colors.empty()) storage::set_label_colors(set_.group, set_.label_colors);
  }

 private:
  const Set& set_;
};

class PyramidStage : public blockwise::Stage {
 public:
  explicit PyramidStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    std::vector<std::string> names = {"remove old levels"};
    for (const LevelSet::Part& part : set_.levels.parts) {
      names.push_back(part.first == part.last ? fmt::format("make s{}", part.last)
                                              : fmt::format("make s{} to s{}", part.first, part.last));
    }
    names.emplace_back("describe levels");
    return names;
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<RemoveOldLevels>(set_);
    const std::size_t part = index - 1;
    if (part == set_.levels.parts.size()) return std::make_unique<WriteGroup>(set_);
    if (part == 0) return std::make_unique<ReduceLevels>(set_.levels, part);
    return std::make_unique<ReduceLevels>(set_.levels, part, run.step(index - 1));
  }
  std::vector<StepPlan> plans() const override {
    std::vector<StepPlan> plans = {StepPlan::solve()};
    for (std::size_t part = 0; part < set_.levels.parts.size(); ++part) {
      plans.push_back(part == 0 ? ReduceLevels(set_.levels, part).plan()
                                : ReduceLevels(set_.levels, part, "").plan());
    }
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
      .add("levels", levels, {"number of levels beside s0; -1: until one fits a chunk", "", -1, 30, {}})
      .add("label_colors", label_colors,
           {"of a label image in Zarr: value=#rrggbb or value=#rrggbbaa, and =name; empty: as they are",
            "",
            -1e300,
            1e300,
            {}});
}

std::unique_ptr<blockwise::Stage> make_pyramid_stage(const StageDescription& description) {
  return std::make_unique<PyramidStage>(description);
}

}  // namespace organon::stages
