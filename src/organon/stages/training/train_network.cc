#include "organon/stages/training/train_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numbers>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network.h"
#include "organon/nn/network_cost.h"
#include "organon/stages/training/batch_queue.h"
#include "organon/stages/training/curves.h"
#include "organon/stages/training/load_crop.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr double kLastLearningRate = 0.01;  // at the end of the cosine, of the largest
constexpr std::size_t kBatchesAhead = 2;
constexpr double kGigaflopsPerSecond = 50;  // of one core of today, for the first estimate of time

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "train: " + message);
}

struct Pair {
  CropRequest request;
  bool is_validation = false;
};

struct Set {
  TrainOptions options;
  nn::NetworkOptions network;
  std::vector<Pair> pairs;
  std::filesystem::path folder;
  std::int64_t output_edge = 0;
  int threads = 1;

  explicit Set(const StageDescription& description) : folder(description.outputs.at(0)) {
    options = options_from_json<TrainOptions>(description.options_json);
    network = options.network();
    if (options.classes.empty()) refuse("no classes are named");
    if (!description.box_nm.empty() || description.block_shape.product() != 0)
      refuse("it has no blocks: give --box-nm to the targets it learns from");
    const auto& inputs = description.inputs;
    if (inputs.empty() || inputs.size() % 2 != 0) {
      refuse(fmt::format("expected pairs of raw and targets, found {} datasets", inputs.size()));
    }
    const std::size_t num_pairs = inputs.size() / 2;
    if (!options.roles.empty() && options.roles.size() != num_pairs) {
      refuse(fmt::format("{} pairs need as many roles, found {}", num_pairs, options.roles.size()));
    }
    const std::size_t num_limits = options.contrast_limits.size();
    if (num_limits != 0 && num_limits != 2 && num_limits != 2 * num_pairs) {
      refuse(fmt::format("contrast_limits: expected low,high once or for each of {} pairs, found {} numbers",
                         num_pairs, num_limits));
    }
    output_edge = nn::output_edge(network, options.patch);
    if (output_edge == 0) {
      refuse(
          fmt::format("patch: {} voxels do not fit the network, which takes multiples of {}{}", options.patch,
                      to_string(nn::input_multiple(network)),
                      network.padding == "valid" ? " that leave an output (the paper's: 198 + 18 k)" : ""));
    }
    for (std::size_t i = 0; i < num_pairs; ++i) {
      Pair pair;
      pair.request.raw = inputs[2 * i];
      pair.request.targets = inputs[2 * i + 1];
      pair.request.classes = options.classes;
      const std::size_t first = num_limits == 2 ? 0 : 2 * i;
      if (num_limits != 0) {
        pair.request.contrast_limits = {options.contrast_limits[first], options.contrast_limits[first + 1]};
      }
      pair.request.context = (options.patch - output_edge + 1) / 2;
      if (!options.roles.empty() && options.roles[i] != "train" && options.roles[i] != "validate") {
        refuse(fmt::format("roles: expected train or validate, found '{}'", options.roles[i]));
      }
      pair.is_validation = !options.roles.empty() && options.roles[i] == "validate";
      pairs.push_back(pair);
    }
    threads = options.threads > 0 ? static_cast<int>(options.threads)
                                  : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    // The curve has a row at each checkpoint, so that a resumed curve has the same rows.
    options.checkpoint_every = round_up_to_multiple(options.checkpoint_every, options.log_every);
  }
};

std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t step) {
  return folder / "checkpoints" / fmt::format("step_{:06}.organon", step);
}

// By step.
std::map<std::int64_t, std::filesystem::path> checkpoints_in(const std::filesystem::path& folder) {
  std::map<std::int64_t, std::filesystem::path> found;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "checkpoints", missing)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step_") && name.ends_with(".organon"))
      found[std::atoll(name.c_str() + 5)] = entry.path();
  }
  return found;
}

class Training {
 public:
  Training(const Set& set, std::string identity)
      : set_(set), identity_(std::move(identity)), curves_(set.options.classes) {}

