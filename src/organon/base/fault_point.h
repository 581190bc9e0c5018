#pragma once

#include <string_view>

namespace organon {

/// A place where tests kill the process (SIGKILL), to show that nothing is lost. Does nothing unless the
/// environment variable ORGANON_FAULT names it: "rename:7" dies at the seventh pass through
/// fault_point("rename") of a process. With ORGANON_FAULT_ONCE=FILE only the process that manages to create
/// FILE dies. Says on stderr where it died.
void fault_point(std::string_view name);

}  // namespace organon
