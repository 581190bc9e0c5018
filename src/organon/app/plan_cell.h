#pragma once

#include "organon/app/cell_config.h"
#include "organon/app/stage_command.h"

namespace organon::app {

/// Prints what `organon run` would do: per stage and step blocks, bytes, memory, time, and which stages are
/// complete already. Nothing of the cell is written: datasets that do not exist yet are stood in for by empty
/// ones in a temporary folder. Errors: as planning the stages raises.
void print_cell_plan(const CellConfig& config, const ExecutionOptions& options);

}  // namespace organon::app
