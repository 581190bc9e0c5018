#pragma once

#include <string_view>

namespace organon {

/// A place where tests let something go wrong, to show that nothing is lost. Does nothing unless the
/// environment variable ORGANON_FAULT names it: "rename:7" kills the process (SIGKILL) at its seventh pass
/// through fault_point("rename"); "rename:7:ACTION" does something else, "rename:*:ACTION" at every pass, and
/// "rename:/7:ACTION" at every seventh:
///
///     hang    sleeps for an hour          memory  takes memory until stopped
///     crash   SIGSEGV                     stop    SIGSTOP: goes on when woken
///     throw   Error(kIo)
///
/// With ORGANON_FAULT_ONCE=FILE only the process that manages to create FILE. Says on stderr where it was.
void fault_point(std::string_view name);

}  // namespace organon
