#include "organon/app/study_stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "organon/app/describe_stage.h"
#include "organon/app/stage_list.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/nn/checkpoints.h"
#include "organon/nn/network_file.h"
#include "organon/nn/network_options.h"
#include "organon/stages/prediction/predict_volume.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

constexpr std::int64_t kAllCheckpoints = 1'000'000'000;
constexpr std::int64_t kMostCheckpoints = 10'000;  // of a training: each is judged on every holdout

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::kInvalidArgument, message); }

bool is_near(const SizeNm& size, const std::vector<double>& wanted) {
  const auto is_off = [](double one, double other) {
    return std::max(one / other, other / one) - 1 > stages::kVoxelSizeTolerance;
  };
  return !is_off(size.z, wanted[0]) && !is_off(size.y, wanted[1]) && !is_off(size.x, wanted[2]);
}

// "4" or, where voxels are no cubes, "8x4x4".
std::string size_text(const std::vector<double>& size_nm) {
  const bool is_cube = size_nm[0] == size_nm[1] && size_nm[1] == size_nm[2];
  return is_cube ? fmt::format("{}", size_nm[0]) : fmt::format("{}", fmt::join(size_nm, "x"));
}

// A dataset of ids stands for itself, a pyramid for its finest level; a group with an array per class stays.
std::string labels_of(const config::CropConfig& crop, const config::CellConfig& cell) {
  if (is_group_of_classes(crop.labels, cell)) return crop.labels;
  return storage::open_multiscale(crop.labels).levels.front()->address();
}

std::vector<double> limits_of(const config::StudyDataset& dataset) {
  return dataset.contrast_limits.empty() ? stored_limits(dataset.raw) : dataset.contrast_limits;
}

// The box of the crop, or where it has none all that its labels cover.
std::string box_of(const config::CropConfig& crop, const CropVolumes& volumes) {
  if (!crop.box_nm.empty()) return crop.box_nm;
  const storage::DatasetSpec spec = storage::open_dataset(volumes.addresses.front())->spec();
  const PointNm begin = spec.grid.to_nm(spec.domain().begin);
  const PointNm end = spec.grid.to_nm(spec.domain().end - Index3{1, 1, 1});
  return fmt::format("{},{},{},{},{},{}", begin.z, begin.y, begin.x, end.z, end.y, end.x);
}

// What `evaluate` is told of the classes of a crop; those that are not annotated there are left out.
struct TruthOfCrop {
  std::vector<std::string> classes;
  std::vector<std::string> ids;
  std::vector<std::int64_t> volumes;
  std::vector<std::int64_t> masks;
  std::vector<double> expand_nm;
};

TruthOfCrop truth_of(const std::string& crop, const CropVolumes& volumes,
                     const std::vector<config::ClassConfig>& classes) {
  TruthOfCrop truth;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const std::string& source = volumes.ids[i];
    if (source == "-") continue;
    if (source.find('&') != std::string::npos) {
      refuse(fmt::format("crop {}: class {} lies in several arrays; as truth it must lie in one", crop,
                         classes[i].name));
    }
    const std::size_t colon = source.find(':');
    const std::int64_t volume = colon == std::string::npos ? 0 : std::stoll(source.substr(0, colon));
    std::int64_t mask = volumes.masks[i];
    if (mask < 0) {
      const std::int64_t unlabelled = volumes.unlabelled_ids.at(static_cast<std::size_t>(volume));
      if (unlabelled > 0) {
        refuse(
            fmt::format("crop {}: unlabelled_id {}: of a crop with role = \"holdout\" it must be 0, or -1 "
                        "where there is none; masks may say the same",
                        crop, unlabelled));
      }
      // What is 0 in the labels is not annotated: the labels are their own mask.
      if (unlabelled == 0) mask = volume;
    }
    truth.classes.push_back(classes[i].name);
    truth.ids.push_back(colon == std::string::npos ? source : source.substr(colon + 1));
    truth.volumes.push_back(volume);
    truth.masks.push_back(mask);
    truth.expand_nm.push_back(std::max(0.0, classes[i].add_nm));
  }
  return truth;
}

// Checkpoints of a training's folder by iteration, or the one network that a file is.
std::map<std::int64_t, std::string> networks_at(const std::filesystem::path& place) {
  if (!std::filesystem::is_directory(place)) {
    const auto step = nn::decode_network_header(read_text(place), place.string()).step;
    return {{step, place.string()}};
  }
  std::map<std::int64_t, std::string> networks;
  for (const auto& [step, path] : nn::checkpoints_in(place)) networks[step] = path.string();
  return networks;
}

}  // namespace

