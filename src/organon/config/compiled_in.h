#pragma once

/// Texts of the files of their names in this folder.
namespace organon::config::compiled_in {

extern const char* const organelle_defaults;
extern const char* const heinrich2021;

}  // namespace organon::config::compiled_in
