#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/nn/network_options.h"
#include "organon/stages/training/rank_processes.h"
#include "organon/stages/training/sample_source.h"

namespace organon::stages {

/// Raw and targets -> a network.
struct TrainOptions {
  std::vector<std::string> classes;  ///< read at TARGETS/<class>
  std::vector<std::string>
      balance_as;                  ///< per class the class by whose voxels it is balanced; empty: its own
  std::vector<std::string> roles;  ///< per pair "train" or "validate"; empty: all train
  std::vector<double> contrast_limits;  ///< low,high of raw, for all pairs or per pair; empty: as stored
  std::string raw_reduction = "mean";   ///< of raw finer than what is learned from: "mean" or "phases"

  std::string preset = "compact";      ///< each of the following changes it where it says something
  std::vector<std::int64_t> features;  ///< empty, 0, -1 or "preset": the preset's
  std::vector<std::string> pooling;
  std::vector<std::string> kernels;
  std::int64_t convolutions = 0;
  std::int64_t stem = 0;
  std::int64_t last_features = -1;
  std::int64_t output_scale = 0;
  std::string padding = "preset";
  std::string alignment = "preset";
  std::string normalization = "preset";
  std::string residual = "preset";
  std::string skip = "preset";

  std::int64_t steps = 1600;
  std::int64_t batch = 4;
  std::vector<std::int64_t> patch = {64};  ///< of raw, voxels: one edge or z,y,x
  double learning_rate = 3e-3;
  std::int64_t warmup_steps = 100;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double average = 0.995;
  double settled_share = 0.2;
  double gradient_limit = 5;
  std::string loss = "mse";  ///< "mse", "dice" or "bce"
  std::string precision = "auto";
  double least_share = 0.2;
  double foreground_share = 0.6;
  std::vector<std::string> rare_classes;  ///< crops that have one of them are sought
  double rare_share = 0.5;
  double least_known_share = 0;
  AugmentOptions augment;

  std::int64_t seed = 1;
  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 250;
  std::int64_t keep_checkpoints = 3;
  std::int64_t calibration_patches = 32;  ///< where boundary levels are found; 0: they are 0
  std::int64_t validate_every = 250;
  std::int64_t validation_patches = 24;
  std::int64_t patience = 0;  ///< scores without a better one after which training stops; 0: it does not
  std::int64_t threads = 0;
  std::int64_t accumulate = 1;  ///< parts of a batch that are run one after the other, per process
  std::int64_t processes = 1;   ///< that share each batch
  double rank_timeout_s = 600;  ///< for which processes wait for one that does not answer

  void bind(OptionTable& table);
  /// The preset with what was changed. Errors: kInvalidArgument.
  nn::NetworkOptions network() const;
  Shape3 patch_shape() const;
};

/// Inputs: RAW, TARGETS, RAW, TARGETS, ..., and last, where weights are to start from those of another
/// network of the same topology, its file (network.organon): options of the network are then those of the
/// file. Output: a folder with
///
///     network.organon     the trained network, what predictions need of it
///     checkpoints/        step_<step>.organon, the last few: each is a network, too
///     curves.csv, .svg    losses per class and F1 on the validation crops, rewritten while training
///     events/             the same for `tensorboard --logdir FOLDER`, which may run meanwhile
///     samples/            pictures of what the network predicts, for the page of `organon serve FOLDER`:
///                         LiveSamples
///     training.json       name, effective options, parameters, the datasets that were read, when training
///                         began, and since it last went on, which share of the time of its steps it waited
///                         for samples (waited_share, of rank 0); a device is busy for the rest
///
/// At each checkpoint, but that of a training that is stopped, and with each score the boundary levels of the
/// network are found (BoundaryLevel), and kept with it.
///
/// One solve. The sample of a step depends on seed and step alone, and sums do not depend on the number of
/// threads, so that a training that was killed goes on from its newest checkpoint along the same curve. A
/// checkpoint is taken up where options and inputs are the same, else training starts anew.
///
/// With several processes (ranks) each makes and runs its own share of every batch, and all take the same
/// step. The worker is rank 0: it alone scores and writes. The weights of the ranks are compared at each
/// checkpoint, bit for bit. Where one is lost the others end, and the training goes on from its newest
/// checkpoint, up to three times, then with the next run.
///
/// Errors: kInvalidArgument for classes, roles, patches, shares or grids that do not fit; kUnsupported for
/// several processes where organon was built without gloo; kInternal where a loss is not finite, naming step
/// and class, or where weights of ranks differ; kIo where a rank is lost, with what it said; checkpoints
/// stay.
std::unique_ptr<blockwise::Stage> make_train_stage(const blockwise::StageDescription& description);

/// The work of a rank that is not the first, until the last step. Returns its exit code. Errors: as the
/// stage's.
int run_training_rank(const RankPlace& place);

}  // namespace organon::stages
