#include "organon/app/cell_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/app/crop_volumes.h"
#include "organon/app/describe_stage.h"
#include "organon/app/stage_list.h"
#include "organon/base/error.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

using Options = OptionTexts;

// A dataset or pyramid at `source`; nothing where there are slices.
std::shared_ptr<storage::Dataset> find_dataset(const std::string& source) {
  try {
    return storage::open_multiscale(source).levels.front();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
  }
  if (!storage::has_anything(storage::parse_address(source).place())) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no such dataset, folder of slices or multi-page TIFF", source));
  }
  return nullptr;
}

std::string plus_list(const std::vector<std::int64_t>& ids) { return fmt::format("{}", fmt::join(ids, "+")); }

}  // namespace

CellStages::CellStages(const config::CellConfig& config, std::filesystem::path root)
    : config_(config), root_(std::move(root)) {
  // Every option is checked before anything runs: stages after the import are bound only then.
  for (const StageVerb& verb : stage_verbs()) stage(verb.name, {}, "", {}, {table(verb.name)});
  for (const config::ClassConfig& organelle : config.classes) {
    stage("segment", {}, "", {}, {&organelle.segment});
    stage("agglomerate", {}, "", {}, {&organelle.agglomerate});
  }
  if (!config.mask_polygons.empty() && !std::filesystem::is_regular_file(config.mask_polygons)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: [mask] polygons: no such file", config.mask_polygons));
  }
  if (const auto dataset = find_dataset(config.raw_source)) {
    raw_group_ = config.raw_source;
    raw_s0_ = dataset->address();
    const SizeNm size = dataset->spec().grid.voxel_size_nm;
    raw_voxel_size_nm_ = {size.z, size.y, size.x};
    has_own_raw_ = raw_s0_ != raw_group_ && dataset->attributes().contains("organon");
  } else {
    raw_group_ = in_container("raw");
    raw_s0_ = raw_group_ + "/s0";
    has_own_raw_ = true;
    config::StageSettings settings = config.import;
    // Limits are an option of the stages that use them, so that a change of them imports nothing again.
    settings.values.erase("contrast_limits");
    imports_.push_back(stage("import", {config.raw_source}, raw_s0_, {{"role", "raw"}}, {&settings}));
    raw_voxel_size_nm_ = config.raw_voxel_size_nm;
    if (raw_voxel_size_nm_.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: raw: slices need voxel_size_nm", config.path.string()));
    }
  }
  for (const config::CropConfig& crop : config.crops) {
    const std::string folder = "crops/" + crop.name;
    const auto& raw_size = crop.voxel_size_nm.empty() ? raw_voxel_size_nm_ : crop.voxel_size_nm;
    const auto& labels_size = crop.labels_voxel_size_nm.empty() ? raw_size : crop.labels_voxel_size_nm;
    crop_raw_.push_back(crop.raw.empty() || crop.raw == config.raw_source
                            ? raw_s0_
                            : import_once(crop.raw, in_container(folder + "/raw"), "raw", raw_size));
    crop_labels_.push_back(
        is_group_of_classes(crop.labels, config)
            ? crop.labels
            : import_once(crop.labels, in_container(folder + "/labels"), "labels", labels_size));
  }
  if (!config.truth.empty()) {
    truth_ =
        import_once(config.truth, in_container("truth"), "labels",
                    config.truth_voxel_size_nm.empty() ? raw_voxel_size_nm_ : config.truth_voxel_size_nm);
  }
}

std::vector<double> CellStages::raw_limits() const {
  return config_.contrast_limits.empty() ? stored_limits(raw_s0_) : config_.contrast_limits;
}

std::string CellStages::in_container(const std::string& path) const {
  return (root_ / (config_.name + "." + config_.format) / path).string();
}

std::string CellStages::scores(const std::string& class_name) const {
  return (root_ / "scores" / (class_name + ".json")).string();
}

const config::StageSettings* CellStages::table(const std::string& verb) const {
  const auto found = config_.stages.find(verb);
  return found == config_.stages.end() ? nullptr : &found->second;
}

