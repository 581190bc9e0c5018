#include "organon/stages/training/train_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>
#include <thread>
#include <type_traits>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/files.h"
#include "organon/base/gpu.h"
#include "organon/base/json.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/checkpoints.h"
#include "organon/nn/network.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/process_group.h"
#include "organon/stages/training/batch_queue.h"
#include "organon/stages/training/curves.h"
#include "organon/stages/training/live_samples.h"
#include "organon/stages/training/score_samples.h"
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
constexpr std::int64_t kCalibrationPatchesPerClass = 2;
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
    if (options.batch % options.processes != 0 || options.accumulate > share()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected a batch of equal shares for {} processes, each of at least {} "
                              "patches for as many parts, found one of {}",
                              verb, options.processes, options.accumulate, options.batch));
    }
    // A training of other options or inputs begins anew, and what its folder held is gone.
    const auto inside = std::filesystem::weakly_canonical(start_from)
                            .lexically_relative(std::filesystem::weakly_canonical(folder));
    if (!start_from.empty() && !inside.empty() && *inside.begin() != "..") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: {} lies in the output, which would be made anew; choose another output",
                              verb, start_from));
    }
    if (options.processes > 1 && !nn::ProcessGroup::is_available()) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: processes: this organon was built without the headers of gloo (Debian: "
                              "libgloo-dev), and trains in one process only",
                              verb));
    }
  }

  /// Patches of a step's batch that one process takes.
  std::int64_t share() const { return options.batch / options.processes; }
  std::int64_t calibration_patches() const {
    if (options.calibration_patches == 0) return 0;
    return std::max(options.calibration_patches,
                    kCalibrationPatchesPerClass * static_cast<std::int64_t>(options.classes.size()));
  }
  /// Of one process where so many share this machine.
  int threads_of(int num_processes) const { return std::max(1, threads / num_processes); }
};

