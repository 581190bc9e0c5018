#pragma once

#include <filesystem>

#include "organon/blockwise/stage.h"

namespace organon::app {

/// Writes a PNG of what a block reads: a row per input, each with the middle plane across z, y and x. Grey
/// values are stretched, labels coloured by id; the block's own voxels are framed where the input has its
/// grid. Errors: kInvalidArgument where the step states no inputs; those of reading.
void draw_block_inputs(const blockwise::StepPlan& plan, const Box& write_box,
                       const std::filesystem::path& path);

}  // namespace organon::app
