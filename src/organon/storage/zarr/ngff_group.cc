#include "organon/storage/zarr/ngff_group.h"

#include "organon/storage/json_fields.h"
#include "organon/storage/zarr/ngff_labels.h"
#include "organon/storage/zarr/zarr3_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"
#include "organon/storage/zarr/zarr_hierarchy.h"

namespace organon::storage {
namespace {

constexpr const char* kLabelsFolder = "labels";

// Where a label image lies.
struct LabelsAbove {
  Place labels;       // the group `labels`
  std::string path;   // of the label image below it
  std::string image;  // from the label image to the group that holds `labels`
};

bool is_zarr_group(const Place& folder) { return (folder / ".zgroup").exists() || is_zarr3_node(folder); }

// The nearest folder `labels` above, within the hierarchy: a folder of that name that holds whole hierarchies
// is none.
std::optional<LabelsAbove> labels_above(const Place& group) {
  const bool is_below_root = !zarr_groups_above(group).empty();
  const std::filesystem::path path = group.path();
  std::string image = "../";
  for (std::filesystem::path folder = path.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    image += "../";
    if (folder.filename() == kLabelsFolder) {
      const Place labels = group.at(folder);
      if (!is_below_root && !is_zarr_group(labels)) return std::nullopt;
      return LabelsAbove{labels, path.lexically_relative(folder).generic_string(), image};
    }
    if (folder.extension() == ".zarr") break;
  }
  return std::nullopt;
}

bool is_image(const Place& group) {
  const auto found = read_ngff_group(group);
  return found && optional_field(found->ngff, "multiscales") != nullptr;
}

bool may_be_labels(const NgffContent& content) {
  if (is_floating(content.type)) return false;
  return content.role.empty() || content.role == "labels" || content.role == "mask";
}

// The version stands in each part in 0.4, and once in 0.5.
void set_version(Json& part, NgffVersion version) {
  if (version == NgffVersion::k04) {
    part["version"] = "0.4";
  } else {
    part.erase("version");
  }
}

void write_image_label(Json& ngff, NgffVersion version, const NgffContent& content,
                       const std::optional<std::string>& image) {
  Json& label = ngff["image-label"];
  if (!content.image_label.is_null()) label = content.image_label;
  if (!label.is_object()) label = Json::object();
  set_version(label, version);
  if (image && optional_field(label, "source") == nullptr) label["source"] = {{"image", *image}};
}

void write_omero(Json& ngff, NgffVersion version, const NgffContent& content, const std::string& name) {
  if (!content.omero.is_null()) ngff["omero"] = content.omero;
  if (content.contrast) set_omero_window(ngff["omero"], *content.contrast, content.type, name);
  // No version of its own was ever asked for in 0.5.
  if (version == NgffVersion::k05 && ngff.contains("omero") && ngff["omero"].is_object())
    ngff["omero"].erase("version");
}

// Label images may have been there before their image.
void tell_labels_of_image(const Place& image, NgffVersion version) {
  const Place labels = image / kLabelsFolder;
  const auto listed = read_ngff_group(labels);
  if (!listed) return;
  for (const std::string& path : label_paths_of(listed->ngff)) {
    const auto group = read_ngff_group(labels / path);
    const Json* label =
        group && group->version == version ? optional_field(group->ngff, "image-label") : nullptr;
    if (label == nullptr || optional_field(*label, "source") != nullptr) continue;
    std::string up = "../../";
    for (const char c : path)
      if (c == '/') up += "../";
    change_ngff_group(labels / path, version, [&](Json& ngff) {
      ngff["image-label"]["source"] = {{"image", up}};
    });
  }
}

}  // namespace

std::optional<NgffGroup> read_ngff_group(const Place& group) {
  if (const auto attributes = read_zarr3_attributes(group)) {
    const Json* ome = optional_field(*attributes, "ome");
    return NgffGroup{NgffVersion::k05, ome != nullptr && ome->is_object() ? *ome : Json::object(),
                     (group / "zarr.json").describe()};
  }
  if (auto attributes = read_zarr_attributes(group))
    return NgffGroup{NgffVersion::k04, std::move(*attributes), (group / ".zattrs").describe()};
  return std::nullopt;
}

void change_ngff_group(const Place& group, NgffVersion version,
                       const std::function<void(Json& ngff)>& change) {
  if (version == NgffVersion::k04) return change_zarr_group_attributes(group, change);
  change_zarr3_group_attributes(group, [&](Json& attributes) {
    Json& ome = attributes["ome"];
    if (!ome.is_object()) ome = Json::object();
    ome["version"] = "0.5";
    change(ome);
  });
}

void write_ngff_group(const Place& group, NgffVersion version, const NgffContent& content) {
  const auto above = may_be_labels(content) ? labels_above(group) : std::nullopt;
  std::optional<std::string> image;
  if (above && is_image(above->labels.at(above->labels.path().parent_path()))) image = above->image;
  const std::string name = group.path().filename().string();
  change_ngff_group(group, version, [&](Json& ngff) {
    ngff["multiscales"] = content.multiscales;
    if (version == NgffVersion::k05)
      for (Json& multiscale : ngff["multiscales"]) multiscale.erase("version");
    if (above || !content.image_label.is_null()) {
      write_image_label(ngff, version, content, image);
    } else {
      write_omero(ngff, version, content, name);
    }
  });
  if (above) {
    change_ngff_group(above->labels, version, [&](Json& ngff) { add_label_path(ngff, above->path); });
  } else {
    tell_labels_of_image(group, version);
  }
}

Json omero_above(const Place& array) {
  constexpr int kMaxFoldersUp = 3;
  const std::filesystem::path path = array.path();
  std::filesystem::path folder = path.parent_path();
  for (int i = 0; i < kMaxFoldersUp && !folder.empty(); ++i, folder = folder.parent_path()) {
    const auto group = read_ngff_group(array.at(folder));
    const Json* multiscales = group ? optional_field(group->ngff, "multiscales") : nullptr;
    const Json* omero = group ? optional_field(group->ngff, "omero") : nullptr;
    if (multiscales != nullptr && omero != nullptr && multiscales->is_array() && !multiscales->empty()) {
      const Json* levels = optional_field(multiscales->front(), "datasets");
      if (levels == nullptr || !levels->is_array()) return nullptr;
      const std::string name = path.lexically_relative(folder).generic_string();
      for (const Json& level : *levels) {
        const Json* level_path = optional_field(level, "path");
        if (level_path != nullptr && *level_path == name) return *omero;
      }
    }
    if (folder == folder.parent_path()) break;
  }
  return nullptr;
}

}  // namespace organon::storage