  void run(BlockOutput& output) {
    load_crops();
    nn::Network network = newest_network();
    const std::int64_t steps = set_.options.steps;
    const SampleSource source(training_, sample_options(set_.options.augment, set_.options.foreground_share));
    // A processor that trains has no time to spare; where another device does, all its cores make batches.
    const auto num_makers = static_cast<std::size_t>(nn::has_device("cuda") ? set_.threads : 1);
    BatchQueue queue([&](std::int64_t step) { return make_batch(source, step); }, network.step(), steps,
                     kBatchesAhead - 1 + num_makers, num_makers);
    const auto begin = std::chrono::steady_clock::now();
    const double seconds_before = curves_.rows().empty() ? 0 : curves_.rows().back().seconds;
    std::vector<double> sums(set_.options.classes.size(), 0);
    std::int64_t summed = 0;
    while (network.step() < steps) {
      fault_point("train");
      const std::vector<double> losses = network.train_step(queue.take(), optimizer_options(network.step()));
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += losses[c];
      ++summed;
      const std::int64_t step = network.step();
      const bool is_last = step == steps;
      if (step % set_.options.log_every != 0 && !is_last) continue;

      CurveRow row;
      row.step = step;
      row.seconds =
          seconds_before + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      for (double& sum : sums) row.losses.push_back(std::exchange(sum, 0) / static_cast<double>(summed));
      summed = 0;
      if (!validation_.empty() && (step % set_.options.validate_every == 0 || is_last))
        row.scores = validate(network);
      double total = 0;
      for (const double loss : row.losses) total += loss;
      output.report(static_cast<double>(step) / static_cast<double>(steps),
                    fmt::format("step {} loss {:.4f}", step, total));
      curves_.add(std::move(row));
      const bool stops = is_cancelled();
      if (step % set_.options.checkpoint_every == 0 || stops || is_last) save(network);
      if (step % (10 * set_.options.log_every) == 0 || is_last) curves_.write(set_.folder);
      throw_if_cancelled();
    }
    network.save(set_.folder / "network.organon");
    const std::string hash = blockwise::identity_of_input((set_.folder / "network.organon").string());
    for (const char* name : {"network.organon", "curves.csv", "curves.svg"})
      output.add_file(set_.folder / name);
    output.emit(0, std::as_bytes(std::span(hash)));
  }

 private:
  SampleOptions sample_options(const AugmentOptions& augment, double foreground_share) const {
    return {set_.options.patch, set_.output_edge, foreground_share,
            static_cast<std::uint64_t>(set_.options.seed), augment};
  }

  void load_crops() {
    for (const Pair& pair : set_.pairs) {
      LoadedCrop loaded = load_crop(pair.request);
      if (voxel_size_nm_ != 0 && std::abs(loaded.voxel_size_nm / voxel_size_nm_ - 1) > 0.02) {
        refuse(fmt::format("{}: targets of {} nm, those before have {} nm", pair.request.targets,
                           loaded.voxel_size_nm, voxel_size_nm_));
      }
      voxel_size_nm_ = loaded.voxel_size_nm;
      notes_.push_back(loaded.note);
      (pair.is_validation ? validation_ : training_).push_back(std::move(loaded.crop));
      throw_if_cancelled();
    }
    if (training_.empty()) refuse("every pair has the role validate");
  }

