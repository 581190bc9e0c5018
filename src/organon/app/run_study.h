#pragma once

#include "organon/app/run_cell.h"
#include "organon/app/study_stages.h"
#include "organon/blockwise/run_folder.h"

namespace organon::app {

/// Held by `organon run` while it works on a study, between its stages too.
blockwise::RunFolder run_of_study(const config::StudyConfig& study);

/// Runs every stage of a study.toml that is not complete, in order, and shows what is chosen; or, with
/// dry_run, prints the plan of all. A stage whose blocks failed leaves out those that need it, no others.
///
/// Returns 0, or 1 where blocks failed. Errors: those of read_study_config(), StudyStages and run_stage().
int run_study_command(const RunCellArguments& arguments);

/// How far each set-up is, as a table or lines of JSON. True where `organon run`, or a stage alone, is at
/// work. Errors: those of StudyStages.
bool print_study_status(const config::StudyConfig& study, bool as_json);

}  // namespace organon::app
