#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace organon::tables {

/// The ids of "3+4+5" or "3,4,5"; none of an empty text. Errors: kInvalidArgument for anything but whole
/// numbers above 0 that fit 64 bits.
std::vector<std::uint64_t> parse_id_list(const std::string& text);

}  // namespace organon::tables
