#include "organon/app/describe_stage.h"

#include <fmt/format.h>

#include "organon/app/stage_list.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/multiscale.h"

namespace organon::app {

blockwise::StageDescription describe_stage(const std::string& verb, StagePlaces places,
                                           const OptionTexts& options,
                                           const std::vector<const config::StageSettings*>& tables) {
  BoundOptions bound = stage_verb(verb).options();
  for (const auto& [name, text] : options) bound.table.set(name, text);
  for (const config::StageSettings* table : tables) {
    if (table == nullptr) continue;
    for (const auto& [name, text] : table->values) {
      try {
        bound.table.set(name, text);
      } catch (const Error& error) {
        throw error.within(fmt::format("{}: [{}]", table->places.at(name), verb));
      }
    }
  }
  blockwise::StageDescription description;
  description.verb = verb;
  description.options_json = bound.table.to_json();
  description.inputs = std::move(places.inputs);
  description.outputs = {std::move(places.output)};
  return description;
}

std::string comma_list(const std::vector<std::string>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}
std::string comma_list(const std::vector<double>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}
std::string comma_list(const std::vector<std::int64_t>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

std::vector<double> stored_limits(const std::string& address) {
  try {
    for (const auto& level : storage::open_multiscale(address).levels) {
      const Json attributes = level->attributes();
      if (attributes.contains("contrast_limits"))
        return storage::numbers_of(attributes["contrast_limits"], level->address());
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
  }
  return {};
}

}  // namespace organon::app