  // The newest checkpoint of the same training that can be read, or a new network.
  nn::Network newest_network() {
    nn::NetworkInfo info{set_.network, set_.options.classes, voxel_size_nm_,
                         static_cast<std::uint64_t>(set_.options.seed), identity_};
    auto found = checkpoints_in(set_.folder);
    while (!found.empty()) {
      const auto newest = std::prev(found.end());
      try {
        nn::Network network = nn::Network::load(newest->second);
        if (network.info().training == identity_) {
          curves_.read(set_.folder / "curves.csv", network.step());
          return network;
        }
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kCorruptData) throw;
      }
      found.erase(newest);
    }
    // Of another training, or none: nothing of it may be taken for this one's.
    if (!std::filesystem::exists(set_.folder / "training.json") &&
        (std::filesystem::exists(set_.folder / "checkpoints") ||
         std::filesystem::exists(set_.folder / "network.organon"))) {
      throw Error(
          ErrorKind::kAlreadyExists,
          fmt::format(
              "{} holds a network or checkpoints that no training here has made; choose another folder",
              set_.folder.string()));
    }
    std::filesystem::remove_all(set_.folder / "checkpoints");
    std::filesystem::remove(set_.folder / "network.organon");
    std::filesystem::create_directories(set_.folder);
    write_description();
    return nn::Network(info);
  }

  void write_description() const {
    write_text_atomically(set_.folder / "training.json",
                          to_text({{"options", parse_json(options_to_json(set_.options), "options")},
                                   {"network", parse_json(options_to_json(set_.network), "network")},
                                   {"num_parameters", nn::num_parameters(set_.network, num_classes())},
                                   {"voxel_size_nm", voxel_size_nm_},
                                   {"raw", notes_}}));
  }

  nn::TrainingBatch make_batch(const SampleSource& source, std::int64_t step) const {
    nn::TrainingBatch batch;
    for (std::int64_t place = 0; place < set_.options.batch; ++place) {
      TrainingSample sample = source.sample(step, place);
      batch.raw.push_back(std::move(sample.raw));
      batch.targets.push_back(std::move(sample.targets));
      batch.masks.push_back(std::move(sample.masks));
    }
    return batch;
  }

  nn::OptimizerOptions optimizer_options(std::int64_t step) const {
    const TrainOptions& options = set_.options;
    const double warm =
        std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps + 1));
    const double done = static_cast<double>(step) / static_cast<double>(options.steps);
    const double cosine =
        kLastLearningRate + (1 - kLastLearningRate) * 0.5 * (1 + std::cos(std::numbers::pi * done));
    nn::OptimizerOptions optimizer;
    optimizer.learning_rate = options.learning_rate * warm * cosine;
    optimizer.beta1 = options.beta1;
    optimizer.beta2 = options.beta2;
    optimizer.average = options.average;
    optimizer.least_share = options.least_share;
    optimizer.threads = set_.threads;
    return optimizer;
  }

  // F1 of "inside" on the same patches every time, evenly drawn, not varied.
  std::vector<double> validate(const nn::Network& network) const {
    const SampleSource source(validation_, sample_options(AugmentOptions::none(), 0));
    const std::size_t num_classes = set_.options.classes.size();
    std::vector<double> both(num_classes, 0), either(num_classes, 0);
    for (std::int64_t i = 0; i < set_.options.validation_patches; i += 2) {
      std::vector<TrainingSample> samples;
      std::vector<Array<float>> raw;
      for (std::int64_t place = 0; place < 2; ++place) {
        samples.push_back(source.sample(i, place));
        raw.push_back(std::move(samples.back().raw));
      }
      const auto predictions = network.predict(raw);
      for (std::size_t s = 0; s < samples.size(); ++s) {
        for (std::size_t c = 0; c < num_classes; ++c) {
          const Array<float>& target = samples[s].targets[c];
          for (std::int64_t k = 0; k < target.size(); ++k) {
            if (samples[s].masks[c].data()[k] == 0) continue;
            const bool is_true = target.data()[k] > 0;
            const bool is_found = predictions[s][c].data()[k] > 0;
            both[c] += is_true && is_found;
            either[c] += static_cast<double>(is_true) + static_cast<double>(is_found);
          }
        }
      }
      throw_if_cancelled();
    }
    std::vector<double> scores;
    for (std::size_t c = 0; c < num_classes; ++c)
      scores.push_back(either[c] == 0 ? 1 : 2 * both[c] / either[c]);
    return scores;
  }

  void save(const nn::Network& network) {
    // The curve first: a checkpoint never stands without the rows up to it.
    curves_.write(set_.folder);
    network.save(checkpoint_path(set_.folder, network.step()));
    fault_point("checkpoint");
    auto found = checkpoints_in(set_.folder);
    while (static_cast<std::int64_t>(found.size()) > set_.options.keep_checkpoints) {
      std::filesystem::remove(found.begin()->second);
      found.erase(found.begin());
    }
  }

  std::int64_t num_classes() const { return static_cast<std::int64_t>(set_.options.classes.size()); }

  const Set& set_;
  std::string identity_;
  std::vector<TrainingCrop> training_;
  std::vector<TrainingCrop> validation_;
  std::vector<std::string> notes_;
  double voxel_size_nm_ = 0;
  Curves curves_;
};

