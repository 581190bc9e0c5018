#include "organon/nn/script_source.h"

#include <fmt/format.h>

#include "organon/nn/network_shapes.h"

namespace organon::nn {
namespace {

std::string list_of(const Shape3& numbers) {
  return fmt::format("[{}, {}, {}]", numbers.z, numbers.y, numbers.x);
}

// What of a map's three axes is asked for, in terms of the map's name.
std::string per_axis(fmt::string_view pattern, const Shape3& numbers) {
  return fmt::format("[{}, {}, {}]", fmt::format(fmt::runtime(pattern), 2, numbers.z),
                     fmt::format(fmt::runtime(pattern), 3, numbers.y),
                     fmt::format(fmt::runtime(pattern), 4, numbers.x));
}

constexpr char kCrop[] = R"(
def crop(self, x, begin: List[int], shape: List[int]):
  return x.narrow(2, begin[0], shape[0]).narrow(3, begin[1], shape[1]).narrow(4, begin[2], shape[2])

def crop_middle(self, x, shape: List[int]):
  return self.crop(x, [(x.size(2) - shape[0]) // 2, (x.size(3) - shape[1]) // 2, (x.size(4) - shape[2]) // 2], shape)
)";

// shapes_of() in network_shapes.cc has the reasons. `before`: where the repeated map begins in `down`.
// Returns the shape of what joins, and where it begins in both.
constexpr char kJoinHead[] = R"(
def join(self, down: List[int], repeated: List[int], lost: List[int], step: List[int], before: List[int], is_finest: bool):
  shape: List[int] = []
  down_begin: List[int] = []
  repeated_begin: List[int] = []
  for i in range(3):
    joined = (repeated[i] - lost[i]) // step[i] * step[i] + lost[i]
)";
constexpr char kJoinPaper[] = R"(    down_begin.append((down[i] - joined) // 2)
    repeated_begin.append((repeated[i] - joined) // 2)
)";
constexpr char kJoinCentred[] = R"(    middle = (down[i] - joined) // 2 - before[i]
    while is_finest and joined > lost[i] and ((down[i] - joined) % 2 != 0 or middle < 0 or middle > repeated[i] - joined):
      joined = joined - step[i]
      middle = (down[i] - joined) // 2 - before[i]
    inside = max(min(middle, repeated[i] - joined), 0)
    repeated_begin.append(inside)
    down_begin.append(before[i] + inside)
)";
constexpr char kJoinTail[] = R"(    assert joined > lost[i], "the input is too small for this network"
    shape.append(joined)
  return shape, down_begin, repeated_begin
)";

