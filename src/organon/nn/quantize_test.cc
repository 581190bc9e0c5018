#include "organon/nn/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"

namespace organon::nn {
namespace {

TEST(Quantize, IsTheRoundedValueOfItsDefinition) {
  // Halves, what lies beside them, far beyond both ends, and noise; the first axis is cut out of a larger
  // one.
  torch::Tensor steps = (torch::arange(1024).to(torch::kFloat32) / 2 - 256) / 128;
  torch::manual_seed(1);
  const torch::Tensor all =
      torch::cat({steps, steps * 1.0000001F, steps * 0.9999999F, steps * 100, torch::randn({4096})})
          .reshape({4, 2048})
          .narrow(1, 24, 1000);
  const torch::Tensor found = quantize(all);
  EXPECT_EQ(found.sizes(), all.sizes());
  EXPECT_TRUE(found.equal(quantize_by_operations(all)));
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t k = 0; k < 1000; ++k) {
      const float y = all[i].data_ptr<float>()[k];
      const float expected = std::clamp(std::round(128.0F * y + 127.0F), 0.0F, 255.0F);
      ASSERT_EQ(static_cast<float>(found[i].data_ptr<std::uint8_t>()[k]), expected) << y;
    }
  }
}

TEST(Quantize, WhatIsNoNumberIsRefused) {
  torch::Tensor values = torch::zeros({8});
  values[5] = std::nan("");
  EXPECT_THROW(quantize(values), Error);
  EXPECT_THROW(quantize_by_operations(values), Error);
}

}  // namespace
}  // namespace organon::nn
