// What groups of OME-NGFF and consolidated metadata of Zarr state beside voxels.

#include "fuzz_input.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/zarr/consolidated_metadata.h"
#include "organon/storage/zarr/ngff_labels.h"
#include "organon/storage/zarr/ngff_omero.h"

namespace organon::fuzz {
namespace {

void run(const Input& input) {
  allow_errors([&] { storage::parse_label_color(std::string(input.text)); });
  allow_errors([&] {
    const Json json = parse_json(input.text, "group");
    allow_errors([&] {
      for (const auto& array : storage::consolidated_arrays_of(json, "group"))
        ORGANON_CHECK(storage::is_safe_node_path(array.path));
    });
    for (const std::string& path : storage::label_paths_of(json))
      ORGANON_CHECK(storage::is_safe_node_path(path));
    allow_errors([&] {
      const auto colors = storage::label_colors_of(json, "group");
      Json written;
      storage::set_label_colors(written, colors);
      ORGANON_CHECK(storage::label_colors_of(written, "written").size() == colors.size());
    });
    Json omero = json;
    const storage::ContrastWindow window{1, 2};
    storage::set_omero_window(omero, window, DataType::kUint16, "fuzz");
    ORGANON_CHECK(storage::omero_window_of(omero) == window);
    if (!json.is_object()) return;
    Json labels = json;
    storage::add_label_path(labels, "fuzz");
    ORGANON_CHECK(!storage::label_paths_of(labels).empty());
  });
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(organon::fuzz::split(data, size));
  return 0;
}
