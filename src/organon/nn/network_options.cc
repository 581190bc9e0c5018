#include "organon/nn/network_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "organon/base/error.h"

namespace organon::nn {
namespace {

constexpr std::size_t kMaxLevels = 12;
constexpr std::int64_t kMaxFeatures = 8192;
constexpr std::int64_t kMaxPooling = 8;
constexpr std::int64_t kMaxKernel = 7;
constexpr std::int64_t kMaxConvolutions = 8;
constexpr std::int64_t kMaxStem = 4;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "network: " + message);
}

// "2" or "1x2x2", each number of one digit; nothing else.
std::optional<Shape3> factors_of(const std::string& text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() == 1 && is_digit(text[0])) return Shape3::cube(text[0] - '0');
  if (text.size() != 5 || !is_digit(text[0]) || text[1] != 'x' || !is_digit(text[2]) || text[3] != 'x' ||
      !is_digit(text[4])) {
    return std::nullopt;
  }
  return Shape3{text[0] - '0', text[2] - '0', text[4] - '0'};
}

void check_factors(const char* name, const std::string& text, std::int64_t largest, bool is_odd) {
  const auto factors = factors_of(text);
  const auto fits = [&](std::int64_t factor) {
    return factor >= 1 && factor <= largest && (!is_odd || factor % 2 == 1);
  };
  if (factors && fits(factors->z) && fits(factors->y) && fits(factors->x)) return;
  refuse(fmt::format("{}: expected {}numbers from 1 to {}, such as 3 or, for z, y, x, 1x3x3; found '{}'",
                     name, is_odd ? "odd " : "", largest, text));
}

void check_range(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return;
  refuse(fmt::format("{}: expected {} to {}, found {}", name, least, most, value));
}

const std::vector<std::string> kPaddings = {"same", "replicate", "valid"};
const std::vector<std::string> kAlignments = {"centred", "paper"};
const std::vector<std::string> kNormalizations = {"batch", "group", "instance", "none"};
const std::vector<std::string> kResiduals = {"auto", "true", "false"};
const std::vector<std::string> kSkips = {"add", "concatenate"};

void check_word(const char* name, const std::string& word, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return;
  refuse(fmt::format("{}: expected one of {}, found '{}'", name, fmt::join(choices, ", "), word));
}

}  // namespace

void NetworkOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("features", features, {"feature maps per level, finest first", "", 1, kMaxFeatures, {}})
      .add("pooling", pooling,
           {"pooling factors between levels, each as 2 or, for z, y, x, as 1x2x2", "", -kAny, kAny, {}})
      .add("kernels", kernels,
           {"edges of the convolutions, as 3 or 1x3x3: one for all levels or one per level",
            "",
            -kAny,
            kAny,
            {}})
      .add("convolutions", convolutions,
           {"convolutions per level and direction", "", 1, kMaxConvolutions, {}})
      .add("stem", stem, {"voxels per axis folded into channels before the first level", "", 1, kMaxStem, {}})
      .add("last_features", last_features,
           {"maps of the last level on the way up; 0: as the first level", "", 0, kMaxFeatures, {}})
      .add("output_scale", output_scale, {"output voxels per input voxel and axis", "", 1, 2, {}})
      .add("padding", padding,
           {"of the convolutions: same (zeros), replicate (voxels of the faces) or valid (none)", "", -kAny,
            kAny, kPaddings})
      .add("alignment", alignment,
           {"of valid ways that join: centred, or shifted as in the paper (for its weights)", "", -kAny, kAny,
            kAlignments})
      .add("normalization", normalization, {"after each convolution", "", -kAny, kAny, kNormalizations})
      .add("residual", residual,
           {"a level's last convolution adds the result of its first; auto: where padding is not valid and "
            "there is a normalization",
            "", -kAny, kAny, kResiduals})
      .add("skip", skip, {"how the way down joins the way up", "", -kAny, kAny, kSkips});
}

void NetworkOptions::check() const {
  if (features.empty() || features.size() > kMaxLevels) {
    refuse(fmt::format("features: 1 to {} levels are needed, found {}", kMaxLevels, features.size()));
  }
  if (pooling.size() + 1 != features.size()) {
    refuse(fmt::format("{} levels need {} pooling factors, found {}", features.size(), features.size() - 1,
                       pooling.size()));
  }
  if (kernels.size() != 1 && kernels.size() != features.size()) {
    refuse(fmt::format("kernels: expected one for all levels or one for each of {}, found {}",
                       features.size(), kernels.size()));
  }
  for (const std::int64_t maps : features) check_range("features", maps, 1, kMaxFeatures);
  for (const std::string& text : pooling) check_factors("pooling", text, kMaxPooling, false);
  for (const std::string& text : kernels) check_factors("kernels", text, kMaxKernel, true);
  check_range("convolutions", convolutions, 1, kMaxConvolutions);
  check_range("stem", stem, 1, kMaxStem);
  check_range("last_features", last_features, 0, kMaxFeatures);
  check_range("output_scale", output_scale, 1, 2);
  check_word("padding", padding, kPaddings);
  check_word("alignment", alignment, kAlignments);
  check_word("normalization", normalization, kNormalizations);
  check_word("residual", residual, kResiduals);
  check_word("skip", skip, kSkips);
  if (skip == "add" && last_features != 0 && last_features != features[0]) {
    refuse("last_features other than features[0] needs skip = concatenate");
  }
  if (residual == "true" && convolutions < 2) {
    refuse("residual = true needs at least 2 convolutions per level, found 1");
  }
}

std::int64_t NetworkOptions::up_features(std::int64_t level) const {
  if (level == 0 && last_features != 0) return last_features;
  return features[static_cast<std::size_t>(level)];
}

Shape3 NetworkOptions::pooling_at(std::int64_t level) const {
  return factors_of(pooling[static_cast<std::size_t>(level)]).value();
}

Shape3 NetworkOptions::kernel_at(std::int64_t level) const {
  return factors_of(kernels[kernels.size() == 1 ? 0 : static_cast<std::size_t>(level)]).value();
}

bool NetworkOptions::is_residual() const {
  if (residual == "auto") return is_normalized() && !is_valid();
  return residual == "true";
}

std::int64_t NetworkOptions::num_groups(std::int64_t maps) const {
  constexpr std::int64_t kMapsPerGroup = 8;
  return normalization == "instance" ? maps : maps / std::gcd(maps, kMapsPerGroup);
}

NetworkOptions paper_network() {
  NetworkOptions network;
  network.features = {12, 72, 432, 2592};
  network.pooling = {"2", "3", "3"};
  network.stem = 1;
  network.last_features = 72;
  network.padding = "valid";
  network.normalization = "none";
  network.skip = "concatenate";
  return network;
}

NetworkOptions paper_8nm_network() {
  NetworkOptions network = paper_network();
  network.output_scale = 2;
  return network;
}

NetworkOptions compact_network() {
  NetworkOptions network;
  network.padding = "replicate";
  return network;
}

const std::vector<std::string>& network_preset_names() {
  static const std::vector<std::string> kNames = {"compact", "paper", "paper_8nm"};
  return kNames;
}

NetworkOptions network_preset(const std::string& name) {
  if (name == "compact") return compact_network();
  if (name == "paper") return paper_network();
  if (name == "paper_8nm") return paper_8nm_network();
  throw Error(ErrorKind::kInvalidArgument, fmt::format("network preset: expected one of {}, found '{}'",
                                                       fmt::join(network_preset_names(), ", "), name));
}

}  // namespace organon::nn
