#include "organon/stages/evaluation/tell_prediction.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/base/json.h"

namespace organon::stages {
namespace {

bool tell(const storage::Dataset& dataset, std::string_view kind, std::string_view option) {
  if (kind != "auto") return kind == "prediction";
  const Json attributes = dataset.attributes();
  const auto is = [](const Json& object, const char* key, const char* value) {
    return object.is_object() && object.contains(key) && object[key] == value;
  };
  if (is(attributes, "role", "labels")) return false;
  if (attributes.contains("organon") && is(attributes["organon"], "verb", "predict")) return true;
  if (dataset.spec().data_type == DataType::kUint8) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: uint8 without a note of how it was made; say with --{} whether it is labels "
                            "or a prediction",
                            dataset.address(), option));
  }
  return false;
}

}  // namespace

bool tell_prediction(const storage::Dataset& dataset, std::string_view kind, std::string_view option) {
  const bool is_prediction = tell(dataset, kind, option);
  if (is_prediction && dataset.spec().data_type != DataType::kUint8) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected a uint8 prediction, found {}", dataset.address(),
                            to_string(dataset.spec().data_type)));
  }
  return is_prediction;
}

}  // namespace organon::stages
