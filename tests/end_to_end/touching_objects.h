#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace organon::end_to_end {

/// Writes what make_touching_objects() starts from into `folder`: a prediction of bodies that touch in necks,
/// and labels of something else that crosses them.
void write_touching_objects(const std::filesystem::path& folder);

/// In `folder`: fragments, objects cut at a threshold and without one, what of these lies away from the other
/// labels, and the same after an expert's edits. `running` goes to every verb. Returns the digest or hash of
/// everything that was made, by its name.
std::map<std::string, std::string> make_touching_objects(const std::filesystem::path& folder,
                                                         const std::vector<std::string>& running);

}  // namespace organon::end_to_end
