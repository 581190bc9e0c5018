#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "organon/base/progress.h"

namespace organon {

/// Calls `use` for 0 .. count-1 from `max_threads` threads (0: as many as there are cores), in about that
/// order, and reports to `progress` (started here, not finished) from the calling thread. Errors: the first
/// that a call throws, after the others ended; kCancelled.
void for_each_in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& use,
                          Progress& progress, const std::string& what, const std::string& unit,
                          int max_threads = 0);

}  // namespace organon
