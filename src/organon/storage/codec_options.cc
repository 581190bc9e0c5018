#include "organon/storage/codec_options.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/codecs/codec.h"

namespace organon::storage {

int level_of(const Json* level, Codec codec) {
  // No codec has a level beyond these.
  constexpr std::int64_t kHighest = 100;
  if (level == nullptr || !level->is_number_integer()) return -1;
  const auto value = level->get<std::int64_t>();
  if (value < 0 || value > kHighest || !find_level_problem(codec, static_cast<int>(value)).empty()) return -1;
  return static_cast<int>(value);
}

BloscInner blosc_inner_of(const Json* cname, std::string_view where) {
  if (cname == nullptr) return BloscInner::kZstd;
  const auto inner = cname->is_string() ? blosc_inner_from_string(cname->get<std::string>()) : std::nullopt;
  if (!inner) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: blosc with {} is not supported", where, cname->dump()));
  }
  return *inner;
}

}  // namespace organon::storage