std::string CellStages::import_once(const std::string& source, const std::string& output,
                                    const std::string& role, const std::vector<double>& voxel_size_nm) {
  if (const auto dataset = find_dataset(source)) return dataset->address();
  for (const blockwise::StageDescription& made : imports_) {
    if (made.inputs[0] == source && made.outputs[0] != raw_s0_) return made.outputs[0];
  }
  imports_.push_back(
      stage("import", {source}, output, {{"role", role}, {"voxel_size_nm", comma_list(voxel_size_nm)}}, {}));
  return output;
}

blockwise::StageDescription CellStages::stage(
    const std::string& verb, std::vector<std::string> inputs, const std::string& output,
    const Options& options, const std::vector<const config::StageSettings*>& settings) const {
  return describe_stage(verb, {std::move(inputs), output}, options, settings);
}

std::vector<blockwise::StageDescription> CellStages::after_imports(
    const std::vector<double>& raw_limits) const {
  std::vector<blockwise::StageDescription> stages;
  std::vector<std::string> names, joined, balance_as, colors;
  std::vector<double> constants;
  for (const config::ClassConfig& organelle : config_.classes) {
    colors.push_back(organelle.color);
    if (!organelle.is_predicted()) continue;
    names.push_back(organelle.name);
    joined.push_back(fmt::format("{}", fmt::join(organelle.joined, "+")));
    balance_as.push_back(organelle.balance_as);
    constants.push_back(organelle.add_nm);
  }
  if (has_own_raw_) stages.push_back(stage("pyramid", {raw_s0_}, raw_group_, {}, {table("pyramid")}));

  const std::string mask = config_.has_mask ? in_container("mask") : "";
  if (config_.has_mask) {
    std::vector<std::string> inputs = {raw_group_};
    if (!config_.mask_polygons.empty()) inputs.push_back(config_.mask_polygons);
    stages.push_back(stage("mask", inputs, mask, {}, {table("mask")}));
  }

  std::string network = config_.network;
  if (network.empty()) {
    std::vector<std::string> pairs, roles;
    // Low and high of every pair: cell.toml's where the raw is this cell's, so that the network learns what
    // it will see. Left out where a pair has none (train then says which).
    std::vector<double> limits;
    bool all_have_limits = true;
    for (std::size_t i = 0; i < config_.crops.size(); ++i) {
      const std::string targets = in_container("targets/" + config_.crops[i].name);
      const config::CropConfig& crop = config_.crops[i];
      // A holdout is for evaluation alone.
      if (crop.role == "holdout") continue;
      const CropVolumes volumes = volumes_of_crop(crop, crop_labels_[i], config_);
      stages.push_back(stage("targets", volumes.addresses, targets,
                             {{"classes", comma_list(names)},
                              {"ids", comma_list(volumes.ids)},
                              {"masks", comma_list(volumes.masks)},
                              {"unlabelled_id", comma_list(volumes.unlabelled_ids)},
                              {"add_nm", comma_list(constants)},
                              {"joined", comma_list(joined)},
                              {"voxel_size_nm", comma_list(raw_voxel_size_nm_)}},
                             {table("targets")}));
      stages.back().box_nm = config_.crops[i].box_nm;
      pairs.insert(pairs.end(), {crop_raw_[i], targets});
      roles.push_back(config_.crops[i].role);
      const std::vector<double> own = crop_raw_[i] == raw_s0_ ? raw_limits : stored_limits(crop_raw_[i]);
      all_have_limits = all_have_limits && own.size() == 2;
      limits.insert(limits.end(), own.begin(), own.end());
    }
    if (!all_have_limits) limits.clear();
    if (!config_.start_from.empty()) pairs.push_back(config_.start_from);
    network = (root_ / "networks" / config_.name).string();
    stages.push_back(stage("train", pairs, network,
                           {{"classes", comma_list(names)},
                            {"balance_as", comma_list(balance_as)},
                            {"roles", comma_list(roles)},
                            {"contrast_limits", comma_list(limits)}},
                           {table("train")}));
  }
  const std::string predictions = in_container("predictions");
  std::vector<std::string> predicted_from = {raw_group_, network};
  if (config_.has_mask) predicted_from.push_back(mask);
  stages.push_back(stage("predict", predicted_from, predictions,
                         {{"contrast_limits", comma_list(raw_limits)}}, {table("predict")}));

  // Stage by stage rather than class by class, so that all results of a stage appear together.
  const auto for_each_class = [&](auto&& make) {
    for (const config::ClassConfig& organelle : config_.classes) stages.push_back(make(organelle));
  };
  const auto path_of = [&](const char* kind, const config::ClassConfig& organelle) {
    return in_container(fmt::format("{}/{}", kind, organelle.name));
  };
  const auto table_of = [&](const config::ClassConfig& organelle) {
    return (root_ / "tables" / (organelle.name + ".csv")).string();
  };
  const auto meshes_of = [&](const config::ClassConfig& organelle) {
    return (root_ / "meshes" / organelle.name).string();
  };
  add_objects(stages);
  if (!truth_.empty()) {
    for (const config::ClassConfig& organelle : config_.classes) {
      // What is made of other classes has no truth of its own.
      if (!organelle.is_predicted()) continue;
      stages.push_back(stage("evaluate", {path_of("refined", organelle), truth_}, scores(organelle.name),
                             {{"class_name", organelle.name},
                              {"ids", plus_list(organelle.ids)},
                              {"raw", raw_s0_},
                              // Judged as it was learned: the network was shown grown objects.
                              {"truth_expand_nm", fmt::format("{}", std::max(0.0, organelle.add_nm))}},
                             {table("evaluate")}));
      stages.back().box_nm = config_.evaluate_box_nm;
    }
  }
  for_each_class([&](const config::ClassConfig& organelle) {
    return stage("measure", {path_of("refined", organelle)}, table_of(organelle), {}, {table("measure")});
  });
  for_each_class([&](const config::ClassConfig& organelle) {
    return stage("mesh", {path_of("refined", organelle)}, meshes_of(organelle), {}, {table("mesh")});
  });

  std::vector<std::string> inputs = {raw_s0_};
  std::vector<std::string> layers = {"raw"};
  for (const config::ClassConfig& organelle : config_.classes) {
    const std::string table_json =
        std::filesystem::path(table_of(organelle)).replace_extension(".json").string();
    if (organelle.is_predicted()) {
      inputs.push_back(path_of("predictions", organelle));
      layers.push_back("prediction/" + organelle.name);
    }
    inputs.insert(inputs.end(), {path_of("refined", organelle), meshes_of(organelle), table_json});
    for (const char* role : {"segmentation", "mesh", "table"})
      layers.push_back(fmt::format("{}/{}", role, organelle.name));
    if (truth_.empty() || !organelle.is_predicted()) continue;
    inputs.push_back(scores(organelle.name));
    layers.push_back("scores/" + organelle.name);
  }
  stages.push_back(stage("publish", inputs, published(),
                         {{"name", config_.name},
                          {"layers", comma_list(layers)},
                          {"colors", comma_list(colors)},
                          {"contrast_limits", comma_list(raw_limits)}},
                         {table("publish")}));
  return stages;
}