// A set-up with the networks that are to be judged.
struct StudyStages::Candidate {
  const config::StudySetup& setup;
  config::CellConfig cell;  ///< classes and taxonomy, as what works on crops asks for them
  std::vector<double> voxel_size_nm = {};
  std::int64_t output_scale = 1;
  std::map<std::int64_t, std::string> networks = {};  ///< by iteration
  std::vector<std::size_t> needs = {};                ///< the stage that makes them
};

StudyStages::StudyStages(const config::StudyConfig& study, std::filesystem::path root)
    : study_(study), root_(std::move(root)) {
  check_datasets();
  for (const config::StudySetup& setup : study.setups) add_setup(setup);
  StudyStage choose;
  std::vector<std::string> scores;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].description.verb != "evaluate_classes") continue;
    choose.needs.push_back(i);
    scores.push_back(stages_[i].description.outputs.front());
  }
  if (scores.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no class of any set-up is annotated in a crop with role = \"holdout\"",
                            study.path.string()));
  }
  choose.description =
      describe_stage("choose", {std::move(scores), (root_ / "choice").string()}, {}, {table("choose")});
  choose.title = "choose";
  add(std::move(choose));
}

std::string StudyStages::in_container(const std::string& path) const {
  return (root_ / (study_.name + "." + study_.format) / path).string();
}

const config::StageSettings* StudyStages::table(const std::string& verb) const {
  const auto found = study_.stages.find(verb);
  return found == study_.stages.end() ? nullptr : &found->second;
}

std::size_t StudyStages::add(StudyStage stage) {
  stages_.push_back(std::move(stage));
  return stages_.size() - 1;
}

void StudyStages::check_datasets() const {
  for (const config::StudyDataset& dataset : study_.datasets) {
    try {
      (void)storage::open_multiscale(dataset.raw);
    } catch (const Error& error) {
      throw error.within(fmt::format("{}: dataset {}", study_.path.string(), dataset.name));
    }
    if (limits_of(dataset).size() != 2) {
      refuse(fmt::format("{}: dataset {}: {} stores no contrast limits; give contrast_limits = [low, high]",
                         study_.path.string(), dataset.name, dataset.raw));
    }
  }
}

void StudyStages::check_levels(const Candidate& candidate) const {
  for (const config::StudyDataset& dataset : study_.datasets) {
    const storage::Multiscale raw = storage::open_multiscale(dataset.raw);
    const bool has_level = std::any_of(raw.levels.begin(), raw.levels.end(), [&](const auto& level) {
      return is_near(level->spec().grid.voxel_size_nm, candidate.voxel_size_nm);
    });
    if (has_level) continue;
    refuse(
        fmt::format("{}: setup {}: raw {} of dataset {} has no level of {} nm; organon pyramid GROUP/s0 "
                    "GROUP makes it (organon convert DATASET GROUP/s0 begins a pyramid)",
                    candidate.setup.place, candidate.setup.name, dataset.raw, dataset.name,
                    size_text(candidate.voxel_size_nm)));
  }
}

void StudyStages::add_setup(const config::StudySetup& setup) {
  judge(setup.network.empty() ? train(setup) : find_trained(setup));
}

std::size_t StudyStages::add_targets(const Candidate& candidate, const config::StudyDataset& dataset,
                                     const config::CropConfig& crop) {
  std::vector<double> size_nm = candidate.voxel_size_nm;
  for (double& nm : size_nm) nm /= static_cast<double>(candidate.output_scale);
  std::vector<std::string> names, joined;
  std::vector<double> constants;
  for (const config::ClassConfig& organelle : candidate.cell.classes) {
    names.push_back(organelle.name);
    joined.push_back(fmt::format("{}", fmt::join(organelle.joined, "+")));
    constants.push_back(organelle.add_nm);
  }
  const CropVolumes volumes = volumes_of_crop(crop, labels_of(crop, candidate.cell), candidate.cell);
  StudyStage stage;
  stage.description = describe_stage(
      "targets",
      {volumes.addresses, in_container(fmt::format("targets/{}_{}nm/{}/{}", candidate.setup.class_set,
                                                   size_text(size_nm), dataset.name, crop.name))},
      {{"classes", comma_list(names)},
       {"ids", comma_list(volumes.ids)},
       {"masks", comma_list(volumes.masks)},
       {"unlabelled_id", comma_list(volumes.unlabelled_ids)},
       {"add_nm", comma_list(constants)},
       {"joined", comma_list(joined)},
       {"voxel_size_nm", comma_list(size_nm)}},
      {table("targets")});
  stage.description.box_nm = crop.box_nm;
  stage.title = fmt::format("{} at {} nm: targets {}/{}", candidate.setup.class_set, size_text(size_nm),
                            dataset.name, crop.name);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const blockwise::StageDescription& other = stages_[i].description;
    if (other.outputs != stage.description.outputs) continue;
    if (other.options_json == stage.description.options_json && other.inputs == stage.description.inputs)
      return i;
    refuse(fmt::format("{}: two set-ups mean different classes by '{}': name one of them otherwise",
                       candidate.setup.place, candidate.setup.class_set));
  }
  return add(std::move(stage));
}

