#pragma once

#include <string>
#include <string_view>

namespace organon::storage {

enum class Slash { kKept, kEncoded };

/// Every byte but letters, digits and `-._~` as %XX, as AWS's signatures want it; `/` as said.
std::string percent_encode(std::string_view text, Slash slash);
/// The inverse; what is no %XX stays as it is. A plus stays a plus.
std::string percent_decode(std::string_view text);

/// A URL without "user:password@", for messages.
std::string without_password(std::string_view url);

}  // namespace organon::storage
