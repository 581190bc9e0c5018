#pragma once

namespace organon::config {

/// Texts of organelle_defaults.toml and heinrich2021.toml in this folder.
extern const char* const kOrganelleDefaults;
extern const char* const kHeinrich2021;

}  // namespace organon::config