StudyStages::Candidate StudyStages::train(const config::StudySetup& setup) {
  Candidate candidate{setup, {}};
  candidate.cell.path = study_.path;
  candidate.cell.folder = study_.folder;
  candidate.cell.taxonomy = study_.taxonomy;
  candidate.cell.classes = setup.classes;
  candidate.voxel_size_nm = setup.voxel_size_nm;
  OptionTexts options = {{"keep_checkpoints", std::to_string(kAllCheckpoints)}};
  if (study_.evaluate_every > 0)
    options.emplace_back("checkpoint_every", std::to_string(study_.evaluate_every));
  const Json effective =
      parse_json(describe_stage("train", {}, options, {&setup.train}).options_json, "options");
  const auto whole = [&](const char* name) { return effective.at(name).get<std::int64_t>(); };
  candidate.output_scale = whole("output_scale") != 0
                               ? whole("output_scale")
                               : nn::network_preset(effective.at("preset").get<std::string>()).output_scale;
  const std::int64_t every = whole("checkpoint_every");
  if (every % whole("log_every") != 0) {
    refuse(fmt::format("{}: evaluate_every: expected a multiple of train's log_every, {}, found {}",
                       study_.path.string(), whole("log_every"), every));
  }

  StudyStage stage;
  std::vector<std::string> pairs, roles, names, balance_as;
  std::vector<double> limits;
  for (const config::StudyDataset& dataset : study_.datasets) {
    if (std::find(setup.datasets.begin(), setup.datasets.end(), dataset.name) == setup.datasets.end())
      continue;
    const std::vector<double> own = limits_of(dataset);
    for (const config::CropConfig& crop : dataset.crops) {
      if (crop.role == "holdout") continue;
      const std::size_t targets = add_targets(candidate, dataset, crop);
      stage.needs.push_back(targets);
      pairs.insert(pairs.end(), {dataset.raw, stages_[targets].description.outputs.front()});
      roles.push_back(crop.role);
      limits.insert(limits.end(), own.begin(), own.end());
    }
  }
  for (const config::ClassConfig& organelle : setup.classes) {
    names.push_back(organelle.name);
    balance_as.push_back(organelle.balance_as);
  }
  options.insert(options.end(), {{"classes", comma_list(names)},
                                 {"balance_as", comma_list(balance_as)},
                                 {"roles", comma_list(roles)},
                                 {"contrast_limits", comma_list(limits)}});
  const std::filesystem::path folder = root_ / "networks" / setup.name;
  stage.description = describe_stage("train", {std::move(pairs), folder.string()}, options, {&setup.train});
  stage.setup = setup.name;
  stage.title = setup.name + ": train";
  try {
    (void)make_stage(stage.description);
  } catch (const Error& error) {
    throw error.within(fmt::format("{}: setup {}", setup.place, setup.name));
  }
  candidate.needs = {add(std::move(stage))};
  const std::int64_t steps = whole("steps");
  if (steps / every > kMostCheckpoints) {
    refuse(fmt::format("{}: setup {}: {} steps, a checkpoint every {}: expected at most {} checkpoints",
                       setup.place, setup.name, steps, every, kMostCheckpoints));
  }
  for (std::int64_t step = every; step < steps + every; step += every) {
    const std::int64_t iteration = std::min(step, steps);
    candidate.networks[iteration] = nn::checkpoint_path(folder, iteration).string();
  }
  return candidate;
}

