#pragma once

#include "organon/nn/network.h"
#include "organon/nn/process_group.h"
#include "organon/nn/torch.h"

namespace organon::nn {

/// Weights of the voxels of a whole batch, per class: of positives and negatives of the class that it is
/// balanced as, divided by the number of voxels that count for the class.
struct Balance {
  std::vector<float> positive;
  std::vector<float> negative;
  std::vector<std::int64_t> balance_as;  ///< per class

  /// Of the batch whose parts the ranks of `group` hold; none: this is all of it. Requires: balance_as of the
  /// options empty or with a number per class. Errors: those of the group.
  Balance(const TrainingBatch& batch, const OptimizerOptions& options, ProcessGroup* group = nullptr);
};

/// Loss per class of some of the batch's samples; those of all samples add up to the batch's.
/// Shapes: output and target (float32), mask (uint8, not 0: annotated) N C D H W; result C.
///
///     weight = positive or negative, by the sign of the target of the class it is balanced as, where both
///     are
///              annotated
///     mse    sum of weight (output - target)^2
///     bce    sum of weight (- log s where target > 0, - log(1 - s) elsewhere), s = sigmoid(2 output)
///     dice   sum over samples of (1 - 2 sum(s g) / sum(s + g)) / batch size, g = target > 0, over annotated
///     voxels;
///            1 is added to both sums, so that a class that is absent and not found costs nothing
torch::Tensor loss_per_class(const torch::Tensor& output, const torch::Tensor& target,
                             const torch::Tensor& mask, const Balance& balance, const std::string& loss,
                             std::size_t batch_size);

}  // namespace organon::nn