class TrainNetwork : public Step {
 public:
  TrainNetwork(const Set& set, std::string identity) : set_(set), identity_(std::move(identity)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.max_workers = 1;
    const auto num_classes = static_cast<std::int64_t>(set_.options.classes.size());
    std::int64_t crop_bytes = 0;
    for (const Pair& pair : set_.pairs) {
      const auto targets = storage::open_dataset(pair.request.targets + "/" + set_.options.classes.front());
      const std::int64_t voxels = targets->spec().domain().grow(pair.request.context).volume();
      plan.bytes_read += voxels * (1 + num_classes);
      crop_bytes += voxels * (4 + 2 * num_classes);
    }
    plan.bytes_per_worker =
        crop_bytes + nn::training_bytes(set_.network, num_classes, Shape3::cube(set_.options.patch),
                                        set_.options.batch, set_.threads);
    const auto patch = static_cast<double>(set_.options.patch);
    const double operations = 3 * nn::operations_per_voxel(set_.network, num_classes) * patch * patch *
                              patch * static_cast<double>(set_.options.batch * set_.options.steps);
    plan.voxels_per_second = 1 / (operations / (kGigaflopsPerSecond * 1e9) / set_.threads);
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override { Training(set_, identity_).run(output); }

 private:
  const Set& set_;
  std::string identity_;
};

class TrainStage : public blockwise::Stage {
 public:
  explicit TrainStage(const StageDescription& description) : description_(description), set_(description) {}
  bool needs_fresh_workers() const override { return true; }
  // A network file without weights.
  void stand_in_for_outputs() const override {
    const auto targets =
        storage::open_dataset(set_.pairs.front().request.targets + "/" + set_.options.classes.front());
    nn::NetworkFile file;
    file.info.options = set_.network;
    file.info.classes = set_.options.classes;
    file.info.voxel_size_nm = targets->spec().grid.voxel_size_nm.x;
    write_text_atomically(set_.folder / "network.organon", nn::encode_network(file));
  }
  std::vector<std::string> steps() const override { return {"train network"}; }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder& run) const override {
    const auto identity = run.read_identity();
    return std::make_unique<TrainNetwork>(
        set_, identity ? *identity : blockwise::identity_of_stage(description_, algorithm_version()));
  }
  std::vector<StepPlan> plans() const override { return {TrainNetwork(set_, "").plan()}; }

 private:
  StageDescription description_;
  Set set_;
};

}  // namespace

void TrainOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("classes", classes, {"names of the classes, read at TARGETS/<class>", "", -kAny, kAny, {}})
      .add("roles", roles, {"per pair train or validate; empty: all train", "", -kAny, kAny, {}})
      .add("contrast_limits", contrast_limits,
           {"grey values of raw mapped to -1 and 1: low,high, once or per pair; empty: as stored",
            "grey values",
            -kAny,
            kAny,
            {}})
      .add("preset", preset, {"network that the next options change", "", -kAny, kAny, {"compact", "paper"}})
      .add("features", features, {"feature maps per level, finest first; empty: preset", "", 1, 8192, {}})
      .add("pooling", pooling,
           {"pooling factors between levels, each as 2 or, for z, y, x, as 1x2x2; empty: preset",
            "",
            -kAny,
            kAny,
            {}})
      .add("convolutions", convolutions,
           {"3x3x3 convolutions per level and direction; 0: preset", "", 0, 8, {}})
      .add("stem", stem,
           {"voxels per axis folded into channels before the first level; 0: preset", "", 0, 4, {}})
      .add("last_features", last_features,
           {"maps of the last level on the way up; 0: as the first level; -1: preset", "", -1, 8192, {}})
      .add("padding", padding, {"of the convolutions", "", -kAny, kAny, {"preset", "same", "valid"}})
      .add("normalization", normalization,
           {"after each convolution", "", -kAny, kAny, {"preset", "batch", "none"}})
      .add("skip", skip,
           {"how the way down joins the way up", "", -kAny, kAny, {"preset", "add", "concatenate"}})
      .add("steps", steps, {"length of the training", "steps", 1, 1e9, {}})
      .add("batch", batch, {"patches per step", "", 1, 1024, {}})
      .add("patch", patch, {"edge of the patches of raw", "voxels", 8, 1024, {}})
      .add("learning_rate", learning_rate,
           {"of Adam, at its largest: falls by a cosine to 1 %", "", 0, 10, {}})
      .add("warmup_steps", warmup_steps, {"steps in which the learning rate rises", "steps", 0, 1e9, {}})
      .add("beta1", beta1, {"of Adam", "", 0, 1, {}})
      .add("beta2", beta2, {"of Adam", "", 0, 1, {}})
      .add("average", average,
           {"decay of the running mean of the weights that predictions use", "", 0, 1, {}})
      .add("least_share", least_share,
           {"balance of the loss: a class's voxels count as at least this share; 0.5: unbalanced; paper 0.05",
            "",
            0.001,
            0.5,
            {}})
      .add("foreground_share", foreground_share,
           {"share of the patches centred near a voxel of a class", "", 0, 1, {}})
      .add("symmetries", augment.symmetries, {"mirror and permute axes", "", -kAny, kAny, {}})
      .add("rotation_degrees", augment.rotation_degrees, {"largest turn of a patch", "degrees", 0, 180, {}})
      .add("scale_range", augment.scale_range, {"patches are scaled by 1/(1+range) to 1+range", "", 0, 1, {}})
      .add("turned_share", augment.turned_share, {"share of the patches turned and scaled", "", 0, 1, {}})
      .add("contrast_range", augment.contrast_range, {"contrast times 1/(1+range) to 1+range", "", 0, 4, {}})
      .add("brightness_range", augment.brightness_range,
           {"largest shift of grey values, 1 being half the contrast window", "", 0, 2, {}})
      .add("gamma_range", augment.gamma_range, {"exponent from 1/(1+range) to 1+range", "", 0, 4, {}})
      .add("noise", augment.noise, {"largest standard deviation of added noise", "", 0, 2, {}})
      .add("seed", seed, {"of weights and samples", "", 0, 1e15, {}})
      .add("log_every", log_every, {"steps between rows of the curves", "steps", 1, 1e9, {}})
      .add("checkpoint_every", checkpoint_every, {"steps between checkpoints", "steps", 1, 1e9, {}})
      .add("keep_checkpoints", keep_checkpoints,
           {"how many of the last checkpoints are kept", "", 1, 1e9, {}})
      .add("validate_every", validate_every,
           {"steps between scores on the validation pairs", "steps", 1, 1e9, {}})
      .add("validation_patches", validation_patches, {"patches that are scored", "", 2, 1e6, {}})
      .add("threads", threads, {"0: all cores; changes nothing but the time", "", 0, 1024, {}});
}

nn::NetworkOptions TrainOptions::network() const {
  nn::NetworkOptions network = nn::network_preset(preset);
  if (!features.empty()) network.features = features;
  if (!pooling.empty()) network.pooling = pooling;
  if (convolutions != 0) network.convolutions = convolutions;
  if (stem != 0) network.stem = stem;
  if (last_features >= 0) network.last_features = last_features;
  if (padding != "preset") network.padding = padding;
  if (normalization != "preset") network.normalization = normalization;
  if (skip != "preset") network.skip = skip;
  network.check();
  return network;
}

std::unique_ptr<blockwise::Stage> make_train_stage(const StageDescription& description) {
  return std::make_unique<TrainStage>(description);
}

}  // namespace organon::stages
