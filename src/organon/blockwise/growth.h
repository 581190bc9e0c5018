#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "organon/base/files.h"
#include "organon/base/progress.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/stage.h"

namespace organon::blockwise {

/// What is kept of a finished run when its inputs grew, or a part of them changed: reuse by content.
///
/// The finished run is set aside. When a step of the new run begins, all earlier ones are done, so what its
/// blocks will read is known. A block of a step that says so (StepPlan::reuse) keeps what it made then, iff
///
/// 1. the same step had a block there, with the same write box, and outputs of the same kind;
/// 2. of every dataset that it reads, the box that it reads is clipped by the dataset's end where it was
///    before, and every chunk that this box meets has the content it had: of inputs that organon made, by
///    the hashes of decoded voxels in the ledgers of their runs, of other inputs by size and modification
///    time of the chunk's file; of datasets of earlier steps by the hashes in this run's ledgers;
/// 3. every partial that it reads of an earlier step has the bytes it had;
/// 4. its own chunks are still those that its ledger speaks of (their files are read and hashed).
///
/// A volume that grew is one case, chunks that were written anew another. Blocks are found by their place:
/// ids, and the partials' keys, become those of the new grid. Blocks that wrote files run again, and so does
/// every solve. What is kept becomes a journal of the new step, `s0-kept`, before any worker starts; its
/// chunks are linked into the new dataset. The old run stays whole until the new one is complete: a death at
/// any moment costs time alone.
///
/// Only the supervisor calls these.

/// Name of the journal of what was kept: of a session before all others, so that voids apply to it.
inline constexpr const char* kKeptJournal = "s0-kept";

/// The finished run whose blocks a run of `description` may keep: `run` itself, or what was set aside in it
/// before a run that was cut short. Nothing where that is another stage, where something else than the
/// content of its inputs differs, or where no step keeps blocks. Touches nothing.
std::optional<RunFolder> find_finished_run(const StageDescription& description, int algorithm_version,
                                           const RunFolder& run);

/// Moves a finished run with its datasets into previous/: nothing where `run` is not complete. complete.json
/// goes first and stage.json last, so that end_setting_aside() can tell a death in between.
void set_aside(const RunFolder& run);
/// Moves what a supervisor that died in set_aside() left to move. Call it before anything of `run` is read.
void end_setting_aside(const RunFolder& run);
/// Whether a finished result lies in previous/ alone.
bool has_finished_run_aside(const RunFolder& run);

/// Notes which content the chunks of those inputs have that the last of `plans` reads, for a later run. Does
/// nothing for what is noted.
void note_inputs(const RunFolder& run, const std::vector<StepPlan>& plans);

/// Makes what the last of `plans` keeps its own: the step `names[plans.size() - 1]`, whose outputs exist and
/// are empty, and that no worker has begun. Returns how many blocks are kept. Cost: the files of their chunks
/// are read once, by `threads` threads.
std::int64_t keep_blocks(const StageDescription& description, const RunFolder& run,
                         const std::vector<std::string>& names, const std::vector<StepPlan>& plans,
                         Fsync fsync, int threads, Progress& progress);

/// What plan.json says for keep_blocks() of a later run.
Json reuse_record(const StepPlan& plan);

/// Removes what was set aside, and the scratch that no later run can use.
void clear_after_run(const RunFolder& run);
/// Removes what was set aside.
void forget_finished_run(const RunFolder& run);

}  // namespace organon::blockwise
