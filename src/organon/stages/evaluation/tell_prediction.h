#pragma once

#include <string_view>

#include "organon/storage/dataset.h"

namespace organon::stages {

/// Whether `dataset` is a prediction, by `kind` ("auto", "labels" or "prediction", the value of `option`) and
/// where that is auto by its attributes and type. Errors: kInvalidArgument naming `option` for uint8 of which
/// auto tells neither, and for a prediction that is not uint8.
bool tell_prediction(const storage::Dataset& dataset, std::string_view kind, std::string_view option);

}  // namespace organon::stages
