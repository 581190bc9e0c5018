#include "organon/blockwise/reading.h"
#include "organon/nn/precision.h"
#include "organon/stages/training/train_network.h"

namespace organon::stages {

void TrainOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  constexpr double kLargestDecay = 0.999999;  // with 1 no gradient would ever count
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
      .add("padding", padding,
           {"of the convolutions: same (zeros), replicate (voxels of the faces) or valid (none)",
            "",
            -kAny,
            kAny,
            {"preset", "same", "replicate", "valid"}})
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
      .add("batch", batch, {"patches per step; a processor's core takes two at a time", "", 1, 1024, {}})
      .add("patch", patch, {"shape of the patches of raw, one edge or z,y,x", "voxels", 8, 1024, {}})
      .add("learning_rate", learning_rate,
           {"of Adam, at its largest: falls by a cosine to 1 %", "", 0, 10, {}})
      .add("warmup_steps", warmup_steps, {"steps in which the learning rate rises", "steps", 0, 1e9, {}})
      .add("beta1", beta1, {"of Adam", "", 0, kLargestDecay, {}})
      .add("beta2", beta2, {"of Adam", "", 0, kLargestDecay, {}})
      .add("average", average,
           {"decay of the running mean of the weights that predictions use", "", 0, 1, {}})
      .add("settled_share", settled_share,
           {"of the steps, the last: batch normalisation by means over the training, as predictions have it; "
            "before, two patches at a time by their own statistics. 1: where a trained network is taught on",
            "",
            0,
            1,
            {}})
      .add("gradient_limit", gradient_limit, {"largest norm of the gradient; 0: any", "", 0, 1e9, {}})
      .add("loss", loss,
           {"mse: of boundary distances, balanced, as in the paper; dice and bce: of inside against outside, "
            "for "
            "comparison",
            "",
            -kAny,
            kAny,
            {"mse", "dice", "bce"}})
      .add("precision", precision,
           {"numbers that the network is computed with while it learns; weights and losses are float32: "
            "bfloat16, float32, or auto: bfloat16 on a GPU",
            "", -kAny, kAny, nn::precision_names()})
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
      .add(
          "calibration_patches", calibration_patches,
          {"samples, two per class or more, on which, at each checkpoint and score, the output of each class "
           "that divides inside from outside best, 0 or below, is found; predictions have it at 0. 0: none, "
           "predictions "
           "are the distances that were learned",
           "",
           0,
           1e6,
           {}})
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
      .add("threads", threads,
           {"of all processes of a machine; 0: all cores; changes nothing but the time", "", 0, 1024, {}})
      .add("accumulate", accumulate,
           {"parts in which a process runs its share of a batch, one after the other, so that memory holds "
            "one part; on a processor it changes nothing else",
            "",
            1,
            1024,
            {}})
      .add("processes", processes,
           {"that share each batch: one per GPU; in a Slurm allocation of several nodes they spread over all "
            "of them",
            "",
            1,
            1024,
            {}})
      .add("rank_timeout_s", rank_timeout_s,
           {"for which processes wait for one that does not answer: longer than calibration and scores take",
            "s",
            1,
            1e6,
            {}});
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

}  // namespace organon::stages
