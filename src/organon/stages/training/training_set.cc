#include "organon/stages/training/training_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/nn/network.h"
#include "organon/nn/network_cost.h"

namespace organon::stages {
namespace {

[[noreturn]] void refuse(const std::string& verb, const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, verb + ": " + message);
}

bool are_alike(const SizeNm& a, const SizeNm& b) {
  const auto differ = [](double one, double other) { return std::abs(one / other - 1) > 0.02; };
  return !differ(a.z, b.z) && !differ(a.y, b.y) && !differ(a.x, b.x);
}

std::size_t number_of(const TrainingSet& set, const std::string& name, const char* option) {
  const std::vector<std::string>& classes = set.options.classes;
  const auto place = std::find(classes.begin(), classes.end(), name);
  if (place == classes.end()) {
    refuse(set.verb,
           fmt::format("{}: '{}' is none of the classes {}", option, name, fmt::join(classes, ", ")));
  }
  return static_cast<std::size_t>(place - classes.begin());
}

}  // namespace

TrainingSet::TrainingSet(const blockwise::StageDescription& description, const TrainOptions& train_options)
    : verb(description.verb), options(train_options), network(options.network()) {
  if (options.classes.empty()) refuse(verb, "no classes are named");
  if (!description.box_nm.empty() || description.block_shape.product() != 0)
    refuse(verb, "it has no blocks: give --box-nm to the targets it learns from");
  const auto& inputs = description.inputs;
  if (inputs.size() % 2 == 1 && inputs.back().ends_with(".organon")) {
    start_from = inputs.back();
    network = nn::Network::read_info(start_from).options;
  } else if (inputs.empty() || inputs.size() % 2 != 0) {
    refuse(verb, fmt::format("expected pairs of raw and targets, and at most one network (.organon) after "
                             "them, found {} datasets",
                             inputs.size()));
  }
  const std::size_t num_pairs = inputs.size() / 2;
  if (!options.roles.empty() && options.roles.size() != num_pairs) {
    refuse(verb, fmt::format("{} pairs need as many roles, found {}", num_pairs, options.roles.size()));
  }
  const std::size_t num_limits = options.contrast_limits.size();
  if (num_limits != 0 && num_limits != 2 && num_limits != 2 * num_pairs) {
    refuse(verb,
           fmt::format("contrast_limits: expected low,high once or for each of {} pairs, found {} numbers",
                       num_pairs, num_limits));
  }
  patch = options.patch_shape();
  output = nn::output_shape(network, patch);
  if (output.product() == 0) {
    refuse(verb,
           fmt::format("patch: {} voxels do not fit the network, which takes {}multiples of {}",
                       to_string(patch),
                       network.is_valid() ? "what leaves an output (the paper's: 198 + 18 k) plus " : "",
                       to_string(nn::input_multiple(network))));
  }
  if (network.is_normalized() && nn::shapes_of(network, patch)->levels.back().down.product() == 1) {
    refuse(verb,
           fmt::format("patch: {} voxels leave one in the deepest maps, of which nothing can be normalised; "
                       "choose a larger patch, fewer levels or normalization = \"none\"",
                       to_string(patch)));
  }
  if (!options.balance_as.empty() && options.balance_as.size() != options.classes.size()) {
    refuse(verb, fmt::format("balance_as: {} classes need as many names, found {}", options.classes.size(),
                             options.balance_as.size()));
  }
  for (std::size_t c = 0; c < options.classes.size(); ++c) {
    const bool is_own = options.balance_as.empty() || options.balance_as[c].empty();
    balance_as.push_back(is_own ? c : number_of(*this, options.balance_as[c], "balance_as"));
  }
  for (const std::string& name : options.rare_classes)
    rare_classes.push_back(number_of(*this, name, "rare_classes"));
  const std::int64_t scale = network.output_scale;
  for (std::size_t i = 0; i < num_pairs; ++i) {
    TrainingPair pair;
    pair.request.raw = inputs[2 * i];
    pair.request.targets = inputs[2 * i + 1];
    pair.request.classes = options.classes;
    const std::size_t first = num_limits == 2 ? 0 : 2 * i;
    if (num_limits != 0) {
      pair.request.contrast_limits = {options.contrast_limits[first], options.contrast_limits[first + 1]};
    }
    const Index3 margin =
        Index3(patch) - Index3(Shape3{output.z / scale, output.y / scale, output.x / scale});
    pair.request.context = {(margin.z + 1) / 2, (margin.y + 1) / 2, (margin.x + 1) / 2};
    pair.request.target_scale = scale;
    pair.request.takes_phases = options.raw_reduction == "phases";
    if (!options.roles.empty() && options.roles[i] != "train" && options.roles[i] != "validate") {
      refuse(verb, fmt::format("roles: expected train or validate, found '{}'", options.roles[i]));
    }
    pair.is_validation = !options.roles.empty() && options.roles[i] == "validate";
    pairs.push_back(pair);
  }
  if (options.patience > 0 &&
      std::none_of(pairs.begin(), pairs.end(), [](const TrainingPair& pair) { return pair.is_validation; }))
    refuse(verb, "patience: without a pair of the role validate there are no scores to wait for");
}

SampleOptions TrainingSet::sample_options(const SizeNm& voxel_size_nm) const {
  SampleOptions sample;
  sample.shape = patch;
  sample.output_shape = output;
  sample.target_scale = network.output_scale;
  sample.voxel_size_nm = voxel_size_nm;
  sample.foreground_share = options.foreground_share;
  sample.rare_classes = rare_classes;
  sample.rare_share = options.rare_share;
  sample.least_known_share = options.least_known_share;
  sample.seed = static_cast<std::uint64_t>(options.seed);
  sample.augment = options.augment;
  return sample;
}

CropsCost cost_of_crops(const TrainingSet& set) {
  const auto num_classes = static_cast<std::int64_t>(set.options.classes.size());
  CropsCost cost;
  for (const TrainingPair& pair : set.pairs) {
    const auto targets = storage::open_dataset(pair.request.targets + "/" + set.options.classes.front());
    const Shape3 context = pair.request.context * pair.request.target_scale;
    const std::int64_t voxels = targets->spec().domain().grow(context, context).volume();
    cost.bytes_read += voxels * (1 + num_classes);
    // Phases are as many as raw has voxels per voxel that is learned from: at most what raw itself has.
    cost.bytes_loaded += voxels * (4 * (pair.request.takes_phases ? 8 : 1) + 2 * num_classes);
  }
  return cost;
}

LoadedCrops load_crops(const TrainingSet& set) {
  LoadedCrops crops;
  for (const TrainingPair& pair : set.pairs) {
    LoadedCrop loaded = load_crop(pair.request);
    if (&pair != &set.pairs.front() && !are_alike(loaded.voxel_size_nm, crops.voxel_size_nm)) {
      refuse(set.verb, fmt::format("{}: it is learned from voxels of {} nm, what was before from {} nm",
                                   pair.request.targets, to_string(loaded.voxel_size_nm),
                                   to_string(crops.voxel_size_nm)));
    }
    crops.voxel_size_nm = loaded.voxel_size_nm;
    crops.notes.push_back(loaded.note);
    (pair.is_validation ? crops.validation : crops.training).push_back(std::move(loaded.crop));
    throw_if_cancelled();
  }
  if (crops.training.empty()) refuse(set.verb, "every pair has the role validate");
  return crops;
}

}  // namespace organon::stages
