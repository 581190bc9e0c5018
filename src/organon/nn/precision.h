#pragma once

#include <string>
#include <vector>

namespace organon::nn {

/// The numbers that networks are computed with. bfloat16 has 8 bits of mantissa; sums, means, the last layer,
/// weights that learn and losses are float32 all the same.
enum class Precision {
  kAuto,      ///< predictions: bfloat16 where a device is made for it; training: bfloat16 on a GPU
  kFloat32,   ///< everywhere
  kBfloat16,  ///< everywhere; slow on processors that are not made for it
};

/// "auto", "float32", "bfloat16". Errors: kInvalidArgument.
Precision precision_named(const std::string& name);
std::vector<std::string> precision_names();

/// Kinds of device that predictions differ between, best first: "cuda", "cpu", and where the precision is
/// left to the device "cpu_bfloat16" between them, processors that are made for bfloat16 (AVX512-BF16, AMX).
std::vector<std::string> prediction_device_types(Precision precision);
/// Whether this process has one of a kind. As has_device(), which see.
bool has_prediction_device(const std::string& type);
/// Whether a device of the kind computes with bfloat16. Errors: kInvalidArgument where it should and cannot.
bool computes_bfloat16(const std::string& type, Precision precision);
/// The same of training.
bool trains_in_bfloat16(const std::string& type, Precision precision);
/// The first of prediction_device_types() that is here.
std::string best_prediction_device(Precision precision);

}  // namespace organon::nn
