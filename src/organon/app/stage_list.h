#pragma once

#include <filesystem>
#include <functional>
#include <map>
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

/// One stage of a chain.
struct ChainLink {
  std::string verb;
  std::string suffix = {};                          ///< of the address of OUT: where it writes
  std::map<std::string, std::string> renamed = {};  ///< its option -> what the chain calls it
};

/// A way in which a verb runs: one stage, or several, each of which reads what the one before wrote. Each
/// option of its stages is one of the chain's; no two have one name.
struct VerbChain {
  std::string flag;         ///< that asks for it: "watershed"; empty: the verb's own stage
  std::string summary;      ///< of the flag
  std::string explanation;  ///< below the options of --help
  std::string example;      ///< after "organon "
  std::vector<ChainLink> links;
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
  std::vector<VerbChain> chains = {};  ///< other ways, each with a flag
  bool takes_device = false;           ///< a tolerance stage: --device
  std::string explanation = {};        ///< below the options of --help
};

/// Every stage, in the order of the data's path. An explicit list: survives static linking, can be searched.
const std::vector<StageVerb>& stage_verbs();

/// Errors: kInvalidArgument with the nearest verb.
const StageVerb& stage_verb(const std::string& name);

/// The stage of a description: what workers are given.
std::unique_ptr<blockwise::Stage> make_stage(const blockwise::StageDescription& description);

}  // namespace organon::app
