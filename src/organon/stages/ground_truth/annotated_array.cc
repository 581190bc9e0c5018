#include "organon/stages/ground_truth/annotated_array.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/storage/attributes.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

// The annotation among attributes; nullptr where there is none.
const Json* annotation_in(const Json& attributes) {
  const Json* cellmap = storage::optional_field(attributes, "cellmap");
  return cellmap == nullptr ? nullptr : storage::optional_field(*cellmap, "annotation");
}

[[noreturn]] void refuse(const std::string& address, const std::string& message) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: cellmap annotation: {}", address, message));
}

std::optional<std::uint64_t> value_of(const Json& encoding, const char* name, const std::string& address) {
  const Json* value = storage::optional_field(encoding, name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_number_unsigned() && !(value->is_number_integer() && value->get<std::int64_t>() >= 0))
    refuse(address, fmt::format("encoding: {}: expected a whole number, found {}", name, value->dump()));
  return value->get<std::uint64_t>();
}

}  // namespace

std::optional<AnnotatedArray> find_annotated_array(const std::string& group, const std::string& name) {
  const std::string address = group + "/" + name;
  Json attributes = storage::attributes_at(address);
  if (annotation_in(attributes) == nullptr) {
    try {
      attributes = storage::open_multiscale(address).levels.front()->attributes();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      return std::nullopt;
    }
  }
  const Json* annotation = annotation_in(attributes);
  if (annotation == nullptr) return std::nullopt;
  AnnotatedArray found;
  found.address = address;
  const Json* kind = storage::optional_field(*annotation, "annotation_type");
  if (kind == nullptr || !kind->is_object()) refuse(address, "annotation_type is missing");
  const Json* type = storage::optional_field(*kind, "type");
  if (type == nullptr || (*type != "semantic_segmentation" && *type != "instance_segmentation"))
    refuse(address, "type: expected semantic_segmentation or instance_segmentation");
  found.has_instances = *type == "instance_segmentation";
  const Json* encoding = storage::optional_field(*kind, "encoding");
  if (encoding == nullptr || !encoding->is_object()) refuse(address, "encoding is missing");
  found.unknown = value_of(*encoding, "unknown", address);
  if (const auto present = value_of(*encoding, "present", address)) found.present = *present;
  if (!found.has_instances && found.present == 0) refuse(address, "encoding: present: 0 is what is absent");
  return found;
}

}  // namespace organon::stages
