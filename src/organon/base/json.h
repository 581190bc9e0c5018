#pragma once

// The one header of base/ that includes a third party: include it from .cc files only.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace organon {

/// Keys keep their order, so that written files are byte-identical from run to run.
using Json = nlohmann::ordered_json;

/// Parses foreign JSON. Errors: kCorruptData naming `where`, line and column; also for nesting beyond 64
/// levels and for texts above 64 MiB.
Json parse_json(std::string_view text, std::string_view where);

/// The text of `json`, indented by two blanks, with a newline at the end.
std::string to_text(const Json& json);

}  // namespace organon
