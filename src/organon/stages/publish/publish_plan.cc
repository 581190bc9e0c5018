#include "organon/stages/publish/publish_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/stages/publish/folder_files.h"
#include "organon/stages/publish/mesh_objects.h"
#include "organon/stages/publish/pyramid_levels.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kChunkEdge = 64;
/// Layers that lie apart by less, in voxels, are not moved.
constexpr double kNoShift = 1e-6;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::kInvalidArgument, message); }

void check_name(const std::string& name, const std::string& layer) {
  static const std::regex allowed("[A-Za-z0-9_][A-Za-z0-9_.-]*");
  if (!std::regex_match(name, allowed))
    refuse(fmt::format("layer '{}': expected a class of letters, digits, '-', '_' and '.', found '{}'", layer,
                       name));
}

/// From organon's frame to the viewer's, for a volume on `grid`.
PointNm shift_of(const VoxelGrid& grid) { return grid_in_viewer(grid).offset_nm - grid.offset_nm; }

bool is_far(const PointNm& a, const PointNm& b, const SizeNm& voxel_size_nm) {
  return std::abs(a.z - b.z) > kNoShift * voxel_size_nm.z ||
         std::abs(a.y - b.y) > kNoShift * voxel_size_nm.y || std::abs(a.x - b.x) > kNoShift * voxel_size_nm.x;
}

template <class Vec>
Json triple(const Vec& v) {
  return Json::array({v.z, v.y, v.x});
}

std::string role_name(VolumeRole role) {
  if (role == VolumeRole::kRaw) return "raw";
  return role == VolumeRole::kPrediction ? "prediction" : "segmentation";
}

}  // namespace

