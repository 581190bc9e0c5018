#include "organon/nn/quantize.h"

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"

namespace organon::nn {

namespace {

[[noreturn]] void refuse_nan() {
  throw Error(ErrorKind::kCorruptData,
              "a prediction is not a number: the network's weights are damaged, or its training ran away");
}

}  // namespace

torch::Tensor quantize(const torch::Tensor& y) {
  if (!y.is_cpu()) return quantize_by_operations(y);
  const torch::Tensor values = y.contiguous();
  torch::Tensor bytes = torch::empty(values.sizes(), torch::kUInt8);
  const auto* from = values.data_ptr<float>();
  auto* to = bytes.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    if (std::isnan(from[i])) refuse_nan();
    const float value = std::clamp(from[i] * 128.0F + 127.0F, 0.0F, 255.0F);
    const auto whole = static_cast<std::int32_t>(value);
    to[i] = static_cast<std::uint8_t>(whole + (value - static_cast<float>(whole) >= 0.5F ? 1 : 0));
  }
  return bytes;
}

torch::Tensor quantize_by_operations(const torch::Tensor& y) {
  torch::Tensor value = (y * 128).add_(127).clamp_(0, 255);
  if (value.isnan().any().item<bool>()) refuse_nan();
  torch::Tensor whole = value.floor();
  return whole.add_(value.sub_(whole).ge(0.5)).to(torch::kUInt8);
}

}  // namespace organon::nn
