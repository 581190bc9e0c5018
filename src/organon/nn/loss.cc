#include "organon/nn/loss.h"

#include <algorithm>

#include "organon/base/check.h"

namespace organon::nn {
namespace {

torch::Tensor per_class_weight(const std::vector<float>& weights, const torch::Tensor& like) {
  return torch::tensor(weights).view({1, -1, 1, 1, 1}).to(like.device());
}

// Sums over all but the classes.
torch::Tensor sum_per_class(const torch::Tensor& values) { return values.sum({0, 2, 3, 4}); }

// In sums of 32 bits, which processors add many of at once.
template <class Counts>
std::int64_t count_voxels(std::int64_t size, const Counts& counts) {
  constexpr std::int64_t kRun = 1 << 20;
  std::int64_t sum = 0;
  for (std::int64_t begin = 0; begin < size; begin += kRun) {
    std::int32_t of_run = 0;
    for (std::int64_t k = begin; k < std::min(size, begin + kRun); ++k) of_run += counts(k) ? 1 : 0;
    sum += of_run;
  }
  return sum;
}

// What balanced squares need of one class of one sample.
struct ClassVoxels {
  const float* output;
  const float* target;
  const float* other_target;  // of the class that it is balanced as
  const std::uint8_t* mask;
  const std::uint8_t* other_mask;
  std::int64_t size;
};

// The sum of weight (output - target)^2 and, in `gradient`, its derivative by the output.
double add_squares(const ClassVoxels& voxels, float positive, float negative, float* gradient) {
  constexpr std::int64_t kLanes = 16;
  constexpr std::int64_t kRun = 4096;  // summed in floats, lane by lane
  const auto one = [&](std::int64_t k) {
    const bool counts = (voxels.mask[k] != 0) & (voxels.other_mask[k] != 0);
    const float weight = counts ? (voxels.other_target[k] > 0 ? positive : negative) : 0.0F;
    const float error = voxels.output[k] - voxels.target[k];
    gradient[k] = 2 * weight * error;
    return weight * error * error;
  };
  double sum = 0;
  for (std::int64_t begin = 0; begin < voxels.size; begin += kRun) {
    const std::int64_t end = std::min(voxels.size, begin + kRun);
    float lanes[kLanes] = {};
    std::int64_t k = begin;
    for (; k + kLanes <= end; k += kLanes)
      for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += one(k + lane);
    for (; k < end; ++k) sum += one(k);
    for (const float lane : lanes) sum += lane;
  }
  return sum;
}

// Balanced squares on a processor: losses and gradients in one pass over memory, where libtorch's operations,
// one after the other, take fifteen.
class BalancedSquares : public torch::autograd::Function<BalancedSquares> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& output,
                               const torch::Tensor& target, const torch::Tensor& mask,
                               const Balance& balance) {
    const torch::Tensor found = output.contiguous();
    const torch::Tensor wanted = target.contiguous();
    const torch::Tensor known = mask.contiguous();
    torch::Tensor gradient = torch::empty_like(found);
    const std::int64_t num_classes = found.size(1);
    const std::int64_t size = found.size(2) * found.size(3) * found.size(4);
    std::vector<double> sums(static_cast<std::size_t>(num_classes), 0);
    for (std::int64_t n = 0; n < found.size(0); ++n) {
      for (std::int64_t c = 0; c < num_classes; ++c) {
        const auto number = static_cast<std::size_t>(c);
        const std::int64_t own = (n * num_classes + c) * size;
        const std::int64_t other = (n * num_classes + balance.balance_as[number]) * size;
        const auto* targets = wanted.data_ptr<float>();
        const auto* masks = known.data_ptr<std::uint8_t>();
        sums[number] += add_squares(
            {found.data_ptr<float>() + own, targets + own, targets + other, masks + own, masks + other, size},
            balance.positive[number], balance.negative[number], gradient.data_ptr<float>() + own);
      }
    }
    context->save_for_backward({gradient});
    return torch::tensor(sums, torch::kFloat64).to(torch::kFloat32);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& of_losses) {
    const torch::Tensor gradient = context->get_saved_variables().front();
    // Of the sum of all losses, as in training, each has 1.
    const bool is_sum = torch::all(of_losses[0] == 1).item<bool>();
    return {is_sum ? gradient : gradient * of_losses[0].view({1, -1, 1, 1, 1}), {}, {}, {}};
  }
};

}  // namespace