PublishPlan::PublishPlan(const blockwise::StageDescription& description) {
  options = options_from_json<PublishOptions>(description.options_json);
  folder = description.outputs.at(0);
  if (options.layers.size() != description.inputs.size() || options.layers.empty()) {
    refuse(fmt::format("publish: the option layers says what each input is: expected {} names, found {}",
                       description.inputs.size(), options.layers.size()));
  }
  for (std::size_t i = 0; i < options.layers.size(); ++i) {
    const std::string& layer = options.layers[i];
    const std::string& input = description.inputs[i];
    const std::size_t slash = layer.find('/');
    const std::string kind = layer.substr(0, slash);
    const std::string name = slash == std::string::npos ? "" : layer.substr(slash + 1);
    if (kind == "scores") {
      scores.emplace_back(input);
      continue;
    }
    if (layer == "raw") {
      add_volume(VolumeRole::kRaw, "", input);
      continue;
    }
    const std::vector<std::string> kinds = {"raw", "prediction", "segmentation", "mesh", "table", "scores"};
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end() || name.empty() || kind == "raw") {
      const std::string nearest = nearest_word(kind, kinds);
      refuse(
          fmt::format("layer '{}': expected raw, prediction/<class>, segmentation/<class>, mesh/<class>, "
                      "table/<class> or scores{}",
                      layer, nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
    }
    check_name(name, layer);
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
    if (kind == "prediction") add_volume(VolumeRole::kPrediction, name, input);
    if (kind == "segmentation") add_volume(VolumeRole::kSegmentation, name, input);
    if (kind == "mesh") add_meshes(name, input);
    if (kind == "table") tables.push_back({name, std::filesystem::path(input).replace_extension(".csv")});
  }
  if (volumes.empty()) refuse("publish: no volume among the layers; expected raw at least");
  check_classes();
  place_volumes();
}

void PublishPlan::add_volume(VolumeRole role, const std::string& class_name, const std::string& address) {
  PublishedVolume volume;
  volume.role = role;
  volume.class_name = class_name;
  volume.s0 = storage::open_multiscale(address).levels.front();
  volume.source = "precomputed/" + (role == VolumeRole::kRaw          ? "raw"
                                    : role == VolumeRole::kPrediction ? class_name + "_prediction"
                                                                      : class_name);
  for (const PublishedVolume& other : volumes) {
    if (other.source == volume.source)
      refuse(fmt::format("publish: two layers would lie in {}; expected each once", volume.source));
  }
  const DataType type = volume.s0->spec().data_type;
  if (role == VolumeRole::kSegmentation && is_floating(type)) {
    refuse(fmt::format("{}: expected labels as segmentation of {}, found {}", address, class_name,
                       to_string(type)));
  }
  volumes.push_back(std::move(volume));
}

void PublishPlan::add_meshes(const std::string& class_name, const std::filesystem::path& from) {
  const std::filesystem::path info = from / "info";
  if (!std::filesystem::exists(info))
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no meshes there (no info)", from.string()));
  const Json json = parse_json(read_text(info), info.string());
  if (!json.is_object() || json.value("@type", "") != "neuroglancer_legacy_mesh") {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: expected @type neuroglancer_legacy_mesh", info.string()));
  }
  PublishedMeshes meshes_of_class;
  meshes_of_class.class_name = class_name;
  meshes_of_class.from = from;
  meshes_of_class.target = fmt::format("precomputed/{}/mesh", class_name);
  for (std::string& name : list_files(from))
    if (is_mesh_file(name)) meshes_of_class.files.push_back(std::move(name));
  meshes.push_back(std::move(meshes_of_class));
}

const PublishedVolume* PublishPlan::segmentation_of(const std::string& class_name) const {
  for (const PublishedVolume& volume : volumes)
    if (volume.role == VolumeRole::kSegmentation && volume.class_name == class_name) return &volume;
  return nullptr;
}

void PublishPlan::check_classes() const {
  const auto check = [&](const std::string& class_name, const char* kind, std::vector<std::string>& seen) {
    if (segmentation_of(class_name) == nullptr)
      refuse(fmt::format("publish: {}/{} needs segmentation/{} too", kind, class_name, class_name));
    if (std::find(seen.begin(), seen.end(), class_name) != seen.end())
      refuse(fmt::format("publish: {}/{} is given twice", kind, class_name));
    seen.push_back(class_name);
  };
  std::vector<std::string> with_meshes, with_table;
  for (const PublishedMeshes& of_class : meshes) check(of_class.class_name, "mesh", with_meshes);
  for (const PublishedTable& of_class : tables) check(of_class.class_name, "table", with_table);
  static const std::regex color("#[0-9A-Fa-f]{6}");
  for (const std::string& text : options.colors)
    if (!std::regex_match(text, color))
      refuse(fmt::format("option colors: expected #rrggbb, found '{}'", text));
  if (options.colors.size() > classes.size())
    refuse(fmt::format("option colors: {} colours for {} classes", options.colors.size(), classes.size()));
  const auto num_predictions = static_cast<std::size_t>(std::count_if(
      volumes.begin(), volumes.end(), [](const auto& v) { return v.role == VolumeRole::kPrediction; }));
  if (options.thresholds.size() != 1 && options.thresholds.size() != num_predictions) {
    refuse(fmt::format("option thresholds: expected one, or one for each of {} predictions, found {}",
                       num_predictions, options.thresholds.size()));
  }
  const auto& limits = options.contrast_limits;
  if (!limits.empty() && (limits.size() != 2 || !(limits[0] < limits[1])))
    refuse(fmt::format("option contrast_limits: expected low,high, found {}", fmt::join(limits, ",")));
}

void PublishPlan::place_volumes() {
  const auto raw =
      std::find_if(volumes.begin(), volumes.end(), [](const auto& v) { return v.role == VolumeRole::kRaw; });
  const PublishedVolume& first = raw == volumes.end() ? volumes.front() : *raw;
  const PointNm shift = shift_of(first.s0->spec().grid);
  for (PublishedVolume& volume : volumes) {
    const storage::DatasetSpec& s0 = volume.s0->spec();
    volume.grid = s0.grid;
    if (is_far(shift_of(s0.grid), shift, s0.grid.voxel_size_nm))
      volume.grid.offset_nm = s0.grid.offset_nm + shift;
    volume.spec = s0;
    volume.spec.grid = volume.grid;
    volume.spec.chunk_shape = Shape3::cube(kChunkEdge);
    volume.spec.codec = storage::Codec::kRaw;
    volume.spec.level = -1;
    volume.spec.fill_value = 0;
    if (volume.role == VolumeRole::kSegmentation) {
      volume.spec.codec = storage::Codec::kCompressedSegmentation;
      volume.spec.data_type = size_of(s0.data_type) <= 4 ? DataType::kUint32 : DataType::kUint64;
    }
    volume.factors = {{1, 1, 1}};
    for (const Shape3& factor : pyramid_factors(s0.shape, s0.grid.voxel_size_nm, volume.spec.chunk_shape, -1))
      volume.factors.push_back(factor);
  }
  for (PublishedVolume& volume : volumes) {
    if (volume.role != VolumeRole::kSegmentation) continue;
    for (PublishedMeshes& of_class : meshes) {
      if (of_class.class_name != volume.class_name) continue;
      volume.attributes["mesh"] = "mesh";
      of_class.shift_nm =
          grid_in_viewer(volume.grid).offset_nm - grid_in_viewer(volume.s0->spec().grid).offset_nm;
    }
  }
}

Json PublishPlan::layer_json(const PublishedVolume& volume) const {
  Json layer;
  layer["name"] = volume.role == VolumeRole::kRaw          ? "raw"
                  : volume.role == VolumeRole::kPrediction ? volume.class_name + " prediction"
                                                           : volume.class_name;
  layer["role"] = role_name(volume.role);
  if (volume.role != VolumeRole::kRaw) layer["class"] = volume.class_name;
  layer["kind"] = volume.role == VolumeRole::kSegmentation ? "segmentation" : "image";
  layer["source"] = volume.source;
  if (volume.role == VolumeRole::kRaw) {
    const Json attributes = volume.s0->attributes();
    if (!options.contrast_limits.empty()) {
      layer["contrast_limits"] = options.contrast_limits;
    } else if (attributes.contains("contrast_limits") && attributes["contrast_limits"].is_array()) {
      layer["contrast_limits"] = attributes["contrast_limits"];
    } else if (const auto contrast = storage::contrast_of(*volume.s0)) {
      layer["contrast_limits"] = {contrast->low, contrast->high};
    }
    return layer;
  }
  if (volume.role == VolumeRole::kPrediction) {
    std::size_t number = 0;
    for (const PublishedVolume& other : volumes) {
      if (&other == &volume) break;
      if (other.role == VolumeRole::kPrediction) ++number;
    }
    layer["threshold"] = options.thresholds[options.thresholds.size() == 1 ? 0 : number];
  }
  for (const PublishedTable& table : tables) {
    if (volume.role == VolumeRole::kSegmentation && table.class_name == volume.class_name)
      layer["table"] = fmt::format("tables/{}.json", table.class_name);
  }
  const auto number = static_cast<std::size_t>(std::find(classes.begin(), classes.end(), volume.class_name) -
                                               classes.begin());
  if (number < options.colors.size()) layer["color"] = options.colors[number];
  return layer;
}

Json PublishPlan::scores_json() const {
  Json rows = Json::array();
  for (const std::filesystem::path& file : scores) {
    const Json json = parse_json(read_text(file), file.string());
    const Json list = json.is_object() && json.contains("scores") ? json["scores"] : json;
    if (!list.is_array())
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a list \"scores\"", file.string()));
    for (const Json& row : list) {
      const bool is_flat = row.is_object() && std::none_of(row.begin(), row.end(), [](const Json& value) {
                             return value.is_structured() || value.is_boolean();
                           });
      if (!is_flat) {
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("{}: expected lines of scores with texts and numbers, found {}",
                                file.string(), row.dump()));
      }
      rows.push_back(row);
    }
  }
  return rows;
}

std::string PublishPlan::index_text() const {
  const auto raw =
      std::find_if(volumes.begin(), volumes.end(), [](const auto& v) { return v.role == VolumeRole::kRaw; });
  const storage::DatasetSpec& first = (raw == volumes.end() ? volumes.front() : *raw).s0->spec();
  Json index;
  index["format"] = "organon-portal/1";
  index["name"] = options.name;
  index["voxel_size_nm"] = triple(first.grid.voxel_size_nm);
  index["shape"] = triple(first.shape);
  index["position_nm"] = triple(first.grid.offset_nm);
  index["layers"] = Json::array();
  // The page takes its frame from the first layer.
  if (raw != volumes.end()) index["layers"].push_back(layer_json(*raw));
  for (const PublishedVolume& volume : volumes)
    if (raw == volumes.end() || &volume != &*raw) index["layers"].push_back(layer_json(volume));
  index["scores"] = scores_json();
  index["provenance"] = {{"version", ORGANON_VERSION}, {"created_by", "organon publish"}};
  return to_text(index);
}

}  // namespace organon::stages
