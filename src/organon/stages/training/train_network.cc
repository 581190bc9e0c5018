#include "organon/stages/training/train_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network.h"
#include "organon/nn/network_cost.h"
#include "organon/stages/training/batch_queue.h"
#include "organon/stages/training/curves.h"
#include "organon/stages/training/training_set.h"

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

struct Set : TrainingSet {
  std::filesystem::path folder;
  int threads = 1;

  explicit Set(const StageDescription& description)
      : TrainingSet(description, options_from_json<TrainOptions>(description.options_json)),
        folder(description.outputs.at(0)) {
    threads = options.threads > 0 ? static_cast<int>(options.threads)
                                  : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    // The curve has a row at each checkpoint, so that a resumed curve has the same rows.
    options.checkpoint_every = round_up_to_multiple(options.checkpoint_every, options.log_every);
  }
};

std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t step) {
  return folder / "checkpoints" / fmt::format("step_{:06}.organon", step);
}

double unix_seconds_now() {
  return std::floor(
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
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
    crops_ = load_crops(set_);
    nn::Network network = newest_network();
    const std::int64_t steps = set_.options.steps;
    const SampleSource source(crops_.training, set_.sample_options(crops_.voxel_size_nm));
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
      const nn::OptimizerOptions optimizer = optimizer_options(network.step());
      const std::vector<double> losses = network.train_step(queue.take(), optimizer);
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += losses[c];
      ++summed;
      const std::int64_t step = network.step();
      const bool is_last = step == steps;
      if (step % set_.options.log_every != 0 && !is_last) continue;

      CurveRow row;
      row.step = step;
      row.seconds =
          seconds_before + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      row.learning_rate = optimizer.learning_rate;
      for (double& sum : sums) row.losses.push_back(std::exchange(sum, 0) / static_cast<double>(summed));
      summed = 0;
      if (!crops_.validation.empty() && (step % set_.options.validate_every == 0 || is_last)) {
        row.scores = validate(network);
        const std::optional<double> best = best_score();
        row = curves_.as_kept(row);  // ties among scores are those that a training that goes on sees
        if (set_.options.patience > 0 && (!best || mean_of(row.scores) > *best)) network.save(best_path());
      }
      double total = 0;
      for (const double loss : row.losses) total += loss;
      output.report(static_cast<double>(step) / static_cast<double>(steps),
                    fmt::format("step {} loss {:.4f}", step, total));
      curves_.add(row);
      const bool stops = is_cancelled();
      if (step % set_.options.checkpoint_every == 0 || stops || is_last) save(network);
      if (step % (10 * set_.options.log_every) == 0) curves_.write(set_.folder, began_unix_seconds_);
      throw_if_cancelled();
      if (has_waited_enough()) break;
    }
    // Also where no step was left to do.
    curves_.write(set_.folder, began_unix_seconds_);
    if (set_.options.patience > 0) {
      std::filesystem::copy_file(best_path(), set_.folder / "network.organon",
                                 std::filesystem::copy_options::overwrite_existing);
    } else {
      network.save(set_.folder / "network.organon");
    }
    const std::string hash = blockwise::identity_of_input((set_.folder / "network.organon").string());
    for (const char* name : {"network.organon", "curves.csv", "curves.svg"})
      output.add_file(set_.folder / name);
    output.add_file(event_file_in(set_.folder));
    output.emit(0, std::as_bytes(std::span(hash)));
  }

 private:
  static double mean_of(const std::vector<double>& scores) {
    return std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  }
  std::filesystem::path best_path() const { return set_.folder / "best.organon"; }

  // From the rows alone, so that a resumed training stops where an unbroken one does.
  std::optional<double> best_score() const {
    std::optional<double> best;
    for (const CurveRow& row : curves_.rows())
      if (!row.scores.empty()) best = std::max(best.value_or(-1), mean_of(row.scores));
    return best;
  }
  bool has_waited_enough() const {
    if (set_.options.patience == 0) return false;
    std::int64_t since_best = 0;
    double best = -1;
    for (const CurveRow& row : curves_.rows()) {
      if (row.scores.empty()) continue;
      const double score = mean_of(row.scores);
      since_best = score > best ? 0 : since_best + 1;
      best = std::max(best, score);
    }
    return since_best >= set_.options.patience;
  }

  // The newest checkpoint of the same training that can be read, or a new network.
  nn::Network newest_network() {
    nn::NetworkInfo info{set_.network, set_.options.classes, crops_.voxel_size_nm,
                         static_cast<std::uint64_t>(set_.options.seed), identity_};
    auto found = checkpoints_in(set_.folder);
    while (!found.empty()) {
      const auto newest = std::prev(found.end());
      try {
        nn::Network network = nn::Network::load(newest->second);
        if (network.info().training == identity_) {
          curves_.read(set_.folder / "curves.csv", network.step());
          began_unix_seconds_ = noted_beginning();
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
    std::filesystem::remove(event_file_in(set_.folder));
    std::filesystem::create_directories(set_.folder);
    began_unix_seconds_ = unix_seconds_now();
    write_description();
    return nn::Network(info);
  }

  // When a training that goes on began; for one of before that was noted, as if it had not been interrupted.
  double noted_beginning() const {
    const std::filesystem::path path = set_.folder / "training.json";
    if (std::filesystem::exists(path)) {
      const Json description = parse_json(read_text(path), path.string());
      const auto noted = description.find("began_unix_seconds");
      if (noted != description.end() && noted->is_number()) return noted->get<double>();
    }
    return unix_seconds_now() - (curves_.rows().empty() ? 0 : curves_.rows().back().seconds);
  }

  void write_description() const {
    write_text_atomically(
        set_.folder / "training.json",
        to_text({{"options", parse_json(options_to_json(set_.options), "options")},
                 {"network", parse_json(options_to_json(set_.network), "network")},
                 {"num_parameters", nn::num_parameters(set_.network, num_classes())},
                 {"voxel_size_nm", {crops_.voxel_size_nm.z, crops_.voxel_size_nm.y, crops_.voxel_size_nm.x}},
                 {"began_unix_seconds", static_cast<std::int64_t>(began_unix_seconds_)},
                 {"raw", crops_.notes}}));
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
    optimizer.gradient_limit = options.gradient_limit;
    optimizer.loss = options.loss;
    optimizer.least_share = options.least_share;
    optimizer.balance_as = set_.balance_as;
    optimizer.threads = set_.threads;
    return optimizer;
  }

  // F1 of "inside" on the same patches every time, evenly drawn, not varied.
  std::vector<double> validate(const nn::Network& network) const {
    SampleOptions evenly = set_.sample_options(crops_.voxel_size_nm);
    evenly.augment = AugmentOptions::none();
    evenly.foreground_share = 0;
    evenly.rare_classes.clear();
    const SampleSource source(crops_.validation, evenly);
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
    curves_.write(set_.folder, began_unix_seconds_);
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
  LoadedCrops crops_;
  Curves curves_;
  double began_unix_seconds_ = 0;  ///< for people: no weight depends on it
};

class TrainNetwork : public Step {
 public:
  TrainNetwork(const Set& set, std::string identity) : set_(set), identity_(std::move(identity)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.max_workers = 1;
    const auto num_classes = static_cast<std::int64_t>(set_.options.classes.size());
    const CropsCost crops = cost_of_crops(set_);
    plan.bytes_read = crops.bytes_read;
    plan.bytes_per_worker = crops.bytes_loaded + nn::training_bytes(set_.network, num_classes, set_.patch,
                                                                    set_.options.batch, set_.threads);
    const double operations =
        3 * nn::operations_per_voxel(set_.network, num_classes) *
        static_cast<double>(set_.patch.product() * set_.options.batch * set_.options.steps);
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
  // Network files without weights, also for those who plan to read checkpoints.
  void stand_in_for_outputs() const override {
    const auto targets =
        storage::open_dataset(set_.pairs.front().request.targets + "/" + set_.options.classes.front());
    nn::NetworkFile file;
    file.info.options = set_.network;
    file.info.classes = set_.options.classes;
    file.info.voxel_size_nm =
        targets->spec().grid.voxel_size_nm * static_cast<double>(set_.network.output_scale);
    const std::string text = nn::encode_network(file);
    write_text_atomically(set_.folder / "network.organon", text);
    const std::int64_t every = set_.options.checkpoint_every;
    const std::int64_t last = ceil_divide(set_.options.steps, every);
    for (std::int64_t i = std::max<std::int64_t>(0, last - set_.options.keep_checkpoints); i < last; ++i)
      write_text_atomically(checkpoint_path(set_.folder, std::min((i + 1) * every, set_.options.steps)),
                            text);
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
      .add("balance_as", balance_as,
           {"per class the class by whose voxels its loss is balanced, as an organelle for its membrane; "
            "empty: its own",
            "",
            -kAny,
            kAny,
            {}})
      .add("roles", roles, {"per pair train or validate; empty: all train", "", -kAny, kAny, {}})
      .add("contrast_limits", contrast_limits,
           {"grey values of raw mapped to -1 and 1: low,high, once or per pair; empty: as stored",
            "grey values",
            -kAny,
            kAny,
            {}})
      .add("raw_reduction", raw_reduction,
           {"of raw finer than what is learned from: its mean, or phases: samples take one voxel of each "
            "cell, each "
            "place as often (needs memory for all)",
            "",
            -kAny,
            kAny,
            {"mean", "phases"}})
      .add("preset", preset,
           {"network that the next options change", "", -kAny, kAny, nn::network_preset_names()})
      .add("features", features, {"feature maps per level, finest first; empty: preset", "", 1, 8192, {}})
      .add("pooling", pooling,
           {"pooling factors between levels, each as 2 or, for z, y, x, as 1x2x2; empty: preset",
            "",
            -kAny,
            kAny,
            {}})
      .add("kernels", kernels,
           {"kernels of the convolutions, as 3 or 1x3x3: one for all levels or one each; empty: preset",
            "voxels",
            -kAny,
            kAny,
            {}})
      .add("convolutions", convolutions, {"per level and direction; 0: preset", "", 0, 8, {}})
      .add("stem", stem,
           {"voxels per axis folded into channels before the first level; 0: preset", "", 0, 4, {}})
      .add("last_features", last_features,
           {"maps of the last level on the way up; 0: as the first level; -1: preset", "", -1, 8192, {}})
      .add("output_scale", output_scale,
           {"voxels of the output per voxel of raw and axis; 2: raw of 8 nm gives 4 nm; 0: preset",
            "",
            0,
            2,
            {}})
      .add("padding", padding, {"of the convolutions", "", -kAny, kAny, {"preset", "same", "valid"}})
      .add("alignment", alignment,
           {"of the ways of valid networks: centred, or as the paper's, one voxel off",
            "",
            -kAny,
            kAny,
            {"preset", "centred", "paper"}})
      .add("normalization", normalization,
           {"after each convolution", "", -kAny, kAny, {"preset", "batch", "group", "instance", "none"}})
      .add("residual", residual,
           {"whether a level adds its first result to its last",
            "",
            -kAny,
            kAny,
            {"preset", "auto", "true", "false"}})
      .add("skip", skip,
           {"how the way down joins the way up", "", -kAny, kAny, {"preset", "add", "concatenate"}})
      .add("steps", steps, {"length of the training", "steps", 1, 1e9, {}})
      .add("batch", batch, {"patches per step", "", 1, 1024, {}})
      .add("patch", patch, {"shape of the patches of raw, one edge or z,y,x", "voxels", 8, 1024, {}})
      .add("learning_rate", learning_rate,
           {"of Adam, at its largest: falls by a cosine to 1 %", "", 0, 10, {}})
      .add("warmup_steps", warmup_steps, {"steps in which the learning rate rises", "steps", 0, 1e9, {}})
      .add("beta1", beta1, {"of Adam", "", 0, 1, {}})
      .add("beta2", beta2, {"of Adam", "", 0, 1, {}})
      .add("average", average,
           {"decay of the running mean of the weights that predictions use", "", 0, 1, {}})
      .add("gradient_limit", gradient_limit, {"largest norm of the gradient; 0: any", "", 0, 1e9, {}})
      .add("loss", loss,
           {"mse: of boundary distances, balanced, as in the paper; dice and bce: of inside against outside, "
            "for "
            "comparison",
            "",
            -kAny,
            kAny,
            {"mse", "dice", "bce"}})
      .add("least_share", least_share,
           {"balance of the loss: a class's voxels count as at least this share; 0.5: unbalanced; paper 0.05",
            "",
            0.001,
            0.5,
            {}})
      .add("foreground_share", foreground_share,
           {"share of the patches centred near a voxel of a class", "", 0, 1, {}})
      .add("rare_classes", rare_classes,
           {"classes of which crops that have one are sought; empty: crops are taken by their size",
            "",
            -kAny,
            kAny,
            {}})
      .add("rare_share", rare_share, {"share of the patches from crops with a rare class", "", 0, 1, {}})
      .add("least_known_share", least_known_share,
           {"patches of which no larger share of voxels is annotated are drawn anew; paper 0.75",
            "",
            0,
            0.999,
            {}});
  augment.bind(table);
  table.add("seed", seed, {"of weights and samples", "", 0, 1e15, {}})
      .add("log_every", log_every, {"steps between rows of the curves", "steps", 1, 1e9, {}})
      .add("checkpoint_every", checkpoint_every, {"steps between checkpoints", "steps", 1, 1e9, {}})
      .add("keep_checkpoints", keep_checkpoints,
           {"how many of the last checkpoints are kept", "", 1, 1e9, {}})
      .add("validate_every", validate_every,
           {"steps between scores on the validation pairs", "steps", 1, 1e9, {}})
      .add("validation_patches", validation_patches, {"patches that are scored", "", 2, 1e6, {}})
      .add("patience", patience,
           {"after this many scores without a better mean F1 training stops, and its network is the best "
            "one; 0: it "
            "goes on to the end",
            "scores",
            0,
            1e9,
            {}})
      .add("threads", threads, {"0: all cores; changes nothing but the time", "", 0, 1024, {}});
}

Shape3 TrainOptions::patch_shape() const { return blockwise::shape_from(patch, "patch"); }

nn::NetworkOptions TrainOptions::network() const {
  nn::NetworkOptions network = nn::network_preset(preset);
  if (!features.empty()) network.features = features;
  if (!pooling.empty()) network.pooling = pooling;
  if (!kernels.empty()) network.kernels = kernels;
  if (convolutions != 0) network.convolutions = convolutions;
  if (stem != 0) network.stem = stem;
  if (last_features >= 0) network.last_features = last_features;
  if (output_scale != 0) network.output_scale = output_scale;
  const auto change = [](std::string& field, const std::string& value) {
    if (value != "preset") field = value;
  };
  change(network.padding, padding);
  change(network.alignment, alignment);
  change(network.normalization, normalization);
  change(network.residual, residual);
  change(network.skip, skip);
  network.check();
  return network;
}

std::unique_ptr<blockwise::Stage> make_train_stage(const StageDescription& description) {
  return std::make_unique<TrainStage>(description);
}

}  // namespace organon::stages
