#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/stage.h"

namespace organon::blockwise {

/// The life of what a run writes: told apart from its inputs, cleared of earlier runs, created, sealed. Only
/// the supervisor calls these. Addresses are absolute.

/// Errors: kInvalidArgument where an output is an input, or a dataset holds the other.
void check_apart(const StageDescription& description, const std::vector<StepPlan>& plans);

/// Errors: kAlreadyExists where an output is there that organon did not make.
void refuse_foreign_outputs(const StageDescription& description, const RunFolder& run);

/// Removes what an earlier, different run left: nothing that is foreign. First of all the run is no longer
/// complete: killed in between, the next call starts here again.
void clear_outputs(const StageDescription& description, const RunFolder& run);

/// Makes the datasets of step `step`, marked as incomplete. Those of an earlier run are replaced, others of a
/// group stay. Errors: kAlreadyExists for what organon did not make; kInvalidArgument where a block cuts
/// chunks.
void create_outputs(const StepPlan& plan, const std::string& verb, const RunFolder& run, std::size_t step);

/// Makes those datasets of a step that are not there, though it has begun. Returns whether there were any:
/// what the step wrote is lost then.
bool create_missing_outputs(const StepPlan& plan, const std::string& verb);

bool outputs_exist(const StageDescription& description);

/// What a run made, whatever its block shape was.
struct Results {
  std::map<std::string, std::string>
      of_dataset;  ///< by address: hash of its voxels and the last step's partials
  std::string of_all;
};
/// From the journals. Memory: a line per chunk.
Results results_of(const RunFolder& run, const std::vector<StepPlan>& plans);

/// Writes the provenance into every dataset: version, verb, options, inputs as they were when the run began,
/// identity, result, and of a tolerance stage the kind of device.
void seal(const StageDescription& description, const Results& results, const std::string& identity,
          const std::vector<std::string>& input_identities, const std::optional<RunFolder::Device>& device);

}  // namespace organon::blockwise