double unix_seconds_now() {
  return std::floor(
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
}

double seconds_since(const std::chrono::steady_clock::time_point& begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Training {
 public:
  Training(const Set& set, std::string identity, std::filesystem::path run = {})
      : set_(set), identity_(std::move(identity)), run_(std::move(run)), curves_(set.options.classes) {}

  /// As rank 0.
  void run(BlockOutput& output) {
    const auto num_ranks = static_cast<int>(set_.options.processes);
    if (num_ranks > 1) {
      choose_gpu(0);  // whatever the number of the worker
      // What an attempt left that was cut short must not be met.
      std::filesystem::remove_all(run_ / "ranks");
      processes_.emplace(run_, run_ / "ranks", num_ranks);
    }
    crops_ = load_crops(set_);
    nn::Network network = newest_network();
    if (processes_) {
      processes_->wait_until_ready();
      with_ranks([&] {
        meet(processes_->place());
        group_->gather(network.step());
        check_equal_weights(network);
      });
    }
    const std::int64_t steps = set_.options.steps;
    const SampleOptions sample_options = set_.sample_options(crops_.voxel_size_nm);
    const SampleSource source(crops_.training, sample_options);
    LiveSamples live_samples(set_.folder, set_.options.classes,
                             crops_.validation.empty() ? crops_.training : crops_.validation, sample_options,
                             network.step());
    const auto queue = start_batches(source, network.step());
    const auto begin = std::chrono::steady_clock::now();
    const double seconds_before = curves_.rows().empty() ? 0 : curves_.rows().back().seconds;
    std::vector<double> sums(set_.options.classes.size(), 0);
    std::int64_t summed = 0;
    double step_seconds = 0;
    while (network.step() < steps) {
      fault_point("train");
      const nn::OptimizerOptions optimizer = optimizer_options(network.step());
      const auto step_begin = std::chrono::steady_clock::now();
      const nn::TrainingBatch batch = queue->take();
      const std::vector<double> losses =
          with_ranks([&] { return network.train_step(batch, optimizer, group_.get()); });
      step_seconds += seconds_since(step_begin);
      waited_share_ = queue->waited_seconds() / step_seconds;
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += losses[c];
      ++summed;
      const std::int64_t step = network.step();
      const bool is_last = step == steps;
      with_ranks([&] { check_equal_weights(network); });
      if (step % set_.options.log_every != 0 && !is_last) continue;

      const bool is_looked_at = step % set_.options.validate_every == 0 || is_last;
      const bool reaches_checkpoint = step % set_.options.checkpoint_every == 0 || is_last;
      // One of a training that was stopped does without: those who stop it do not wait long.
      if (is_looked_at || reaches_checkpoint) calibrate(network);

      CurveRow row;
      row.step = step;
      row.seconds = seconds_before + seconds_since(begin);
      row.learning_rate = optimizer.learning_rate;
      for (double& sum : sums) row.losses.push_back(std::exchange(sum, 0) / static_cast<double>(summed));
      summed = 0;
      if (is_looked_at && !crops_.validation.empty()) {
        row.scores = f1_on_samples(network, crops_.validation, sample_options,
                                   set_.options.validation_patches, num_makers());
        const std::optional<double> best = best_score();
        row = curves_.as_kept(row);  // ties among scores are those that a training that goes on sees
        if (set_.options.patience > 0 && (!best || mean_of(row.scores) > *best))
          network.save_for_prediction(best_path());
      }
      double total = 0;
      for (const double loss : row.losses) total += loss;
      output.report(static_cast<double>(step) / static_cast<double>(steps),
                    fmt::format("step {} loss {:.4f}, {}", step, total, describe_wait(*waited_share_)));
      curves_.add(row);
      const bool stops = is_cancelled();
      if (reaches_checkpoint || stops) save(network);
      if (step % (10 * set_.options.log_every) == 0) curves_.write(set_.folder, began_unix_seconds_);
      if (is_looked_at) live_samples.write_if_affordable(network);
      throw_if_cancelled();
      if (has_waited_enough()) break;
    }
    live_samples.write(network);
    // Also where no step was left to do.
    curves_.write(set_.folder, began_unix_seconds_);
    if (waited_share_) write_description();
    if (set_.options.patience > 0) {
      std::filesystem::copy_file(best_path(), set_.folder / "network.organon",
                                 std::filesystem::copy_options::overwrite_existing);
    } else {
      network.save_for_prediction(set_.folder / "network.organon");
    }
    const std::string hash = blockwise::identity_of_input((set_.folder / "network.organon").string());
    for (const char* name : {"network.organon", "curves.csv", "curves.svg"})
      output.add_file(set_.folder / name);
    output.add_file(event_file_in(set_.folder));
    output.emit(0, std::as_bytes(std::span(hash)));
  }

  /// As another rank: what comes before all meet, and then all steps. Errors of the latter: kIo where a rank
  /// is lost.
  void prepare(const RankPlace& place) {
    crops_ = load_crops(set_);
    write_text_atomically(place.ready_file(), "", Fsync::kNo);
  }
  void follow(const RankPlace& place) {
    meet(place);
    const std::int64_t first = group_->gather(0).front();
    nn::Network network =
        first == 0 ? new_network() : nn::Network::load(nn::checkpoint_path(set_.folder, first));
    check_equal_weights(network);
    fmt::print(stderr, "rank {} of {} trains from step {} on\n", group_->rank(), group_->size(), first);
    const SampleSource source(crops_.training, set_.sample_options(crops_.voxel_size_nm));
    const auto queue = start_batches(source, first);
    while (network.step() < set_.options.steps) {
      fault_point(fmt::format("train rank {}", group_->rank()));
      network.train_step(queue->take(), optimizer_options(network.step()), group_.get());
      check_equal_weights(network);
    }
  }

 private:
  void meet(const RankPlace& place) {
    threads_ = set_.threads_of(place.ranks_per_node);
    group_ = std::make_unique<nn::ProcessGroup>(
        nn::ProcessGroupOptions{place.meeting_file(), place.rank, static_cast<int>(set_.options.processes),
                                place.ranks_per_node == set_.options.processes, set_.options.rank_timeout_s});
  }

  // As rank 0: an error that a lost rank causes, as what became of that rank.
  template <class Work>
  std::invoke_result_t<Work> with_ranks(const Work& work) {
    try {
      return work();
    } catch (const Error& error) {
      if (!processes_ || error.kind() != ErrorKind::kIo) throw;
      throw Error(ErrorKind::kIo,
                  fmt::format("training lost one of its {} processes: {} ({})", set_.options.processes,
                              processes_->describe_loss(), error.message()));
    }
  }

  // At the beginning and at each checkpoint: processors of two kinds, say, must not train one network.
  void check_equal_weights(const nn::Network& network) {
    const std::int64_t step = network.step();
    if (!group_ || (step % set_.options.checkpoint_every != 0 && step != set_.options.steps)) return;
    const std::vector<std::int64_t> hashes = group_->gather(static_cast<std::int64_t>(network.hash().low));
    for (std::size_t rank = 1; rank < hashes.size(); ++rank) {
      if (hashes[rank] != hashes[0]) {
        throw Error(ErrorKind::kInternal,
                    fmt::format("training step {}: the weights of rank {} are not those of rank 0; all "
                                "processes must run on processors, or devices, of one kind",
                                step, rank));
      }
    }
  }

  // Of this process's share.
  std::unique_ptr<BatchQueue> start_batches(const SampleSource& source, std::int64_t first_step) const {
    return std::make_unique<BatchQueue>([&](std::int64_t step) { return make_batch(source, step); },
                                        first_step, set_.options.steps, kBatchesAhead - 1 + num_makers(),
                                        num_makers());
  }
  // A processor that trains has no time to spare; where another device does, all its cores make batches.
  std::size_t num_makers() const { return static_cast<std::size_t>(nn::has_device("cuda") ? threads_ : 1); }

  void calibrate(nn::Network& network) const {
    const std::int64_t patches = set_.calibration_patches();
    if (patches == 0) return;
    network.set_boundary_levels(find_boundary_levels(
        network, crops_.training, set_.sample_options(crops_.voxel_size_nm), patches, num_makers()));
  }

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
    auto found = nn::checkpoints_in(set_.folder);
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
    std::filesystem::remove(best_path());
    std::filesystem::remove(event_file_in(set_.folder));
    std::filesystem::create_directories(set_.folder);
    began_unix_seconds_ = unix_seconds_now();
    // Before the description, which says that there is a training to be watched: its rows, not older ones.
    curves_.write(set_.folder, began_unix_seconds_);
    write_description();
    return new_network();
  }

  nn::Network new_network() const {
    const nn::NetworkInfo info{set_.network,
                               set_.options.classes,
                               crops_.voxel_size_nm,
                               static_cast<std::uint64_t>(set_.options.seed),
                               identity_,
                               {}};
    return set_.start_from.empty() ? nn::Network(info) : nn::Network::start_from(set_.start_from, info);
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
    const SizeNm& size = crops_.voxel_size_nm;
    Json description = {{"name", set_.folder.filename().string()},
                        {"options", parse_json(options_to_json(set_.options), "options")},
                        {"network", parse_json(options_to_json(set_.network), "network")},
                        {"num_parameters", nn::num_parameters(set_.network, num_classes())},
                        {"voxel_size_nm", {size.z, size.y, size.x}},
                        {"began_unix_seconds", static_cast<std::int64_t>(began_unix_seconds_)},
                        {"raw", crops_.notes}};
    if (waited_share_) description["waited_share"] = *waited_share_;
    write_text_atomically(set_.folder / "training.json", to_text(description));
  }

  nn::TrainingBatch make_batch(const SampleSource& source, std::int64_t step) const {
    nn::TrainingBatch batch;
    const std::int64_t first = group_ ? group_->rank() * set_.share() : 0;
    for (std::int64_t place = first; place < first + set_.share(); ++place) {
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
    optimizer.is_settled = done >= 1 - options.settled_share;
    optimizer.gradient_limit = options.gradient_limit;
    optimizer.loss = options.loss;
    optimizer.least_share = options.least_share;
    optimizer.balance_as = set_.balance_as;
    optimizer.precision = nn::precision_named(options.precision);
    optimizer.threads = threads_;
    optimizer.accumulate = static_cast<int>(options.accumulate);
    return optimizer;
  }

  void save(const nn::Network& network) {
    // The curve first: a checkpoint never stands without the rows up to it.
    curves_.write(set_.folder, began_unix_seconds_);
    write_description();
    network.save(nn::checkpoint_path(set_.folder, network.step()));
    fault_point("checkpoint");
    auto found = nn::checkpoints_in(set_.folder);
    while (static_cast<std::int64_t>(found.size()) > set_.options.keep_checkpoints) {
      std::filesystem::remove(found.begin()->second);
      found.erase(found.begin());
    }
  }

  std::int64_t num_classes() const { return static_cast<std::int64_t>(set_.options.classes.size()); }

  const Set& set_;
  std::string identity_;
  std::filesystem::path run_;  ///< where ranks meet
  LoadedCrops crops_;
  Curves curves_;
  int threads_ = set_.threads;
  std::optional<RankProcesses> processes_;  ///< of rank 0, where there are several
  std::unique_ptr<nn::ProcessGroup> group_;
  // For people: no weight depends on these.
  double began_unix_seconds_ = 0;
  std::optional<double> waited_share_;  ///< of the time of the steps done here, for samples
};

class TrainNetwork : public Step {
 public:
  TrainNetwork(const Set& set, std::string identity, std::filesystem::path run = {})
      : set_(set), identity_(std::move(identity)), run_(std::move(run)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.max_workers = 1;
    const TrainOptions& options = set_.options;
    const auto num_classes = static_cast<std::int64_t>(options.classes.size());
    const CropsCost crops = cost_of_crops(set_);
    plan.bytes_read = crops.bytes_read * options.processes;
    // Of all processes, as if they shared this machine. Two patches at once per thread, if a part has so
    // many.
    const std::int64_t part = ceil_divide(set_.share(), options.accumulate);
    const std::int64_t threads =
        std::min<std::int64_t>(set_.threads_of(static_cast<int>(options.processes)), ceil_divide(part, 2));
    plan.bytes_per_worker =
        options.processes * (crops.bytes_loaded + nn::training_bytes(set_.network, num_classes, set_.patch,
                                                                     set_.share(), threads));
    // A patch that is learned from takes three times what one that is predicted does. Scores and boundary
    // levels are looked for at least as often as this, on one core.
    const std::int64_t looks =
        ceil_divide(options.steps, std::min(options.validate_every, options.checkpoint_every));
    const bool is_validated = std::any_of(set_.pairs.begin(), set_.pairs.end(),
                                          [](const TrainingPair& pair) { return pair.is_validation; });
    const std::int64_t predicted =
        looks * (set_.calibration_patches() + (is_validated ? options.validation_patches : 0)) * set_.threads;
    const double operations =
        nn::operations_per_voxel(set_.network, num_classes) *
        static_cast<double>(set_.patch.product() * (3 * options.batch * options.steps + predicted));
    plan.voxels_per_second = 1 / (operations / (kGigaflopsPerSecond * 1e9) / set_.threads);
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    Training(set_, identity_, run_).run(output);
  }

 private:
  const Set& set_;
  std::string identity_;
  std::filesystem::path run_;
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
      write_text_atomically(nn::checkpoint_path(set_.folder, std::min((i + 1) * every, set_.options.steps)),
                            text);
  }
  std::vector<std::string> steps() const override { return {"train network"}; }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder& run) const override {
    const auto identity = run.read_identity();
    return std::make_unique<TrainNetwork>(
        set_, identity ? *identity : blockwise::identity_of_stage(description_, algorithm_version()),
        run.path());
  }
  std::vector<StepPlan> plans() const override { return {TrainNetwork(set_, "").plan()}; }

 private:
  StageDescription description_;
  Set set_;
};

}  // namespace

std::unique_ptr<blockwise::Stage> make_train_stage(const StageDescription& description) {
  return std::make_unique<TrainStage>(description);
}

int run_training_rank(const RankPlace& place) {
  // Rank 0 decides when all end: Ctrl-C reaches every process of a terminal.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  choose_gpu(place.local_rank());
  const RunFolder run(place.run);
  Set set(run.read_description());
  std::erase_if(set.pairs, [](const TrainingPair& pair) { return pair.is_validation; });
  Training training(set, run.read_identity().value());
  training.prepare(place);
  try {
    training.follow(place);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIo) throw;
    fmt::print(stderr, "{}\n", error.what());
    return kLostRankExitCode;
  }
  return 0;
}

}  // namespace organon::stages