Balance::Balance(const TrainingBatch& batch, const OptimizerOptions& options, ProcessGroup* group) {
  const std::size_t num_classes = batch.targets.front().size();
  ORGANON_CHECK(options.balance_as.empty() || options.balance_as.size() == num_classes);
  // Voxels per class, and those that count where it is balanced as another.
  std::vector<std::int64_t> annotated(num_classes, 0);
  std::vector<std::int64_t> positives(num_classes, 0);
  std::vector<std::int64_t> counted(num_classes, 0);
  for (std::size_t c = 0; c < num_classes; ++c) {
    const std::size_t other = options.balance_as.empty() ? c : options.balance_as[c];
    balance_as.push_back(static_cast<std::int64_t>(other));
    for (std::size_t i = 0; i < batch.raw.size(); ++i) {
      const std::uint8_t* mask = batch.masks[i][c].data();
      const std::uint8_t* other_mask = batch.masks[i][other].data();
      const float* target = batch.targets[i][c].data();
      const std::int64_t size = batch.targets[i][c].size();
      annotated[c] += count_voxels(size, [&](std::int64_t k) { return mask[k] != 0; });
      positives[c] += count_voxels(size, [&](std::int64_t k) { return (mask[k] != 0) & (target[k] > 0); });
      counted[c] += count_voxels(size, [&](std::int64_t k) { return (mask[k] != 0) & (other_mask[k] != 0); });
    }
  }
  if (group != nullptr)
    for (auto* counts : {&annotated, &positives, &counted}) group->sum(*counts);
  const auto at_least_one = [](std::int64_t count) {
    return static_cast<double>(std::max<std::int64_t>(1, count));
  };
  for (std::size_t c = 0; c < num_classes; ++c) {
    const auto other = static_cast<std::size_t>(balance_as[c]);
    const double share = std::clamp(static_cast<double>(positives[other]) / at_least_one(annotated[other]),
                                    options.least_share, 1 - options.least_share);
    positive.push_back(static_cast<float>(0.5 / share / at_least_one(counted[c])));
    negative.push_back(static_cast<float>(0.5 / (1 - share) / at_least_one(counted[c])));
  }
}

torch::Tensor loss_per_class(const torch::Tensor& output, const torch::Tensor& target,
                             const torch::Tensor& mask, const Balance& balance, const std::string& loss,
                             std::size_t batch_size) {
  ORGANON_CHECK(output.dim() == 5 && target.sizes() == output.sizes() && mask.sizes() == output.sizes());
  ORGANON_CHECK(balance.balance_as.size() == static_cast<std::size_t>(output.size(1)));
  if (loss == "mse" && output.is_cpu() && output.scalar_type() == torch::kFloat32)
    return BalancedSquares::apply(output, target, mask, balance);
  const torch::Tensor is_known = mask != 0;
  if (loss == "dice") {
    const torch::Tensor inside = (target > 0).to(torch::kFloat32) * is_known;
    const torch::Tensor found = torch::sigmoid(2 * output) * is_known;
    const torch::Tensor both = (inside * found).sum({2, 3, 4});
    const torch::Tensor either = (inside + found).sum({2, 3, 4});
    return ((1 - (2 * both + 1) / (either + 1)) / static_cast<double>(batch_size)).sum(0);
  }
  const torch::Tensor others = torch::tensor(balance.balance_as).to(target.device());
  const torch::Tensor positive = per_class_weight(balance.positive, target);
  const torch::Tensor negative = per_class_weight(balance.negative, target);
  const torch::Tensor weight = torch::where(target.index_select(1, others) > 0, positive, negative) *
                               is_known.logical_and(is_known.index_select(1, others));
  if (loss == "bce") {
    const torch::Tensor inside = (target > 0).to(torch::kFloat32);
    // log(1 + e^-|x|) + max(x, 0) - x g, which no x overflows.
    const torch::Tensor x = 2 * output;
    return sum_per_class(weight * (torch::log1p(torch::exp(-x.abs())) + torch::relu(x) - x * inside));
  }
  ORGANON_CHECK(loss == "mse");
  const torch::Tensor error = output - target;
  return sum_per_class(weight * error * error);
}

}  // namespace organon::nn
