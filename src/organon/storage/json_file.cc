#include "organon/storage/json_file.h"

#include <fmt/format.h>

#include "organon/base/error.h"

namespace organon::storage {

std::optional<Json> read_json_object(const Place& place) {
  const auto bytes = place.store->read(place.key);
  if (!bytes) return std::nullopt;
  Json json = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, place.describe());
  if (!json.is_object()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a JSON object", place.describe()));
  }
  return json;
}

void write_json(const Place& place, const Json& json) {
  const std::string text = to_text(json);
  place.store->write(place.key, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace organon::storage