// First objects of all classes, labels/<class>; then, class by class, what makes them refined/<class>.
void CellStages::add_objects(std::vector<blockwise::StageDescription>& stages) const {
  const auto path_of = [&](const char* kind, const std::string& name) {
    return in_container(fmt::format("{}/{}", kind, name));
  };
  for (const config::ClassConfig& organelle : config_.classes) {
    const std::string& name = organelle.name;
    if (!organelle.is_predicted() || !organelle.parent.empty()) continue;
    const std::string prediction = path_of("predictions", name);
    if (!organelle.has_watershed) {
      stages.push_back(stage("segment", {prediction}, path_of("labels", name), {},
                             {table("segment"), &organelle.segment}));
      continue;
    }
    // Of the class's options those that each of both stages has.
    config::StageSettings climb = organelle.segment, merge = organelle.agglomerate;
    for (const char* option : {"min_volume_nm3", "connectivity"}) climb.values.erase(option);
    if (const auto volume = organelle.segment.values.find("min_volume_nm3");
        volume != organelle.segment.values.end()) {
      merge.values.insert(*volume);
      merge.places.insert(*organelle.segment.places.find("min_volume_nm3"));
    }
    stages.push_back(
        stage("watershed", {prediction}, path_of("fragments", name), {}, {table("watershed"), &climb}));
    stages.push_back(stage("agglomerate", {path_of("fragments", name)}, path_of("labels", name), {},
                           {table("agglomerate"), &merge}));
  }
  for (const std::size_t number : config::order_of_needs(config_.classes))
    add_refinement(config_.classes[number], stages);
}

