#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace organon::server {

/// The path below the served folder that a request's target names: "/mesh/1%3A0?x" gives "mesh/1:0", "/"
/// gives "". Nothing where the target is not a plain path: ".." or "." or empty names, an encoded slash, a
/// backslash, a NUL or another control character, a percent sign without two hex digits, or no slash at the
/// front. A slash at the end is kept, so that the caller can tell a folder from a file.
std::optional<std::string> path_of_target(std::string_view target);

/// The real path of `relative` below `real_folder` (itself a real path); nothing where it does not exist or
/// where symbolic links lead out of the folder.
std::optional<std::filesystem::path> path_inside(const std::filesystem::path& real_folder,
                                                 std::string_view relative);

}  // namespace organon::server
