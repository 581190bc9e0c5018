#pragma once

#include <string>
#include <utility>
#include <vector>

#include "organon/blockwise/stage.h"
#include "organon/config/class_config.h"

namespace organon::app {

using OptionTexts = std::vector<std::pair<std::string, std::string>>;

/// Where a stage of a cell.toml or study.toml reads and writes.
struct StagePlaces {
  std::vector<std::string> inputs;
  std::string output;
};

/// A stage with its options: the standard, over it `options`, over these each of `tables` (nullptr: none).
/// Errors: kInvalidArgument "cell.toml:12: [train]: ..." for what the stage refuses.
blockwise::StageDescription describe_stage(const std::string& verb, StagePlaces places,
                                           const OptionTexts& options,
                                           const std::vector<const config::StageSettings*>& tables);

/// Values as options take them: "1,2,3".
std::string comma_list(const std::vector<std::string>& values);
std::string comma_list(const std::vector<double>& values);
std::string comma_list(const std::vector<std::int64_t>& values);

/// Low and high that the dataset or pyramid at `address` states of its grey values; nothing where it states
/// nothing, or does not exist yet.
std::vector<double> stored_limits(const std::string& address);

}  // namespace organon::app