// tile_of(): whole steps of the coarsest level, so that neighbours agree.
constexpr char kWholeSteps[] = R"(
def whole_steps(self, x, begin: List[int], step: List[int], scale: int):
  shape: List[int] = []
  for i in range(3):
    size = x.size(i + 2)
    kept = size // step[i] * step[i]
    while kept > 0 and ((size - kept) % 2 != 0 or (begin[i] + (size - kept) // 2) % scale != 0):
      kept = kept - step[i]
    assert kept > 0, "the input is too small for this network"
    shape.append(kept)
  return self.crop_middle(x, shape)
)";

class Writer {
 public:
  Writer(const NetworkOptions& options, std::int64_t num_classes)
      : options_(options), num_classes_(num_classes) {}

  std::string write() {
    if (options_.is_valid()) {
      text_ += std::string(kCrop) + kJoinHead +
               (options_.alignment == "centred" ? kJoinCentred : kJoinPaper) + kJoinTail + kWholeSteps;
    } else if (options_.is_residual()) {
      text_ += kCrop;
    }
    text_ += "\ndef forward(self, x):\n";
    fold();
    const std::int64_t deepest = options_.num_levels() - 1;
    for (std::int64_t level = 0; level <= deepest; ++level) {
      add_level(fmt::format("down{}", level), level, options_.features[static_cast<std::size_t>(level)]);
      if (level < deepest) pool(level);
    }
    if (options_.is_valid()) line("begin = {}", list_of(halved(lost_at(deepest))));
    for (std::int64_t level = deepest - 1; level >= 0; --level) rise_to(level);
    if (options_.output_scale > 1) refine();
    line("x = torch.conv3d(x, self.head_weight, self.head_bias)");
    unfold();
    if (options_.is_valid()) keep_whole_steps();
    line("return x");
    return text_;
  }

 private:
  template <class... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += "  " + fmt::format(format, std::forward<Arguments>(arguments)...) + "\n";
  }

  static Shape3 halved(const Shape3& shape) { return {shape.z / 2, shape.y / 2, shape.x / 2}; }
  // By the convolutions of a level in one direction.
  Shape3 lost_at(std::int64_t level) const {
    return (options_.kernel_at(level) - Shape3::cube(1)) * options_.convolutions;
  }
  // Voxels of a level in a step of the coarsest one.
  Shape3 step_at(std::int64_t level) const {
    Shape3 step = Shape3::cube(1);
    for (std::int64_t i = level; i + 1 < options_.num_levels(); ++i) {
      const Shape3 factor = options_.pooling_at(i);
      step = {step.z * factor.z, step.y * factor.y, step.x * factor.x};
    }
    return step;
  }

  void must_divide(const Shape3& factor) {
    line(
        "assert x.size(2) % {} == 0 and x.size(3) % {} == 0 and x.size(4) % {} == 0, \"the input does not "
        "fit this "
        "network (sizes: organon network info)\"",
        factor.z, factor.y, factor.x);
  }

  void fold() {
    const std::int64_t s = options_.stem;
    if (s == 1) return;
    must_divide(Shape3::cube(s));
    line("x = x.reshape([x.size(0), x.size(2) // {0}, {0}, x.size(3) // {0}, {0}, x.size(4) // {0}, {0}])",
         s);
    line("x = x.permute([0, 2, 4, 6, 1, 3, 5])");
    line("x = x.reshape([x.size(0), {}, x.size(4), x.size(5), x.size(6)])", s * s * s);
  }

  void unfold() {
    const std::int64_t s = options_.stem;
    if (s == 1) return;
    line("x = x.reshape([x.size(0), {0}, {1}, {1}, {1}, x.size(2), x.size(3), x.size(4)])", num_classes_, s);
    line("x = x.permute([0, 1, 5, 2, 6, 3, 7, 4])");
    line("x = x.reshape([x.size(0), {1}, x.size(2) * {0}, x.size(4) * {0}, x.size(6) * {0}])", s,
         num_classes_);
  }

  void pool(std::int64_t level) {
    const Shape3 factor = options_.pooling_at(level);
    line("skip{} = x", level);
    must_divide(factor);
    line("x = torch.max_pool3d(x, {0}, {0})", list_of(factor));
  }

  void normalize(const std::string& norm, std::int64_t features) {
    const std::string weights = fmt::format("self.{0}_weight, self.{0}_bias", norm);
    if (options_.normalization == "batch") {
      line(
          "x = torch.batch_norm(x, {0}, self.{1}_running_mean, self.{1}_running_var, False, 0.1, 1e-5, "
          "False)",
          weights, norm);
    } else if (options_.is_normalized()) {
      line("x = torch.group_norm(x, {}, {}, 1e-5)", options_.num_groups(features), weights);
    }
  }

  void add_level(const std::string& name, std::int64_t level, std::int64_t features) {
    const Shape3 half = options_.is_valid() ? Shape3::cube(0) : halved(options_.kernel_at(level));
    const bool is_replicated = options_.padding == "replicate";
    for (std::int64_t i = 0; i < options_.convolutions; ++i) {
      const std::string weight = fmt::format("self.{}_convolution{}_", name, i);
      if (is_replicated) {
        line("x = torch.replication_pad3d(x, [{2}, {2}, {1}, {1}, {0}, {0}])", half.z, half.y, half.x);
      }
      line("x = torch.conv3d(x, {}weight, {}, [1, 1, 1], {})", weight,
           options_.is_normalized() ? "None" : weight + "bias",
           list_of(is_replicated ? Shape3::cube(0) : half));
      normalize(fmt::format("{}_norm{}", name, i), features);
      if (options_.is_residual() && i > 0 && i + 1 == options_.convolutions)
        line("x = x + self.crop_middle(first, x.size()[2:])");
      line("x = torch.relu(x)");
      if (options_.is_residual() && i == 0) line("first = x");
    }
  }

  // Mixed, then each voxel `factor` times.
  void repeat(const std::string& mix, const Shape3& factor) {
    line("x = torch.conv3d(x, self.{}_weight, None)", mix);
    if (!options_.is_normalized()) line("x = torch.relu(x)");
    line("x = torch.upsample_nearest3d(x, {})", per_axis("x.size({}) * {}", factor));
  }

  void rise_to(std::int64_t level) {
    repeat(fmt::format("mix{}", level), options_.pooling_at(level));
    if (options_.is_valid()) {
      const Shape3 lost = lost_at(level);
      const Shape3 factor = options_.pooling_at(level);
      line("before = [begin[0] * {}, begin[1] * {}, begin[2] * {}]", factor.z, factor.y, factor.x);
      line(
          "shape, down_begin, repeated_begin = self.join(skip{}.size()[2:], x.size()[2:], {}, {}, before, "
          "{})",
          level, list_of(lost), list_of(step_at(level)), level == 0 ? "True" : "False");
      line("x = self.crop(x, repeated_begin, shape)");
      line("skip{0} = self.crop(skip{0}, down_begin, shape)", level);
      line("begin = [down_begin[0] + {}, down_begin[1] + {}, down_begin[2] + {}]", lost.z, lost.y, lost.x);
    }
    if (options_.skip == "concatenate") {
      line("x = torch.cat([skip{}, x], 1)", level);
    } else {
      line("x = x + skip{}", level);
    }
    add_level(fmt::format("up{}", level), level, options_.up_features(level));
  }

  void refine() {
    repeat("refining_mix", Shape3::cube(options_.output_scale));
    add_level("refining", 0, options_.head_features());
  }

  void keep_whole_steps() {
    const Shape3 refining = options_.output_scale > 1 ? halved(lost_at(0)) : Shape3::cube(0);
    const std::int64_t scale = options_.output_scale, stem = options_.stem;
    line("begin = [(begin[0] * {0} + {1}) * {4}, (begin[1] * {0} + {2}) * {4}, (begin[2] * {0} + {3}) * {4}]",
         scale, refining.z, refining.y, refining.x, stem);
    line("x = self.whole_steps(x, begin, {}, {})", list_of(input_multiple(options_) * scale), scale);
  }

  const NetworkOptions& options_;
  std::int64_t num_classes_;
  std::string text_;
};

}  // namespace

std::string script_source(const NetworkOptions& options, std::int64_t num_classes) {
  return Writer(options, num_classes).write();
}

}  // namespace organon::nn
