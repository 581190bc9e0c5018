#include "organon/nn/network_options.h"

#include <gtest/gtest.h>

#include <functional>

#include "organon/base/error.h"

namespace organon::nn {
namespace {

void expect_refused(const NetworkOptions& network, const std::string& word) {
  try {
    network.check();
    FAIL() << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
  }
}

TEST(NetworkOptions, PresetsAreSound) {
  for (const std::string& name : network_preset_names()) EXPECT_NO_THROW(network_preset(name).check());
  EXPECT_EQ(network_preset("paper_8nm").output_scale, 2);
  EXPECT_THROW(network_preset("huge"), Error);
}

TEST(NetworkOptions, FactorsAreOneNumberOrOnePerAxis) {
  NetworkOptions network;
  network.features = {4, 8, 16};
  network.pooling = {"1x2x3", "2"};
  network.kernels = {"1x3x5", "3", "3x1x3"};
  EXPECT_NO_THROW(network.check());
  EXPECT_EQ(network.pooling_at(0), (Shape3{1, 2, 3}));
  EXPECT_EQ(network.pooling_at(1), Shape3::cube(2));
  EXPECT_EQ(network.kernel_at(0), (Shape3{1, 3, 5}));
  EXPECT_EQ(network.kernel_at(2), (Shape3{3, 1, 3}));
  network.kernels = {"1x3x3"};
  EXPECT_NO_THROW(network.check());
  EXPECT_EQ(network.kernel_at(2), (Shape3{1, 3, 3}));
}

TEST(NetworkOptions, TheOldTextAndJsonOfPoolingAreRead) {
  EXPECT_EQ(options_from_json<NetworkOptions>(R"({"pooling": [2, 3, 3]})").pooling_at(1), Shape3::cube(3));
  EXPECT_EQ(options_from_json<NetworkOptions>(R"({"pooling": "2,1x3x3,2"})").pooling_at(1),
            (Shape3{1, 3, 3}));
  const NetworkOptions paper = paper_8nm_network();
  EXPECT_EQ(options_to_json(options_from_json<NetworkOptions>(options_to_json(paper))),
            options_to_json(paper));
}

TEST(NetworkOptions, ResidualsAreThereWhereTheyWereBeforeTheyHadAName) {
  NetworkOptions network;
  EXPECT_TRUE(network.is_residual());
  network.normalization = "none";
  EXPECT_FALSE(network.is_residual());
  network.residual = "true";
  EXPECT_TRUE(network.is_residual());
  network.residual = "auto";
  network.normalization = "group";
  EXPECT_TRUE(network.is_residual());
  network.padding = "valid";
  EXPECT_FALSE(network.is_residual());
}

TEST(NetworkOptions, OptionsThatDoNotFitTogetherAreRefused) {
  NetworkOptions good;
  good.features = {8, 16};
  good.pooling = {"2"};
  EXPECT_NO_THROW(good.check());
  const auto with = [&](const std::function<void(NetworkOptions&)>& change, const std::string& word) {
    NetworkOptions changed = good;
    change(changed);
    expect_refused(changed, word);
  };
  using Network = NetworkOptions;
  with([](Network& n) { n.pooling = {"2", "2"}; }, "need 1 pooling");
  with([](Network& n) { n.features = {}; }, "features");
  with([](Network& n) { n.features = {8, 0}; }, "features");
  with([](Network& n) { n.kernels = {"3", "3", "3"}; }, "kernels");
  with([](Network& n) { n.kernels = {}; }, "kernels");
  for (const char* text :
       {"", "0", "9", "x", "22", "1x2", "1x2x", "1x2x2x2", "1x2x9", "-1", "2 ", "1X2X2", "2x0x2"})
    with([&](Network& n) { n.pooling = {text}; }, "pooling: expected numbers from 1 to 8");
  for (const char* text : {"2", "9", "1x3x2", "3x3"})
    with([&](Network& n) { n.kernels = {text}; }, "kernels: expected odd numbers from 1 to 7");
  with([](Network& n) { n.last_features = 4; }, "concatenate");
  with([](Network& n) { n.output_scale = 3; }, "output_scale: expected 1 to 2, found 3");
  with([](Network& n) { n.convolutions = 0; }, "convolutions");
  with([](Network& n) { n.stem = 5; }, "stem");
  with([](Network& n) { n.normalization = "layer"; }, "normalization: expected one of batch, group");
  with([](Network& n) { n.alignment = "left"; }, "alignment");
  with(
      [](Network& n) {
        n.convolutions = 1;
        n.residual = "true";
      },
      "residual");
  good.last_features = 4;
  good.skip = "concatenate";
  EXPECT_NO_THROW(good.check());
}

}  // namespace
}  // namespace organon::nn
