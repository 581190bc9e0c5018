#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::app {

/// The options of a stage with their binding, alive together.
struct BoundOptions {
  std::shared_ptr<void> owner;
  OptionTable table;
};

/// One verb that is a stage: all that the command line, `organon run` and the workers need of it.
struct StageVerb {
  std::string name;
  std::string group;                 ///< heading in `organon --help`
  std::string summary;               ///< one line
  std::string example;               ///< after "organon "
  std::vector<std::string> inputs;   ///< names of the positional arguments, upper case; "[NAME]": optional
  std::vector<std::string> outputs;  ///< after the inputs
  std::function<BoundOptions()> options;
  std::function<std::unique_ptr<blockwise::Stage>(const blockwise::StageDescription&)> make;
  /// Text file to show when the stage is done; the same as JSON lies beside it. Empty: none.
  std::function<std::filesystem::path(const blockwise::StageDescription&)> report = {};
};

/// Every stage, in the order of the data's path. An explicit list: survives static linking, can be searched.
const std::vector<StageVerb>& stage_verbs();

/// Errors: kInvalidArgument with the nearest verb.
const StageVerb& stage_verb(const std::string& name);

/// The stage of a description: what workers are given.
std::unique_ptr<blockwise::Stage> make_stage(const blockwise::StageDescription& description);

}  // namespace organon::app
