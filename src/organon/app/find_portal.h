#pragma once

#include <filesystem>

namespace organon::app {

/// The folder of the built pages: in an installed tree beside bin/, in a source tree where ./build puts it;
/// empty where there is none.
std::filesystem::path find_portal();

}  // namespace organon::app
