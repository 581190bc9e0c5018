#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/base/progress.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/runner.h"

namespace organon::blockwise {

/// Something in a dataset that is not as it was written.
struct Damage {
  std::string place;   ///< "chunk 0,3,2 of n5://cell.n5/labels/mito", for people
  std::string reason;  ///< "is missing", "its bytes were changed", ...
  /// Of the run that made it, where it is known: what has to be computed again.
  std::size_t step = 0;
  std::int64_t block = -1;      ///< -1: not known
  std::optional<Index3> chunk;  ///< position, where it is one
  std::size_t output = 0;       ///< of the step, that the chunk belongs to
};

struct Verification {
  std::int64_t num_chunks = 0;   ///< of the dataset
  std::int64_t num_stored = 0;   ///< that exist as files
  std::int64_t num_files = 0;    ///< besides chunks: tables, meshes, plots
  std::int64_t bytes_read = 0;   ///< of chunks
  std::vector<Damage> damage;    ///< in order of chunks
  std::optional<RunFolder> run;  ///< that made it; nothing for data of others
};

/// Reads every stored chunk of the dataset at `address`. Of a dataset that a run made, each is compared with
/// the hash of its file in the ledger, chunks recorded as absent must be absent, and what earlier steps left
/// for later ones is checked too; of other data each is decoded. Cost: every byte is read once. Errors:
/// kNotFound; kCancelled.
Verification verify_dataset(const std::string& address, Progress& progress);

/// As verify_dataset(), for a run whose output is no dataset: a table, meshes, a published page.
Verification verify_files(const RunFolder& run);

/// Number of the output of step `step` that lies at `address`; nothing where none does.
std::optional<std::size_t> output_number(const RunFolder& run, std::size_t step, const std::string& address);

/// The run that wrote the dataset at `address`; nothing where none is known.
std::optional<RunFolder> find_run_of(const std::string& address);

/// Computes again what `verification` found damaged, and what of scratch it takes, by the ordinary run: the
/// same voxels as before. Errors: kInvalidArgument where nothing is known of how it was made, or its inputs
/// have changed since (it has to be made anew then); those of run_stage().
RunResult repair_dataset(const Verification& verification, const StageFactory& factory,
                         const RunOptions& options, Progress& progress);

}  // namespace organon::blockwise