StudyStages::Candidate StudyStages::find_trained(const config::StudySetup& setup) const {
  Candidate candidate{setup, {}};
  candidate.networks = networks_at(setup.network);
  if (study_.evaluate_every > 0)
    std::erase_if(candidate.networks,
                  [&](const auto& network) { return network.first % study_.evaluate_every != 0; });
  if (candidate.networks.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: setup {}: {} holds no checkpoint{}", setup.place, setup.name, setup.network,
                            study_.evaluate_every > 0
                                ? fmt::format(" whose iteration is a multiple of {}", study_.evaluate_every)
                                : ""));
  }
  const std::string& first = candidate.networks.begin()->second;
  const nn::NetworkInfo info = nn::decode_network_header(read_text(first), first).info;
  try {
    candidate.cell.classes = config::classes_named(info.classes, study_.taxonomy);
  } catch (const Error& error) {
    throw error.within(fmt::format("{}: setup {}", setup.place, setup.name));
  }
  for (std::size_t i = 0; i < info.classes.size(); ++i) candidate.cell.classes[i].name = info.classes[i];
  candidate.cell.taxonomy = study_.taxonomy;
  candidate.voxel_size_nm = {info.voxel_size_nm.z, info.voxel_size_nm.y, info.voxel_size_nm.x};
  candidate.output_scale = info.options.output_scale;
  return candidate;
}

void StudyStages::judge(const Candidate& candidate) {
  struct Judge {
    const config::StudyDataset& dataset;
    const config::CropConfig& crop;
    CropVolumes volumes;
    TruthOfCrop truth;
    std::vector<double> limits;
  };
  check_levels(candidate);
  const config::StudySetup& setup = candidate.setup;
  std::vector<Judge> judges;
  for (const config::StudyDataset& dataset : study_.datasets) {
    for (const config::CropConfig& crop : dataset.crops) {
      if (crop.role != "holdout") continue;
      CropVolumes volumes = volumes_of_crop(crop, labels_of(crop, candidate.cell), candidate.cell);
      TruthOfCrop truth = truth_of(crop.name, volumes, candidate.cell.classes);
      if (truth.classes.empty()) continue;
      judges.push_back({dataset, crop, std::move(volumes), std::move(truth), limits_of(dataset)});
    }
  }
  const std::string size = size_text(candidate.voxel_size_nm);
  for (const auto& [iteration, network] : candidate.networks) {
    for (const auto& [dataset, crop, volumes, truth, limits] : judges) {
      const std::string place = fmt::format("{}/{}/{}/{}", setup.name, iteration, dataset.name, crop.name);
      const std::string what = fmt::format("{} at {}", setup.name, iteration);
      StudyStage predict;
      predict.description =
          describe_stage("predict", {{dataset.raw, network}, in_container("predictions/" + place)},
                         {{"contrast_limits", comma_list(limits)}}, {table("predict")});
      predict.description.box_nm = box_of(crop, volumes);
      predict.setup = setup.name;
      predict.title = fmt::format("{}: predict {}/{}", what, dataset.name, crop.name);
      predict.needs = candidate.needs;
      const std::string predictions = predict.description.outputs.front();
      const std::size_t predicted = add(std::move(predict));

      std::vector<std::string> inputs = {predictions};
      inputs.insert(inputs.end(), volumes.addresses.begin(), volumes.addresses.end());
      StudyStage evaluate;
      evaluate.description = describe_stage(
          "evaluate_classes", {std::move(inputs), (root_ / "scores" / (place + ".json")).string()},
          {{"classes", comma_list(truth.classes)},
           {"ids", comma_list(truth.ids)},
           {"truth_volumes", comma_list(truth.volumes)},
           {"masks", comma_list(truth.masks)},
           {"truth_expand_nm", comma_list(truth.expand_nm)},
           {"dataset", dataset.name},
           {"crop", crop.name},
           {"setup", setup.name},
           {"family", setup.family},
           {"iteration", std::to_string(iteration)},
           {"path", std::filesystem::path(predictions).lexically_relative(root_).string()},
           {"raw_dataset", size + " nm"},
           {"raw_voxel_size_nm",
            fmt::format("{:.6g}", std::cbrt(candidate.voxel_size_nm[0] * candidate.voxel_size_nm[1] *
                                            candidate.voxel_size_nm[2]))}},
          {table("evaluate")});
      evaluate.description.box_nm = crop.box_nm;
      evaluate.setup = setup.name;
      evaluate.title = fmt::format("{}: evaluate {}/{}", what, dataset.name, crop.name);
      evaluate.needs = {predicted};
      add(std::move(evaluate));
    }
  }
}

}  // namespace organon::app
