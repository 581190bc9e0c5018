#pragma once

#include <filesystem>
#include <string_view>

namespace organon::app {

/// The folder of the built pages: in an installed tree beside bin/, in a source tree where ./build puts it;
/// empty where there is none.
std::filesystem::path find_portal();

/// find_portal(), which holds the page `name` ("compare.html"). Errors: kNotFound saying where it was looked
/// for.
std::filesystem::path find_page(std::string_view name);

}  // namespace organon::app
