#include "organon/storage/attributes.h"

#include "organon/storage/dataset.h"
#include "organon/storage/json_file.h"
#include "organon/storage/n5/n5_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"

namespace organon::storage {

Json attributes_at(const std::string& address) {
  const Place place = parse_address(address).place();
  if (const auto found = read_n5_attributes(place)) return *found;
  if (const auto found = read_zarr_attributes(place)) return *found;
  if (const auto found = read_json_object(place / "zarr.json")) {
    const auto attributes = found->find("attributes");
    if (attributes != found->end() && attributes->is_object()) return *attributes;
  }
  return Json::object();
}

}  // namespace organon::storage
