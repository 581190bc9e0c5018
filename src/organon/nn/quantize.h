#pragma once

#include "organon/nn/torch.h"

namespace organon::nn {

/// Distances as they are stored: clip(round(128 y + 127), 0, 255), halves away from 0.
/// Shapes: any -> the same, uint8, on the device of `y`. Exact: no step rounds but the sum with 127. Errors:
/// kCorruptData where a value is none.
torch::Tensor quantize(const torch::Tensor& y);

/// The same by tensor operations: what quantize() does on a card. On a processor it takes twice as long.
torch::Tensor quantize_by_operations(const torch::Tensor& y);

}  // namespace organon::nn
