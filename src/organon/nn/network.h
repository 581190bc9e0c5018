#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/hash.h"
#include "organon/nn/network_file.h"
#include "organon/nn/network_shapes.h"
#include "organon/nn/precision.h"

namespace organon::nn {

class ProcessGroup;

/// One step's input of training: a batch of patches of one shape.
struct TrainingBatch {
  std::vector<Array<float>> raw;                        ///< per sample, values about [-1, 1]
  std::vector<std::vector<Array<float>>> targets;       ///< per sample, per class, [-1, 1], of output_shape()
  std::vector<std::vector<Array<std::uint8_t>>> masks;  ///< as targets; 0: not annotated, no loss
};

struct OptimizerOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double average = 0.998;     ///< decay of the running mean of the weights that predictions use
  double gradient_limit = 5;  ///< largest norm of the gradient; 0: any
  /// "mse": masked, balanced mean square error; to compare with it "bce", balanced cross entropy, and "dice",
  /// 1 - soft Dice, both of inside (target > 0) against sigmoid(2 output).
  std::string loss = "mse";
  /// Per class the number of the class by whose voxels it is balanced; empty: each by its own.
  std::vector<std::size_t> balance_as;
  double least_share = 0.05;  ///< of positives, and of negatives, in the balance of the loss; 0.5: no balance
  /// Parts in which the batch is run, one after the other, so that memory holds the maps of one part only.
  /// On the processor the result does not depend on it; on other devices each part normalises by itself.
  int accumulate = 1;
  /// Batch normalisation as predictions have it, by the running mean of its statistics, which then stays.
  /// What is learned by statistics of two samples alone errs where a place is unlike most: source:
  /// [ioffe2017renormalization].
  bool is_settled = false;
  Precision precision = Precision::kAuto;
  int threads = 1;  ///< on the processor; the result does not depend on it
};

/// Kinds of device that networks run on, best first: "cuda", "cpu". Results of one differ from those of
/// another in the last bits.
std::vector<std::string> device_types();
/// Whether this process has one of a kind. It may start the device's driver, which processes that fork must
/// not have done.
bool has_device(const std::string& type);

/// A U-Net with its optimiser. The one door between organon and libtorch: nothing of torch shows here.
class Network {
 public:
  /// New weights from the seed. `device`: a kind that is there; empty: the best. Errors: kInvalidArgument.
  explicit Network(const NetworkInfo& info, const std::string& device = "");
  /// From a file: weights, their running mean, the optimiser's state, the step; of one saved for prediction
  /// the mean stands for the weights and the optimiser has no past. Errors: kNotFound; kCorruptData.
  static Network load(const std::filesystem::path& path, const std::string& device = "");
  /// A new network with the weights of another one, such as a published network that is to learn a lab's own
  /// data: step 0, no moments, the same running mean. Classes that the other has keep their outputs; others
  /// begin as in a new network. Errors: as load(); kInvalidArgument where the options of both differ, or they
  /// share no class.
  static Network start_from(const std::filesystem::path& path, const NetworkInfo& info,
                            const std::string& device = "");
  /// What load() would give as info(), without the weights. Errors: as load().
  static NetworkInfo read_info(const std::filesystem::path& path);
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;
  ~Network();

  const NetworkInfo& info() const;
  std::int64_t step() const;

  /// One step of Adam on the masked, balanced mean square error. Returns the loss per class before the step.
  ///
  /// Per class and batch, with f the share of positive targets inside the mask, clipped to [least_share, 1 -
  /// least_share]: positives weigh 1 / (2 f), negatives 1 / (2 (1 - f)). A class balanced as another has that
  /// one's weights, voxel by voxel: 0 where the other is not annotated. Source: [heinrich2021cosem]. Errors:
  /// kInternal naming step and class where a loss is not finite; the weights stay as they were. Threads: the
  /// batch is cut into shards of two samples, which are normalised each by itself.
  ///
  /// With a group each rank gives as many samples of the step's batch, its own. Balance, losses and gradient
  /// are those of the batch of all, and the weights of the ranks stay equal bit for bit. Errors: also those
  /// of the group, after which the weights are of no use.
  std::vector<double> train_step(const TrainingBatch& batch, const OptimizerOptions& optimizer,
                                 ProcessGroup* group = nullptr);

  /// See NetworkInfo: kept with the network, for its predictions alone, until the next step of training.
  /// Requires: one per class, above -1 and below 1, or none.
  void set_boundary_levels(const std::vector<double>& levels);

  /// Predictions of all classes, by the running mean of the weights, less the boundary levels. On the
  /// processor by the calling thread alone; two inputs at once take little longer than one (see kShardSize).
  /// Shapes: inputs of one shape that fits; result per input and class of output_shape(). Values about [-1,
  /// 1], less the levels.
  std::vector<std::vector<Array<float>>> predict(const std::vector<Array<float>>& inputs) const;

  /// Of all numbers that training goes on from: equal where weights, their mean and the optimiser's state
  /// are.
  Hash128 hash() const;

  /// Writes everything that training needs to go on, whole or not at all.
  void save(const std::filesystem::path& path) const;
  /// The same without what only training needs: a quarter of the size. What is loaded from it predicts alike.
  void save_for_prediction(const std::filesystem::path& path) const;

 private:
  struct Impl;
  explicit Network(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace organon::nn
