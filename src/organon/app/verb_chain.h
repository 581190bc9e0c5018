#pragma once

#include <string>
#include <vector>

#include "organon/app/stage_list.h"
#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::app {

/// The ways in which a verb runs, first the one without a flag: its own stage alone.
std::vector<VerbChain> ways_of(const StageVerb& verb);

/// The options of a chain: those of its stages, in one table under the chain's names.
class ChainOptions {
 public:
  /// Errors: as stage_verb().
  explicit ChainOptions(const VerbChain& chain);

  OptionTable& table() { return table_; }
  const OptionTable& table() const { return table_; }

  /// The stages with these options. `asked`: inputs of the first, outputs of the last, block shape of all,
  /// and the part of the volume, of which only the first needs to know: the others find nothing elsewhere.
  std::vector<blockwise::StageDescription> stages(const blockwise::StageDescription& asked) const;

 private:
  std::vector<ChainLink> links_;
  std::vector<BoundOptions> bound_;  ///< by link
  OptionTable table_;
};

/// What --help says of one option of a verb with several ways.
struct OptionHelp {
  std::string name;
  std::string text;  ///< what it does, in every way that has it; choices and default
  std::string unit;  ///< empty: none, or not the same in all ways
  std::vector<bool> is_in_way;
};
/// Of every option that a way has, in order. `ways` and `options`: of one verb.
std::vector<OptionHelp> option_help(const std::vector<VerbChain>& ways,
                                    const std::vector<ChainOptions>& options);

/// "with --watershed"; of the way without a flag, "without --watershed".
std::string name_of_way(const std::vector<VerbChain>& ways, std::size_t way);

/// "chunk_shape" as it is typed: "--chunk-shape".
std::string flag_of(std::string name);

}  // namespace organon::app
