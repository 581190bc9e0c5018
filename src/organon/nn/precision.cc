#include "organon/nn/precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "organon/base/error.h"
#include "organon/nn/network.h"

namespace organon::nn {
namespace {

constexpr char kProcessor[] = "cpu";
constexpr char kBfloat16Processor[] = "cpu_bfloat16";

// What oneDNN needs to compute with bfloat16 at all; without instructions for it by float32 ones.
bool processor_takes_bfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0;
#else
  return false;
#endif
}

// Who has AMX for bfloat16 has the AVX-512 instructions for it, too.
bool processor_has_bfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

constexpr std::array<const char*, 3> kNames = {"auto", "float32", "bfloat16"};

}  // namespace

std::vector<std::string> precision_names() { return {kNames.begin(), kNames.end()}; }

Precision precision_named(const std::string& name) {
  const auto names = precision_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("precision: expected one of {}, found '{}'", fmt::join(names, ", "), name));
  }
  return static_cast<Precision>(found - names.begin());
}

std::vector<std::string> prediction_device_types(Precision precision) {
  std::vector<std::string> types = device_types();
  if (precision == Precision::kAuto) types.insert(types.end() - 1, kBfloat16Processor);
  return types;
}

bool has_prediction_device(const std::string& type) {
  return type == kBfloat16Processor ? processor_has_bfloat16() : has_device(type);
}

bool computes_bfloat16(const std::string& type, Precision precision) {
  if (precision == Precision::kAuto) return type != kProcessor;
  if (precision == Precision::kFloat32) return false;
  if (type == kProcessor && !processor_takes_bfloat16()) {
    throw Error(ErrorKind::kInvalidArgument,
                "bfloat16 needs a processor with AVX-512 (bw, dq, vl), which this one is not");
  }
  return true;
}

bool trains_in_bfloat16(const std::string& type, Precision precision) {
  // What a network on a processor learns must not depend on the processor's age.
  if (precision == Precision::kAuto && type != "cuda") return false;
  return computes_bfloat16(type, precision);
}

std::string best_prediction_device(Precision precision) {
  const auto types = prediction_device_types(precision);
  return *std::find_if(types.begin(), types.end(), has_prediction_device);
}

}  // namespace organon::nn