void CellStages::add_refinement(const config::ClassConfig& organelle,
                                std::vector<blockwise::StageDescription>& stages) const {
  const std::string& name = organelle.name;
  struct Work {
    std::string verb;
    std::string kind;  // folder of what it makes, where it is not the last
    std::vector<std::string> others;
    Options options;
  };
  const auto text_of = [&](const char* option, const std::string& standard) {
    const auto found = organelle.segment.values.find(option);
    return found == organelle.segment.values.end() ? standard : found->second;
  };
  std::vector<Work> chain;
  std::string now = in_container("labels/" + name);
  const bool is_from_raw = organelle.from == config::ClassConfig::kFromRaw;
  const bool has_masks = !organelle.inside.empty() || !organelle.outside.empty();

  Work masks{"restrict", "restricted/" + name, {}, {}};
  std::vector<std::string> keep, expand;
  for (const std::string& other : organelle.inside) {
    masks.others.push_back(in_container("refined/" + other));
    keep.emplace_back("inside"), expand.push_back(fmt::format("{}", organelle.inside_expand_nm));
  }
  for (const std::string& other : organelle.outside) {
    masks.others.push_back(in_container("refined/" + other));
    keep.emplace_back("outside"), expand.push_back(fmt::format("{}", organelle.outside_expand_nm));
  }
  masks.options = {{"keep", comma_list(keep)}, {"expand_nm", comma_list(expand)}};

  if (is_from_raw) {
    // Everything imaged, without the others: one component is one object.
    now = raw_s0_;
    masks.options.emplace_back("threshold", "1");
    chain.push_back(masks);
    chain.push_back(
        {"segment",
         "labels/" + name,
         {},
         {{"sigma_nm", "0"}, {"threshold", "1"}, {"min_volume_nm3", text_of("min_volume_nm3", "0")}}});
    chain.push_back({"refine", "filled/" + name, {}, {}});
  } else if (!organelle.parent.empty()) {
    now = in_container("predictions/" + name);
    chain.push_back({"restrict",
                     "parts/" + name,
                     {in_container("refined/" + organelle.parent)},
                     {{"threshold", text_of("threshold", "127")}, {"keep", "inside"}, {"take_ids", "true"}}});
  } else if (!organelle.from.empty()) {
    now = in_container("refined/" + organelle.from);
  } else {
    chain.push_back({"refine", "filled/" + name, {}, {}});
  }
  if (!organelle.edits.empty()) chain.push_back({"edit", "edited/" + name, {organelle.edits}, {}});
  if (has_masks && !is_from_raw) {
    masks.options.emplace_back("min_volume_nm3", text_of("min_volume_nm3", "0"));
    chain.push_back(masks);
  }
  if (chain.empty()) chain.push_back({"refine", "filled/" + name, {}, {}});
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const std::string output = in_container(i + 1 == chain.size() ? "refined/" + name : chain[i].kind);
    std::vector<std::string> inputs = {now};
    inputs.insert(inputs.end(), chain[i].others.begin(), chain[i].others.end());
    const config::StageSettings* own_table = chain[i].verb == "refine" ? table("refine") : nullptr;
    stages.push_back(stage(chain[i].verb, inputs, output, chain[i].options, {own_table}));
    now = output;
  }
}

}  // namespace organon::app
