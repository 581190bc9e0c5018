#include "organon/config/cell_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/options.h"
#include "organon/config/compiled_in.h"
#include "organon/config/crop_reader.h"
#include "organon/config/learned_classes.h"
#include "organon/config/toml_reader.h"
#include "organon/storage/dataset.h"

namespace organon::config {
namespace {

// Stages whose options a cell.toml may set, each in a table of the verb's name.
const std::vector<std::string> kStageTables = {"pyramid", "mask",      "targets",     "train",  "predict",
                                               "segment", "watershed", "agglomerate", "refine", "evaluate",
                                               "measure", "mesh",      "publish"};

std::string resolve(const std::filesystem::path& folder, const std::string& address) {
  return address.empty() ? address : storage::address_in(folder, address);
}

const std::vector<std::string> kSegmentKeys = {"sigma_nm", "threshold", "min_volume_nm3", "connectivity"};
// Of a class, and what they are called in the options of agglomerate.
const std::vector<std::pair<std::string, std::string>> kMergeKeys = {{"merge_quantile", "quantile"},
                                                                     {"merge_threshold", "threshold"}};

// What the taxonomy has for a class that names no ids.
void take_from_taxonomy(const TomlReader& reader, const toml::table& entry, const Taxonomy& taxonomy,
                        ClassConfig& organelle) {
  if (taxonomy.classes.empty()) {
    reader.fail(entry,
                fmt::format("classes.{}: ids are missing; give them, or taxonomy = \"{}\" above the tables",
                            organelle.name, kStandardTaxonomy));
  }
  const LearnedClass* learned = taxonomy.find_class(organelle.name);
  if (learned == nullptr) {
    std::vector<std::string> known;
    for (const LearnedClass& one : taxonomy.classes) known.push_back(one.name);
    const std::string nearest = nearest_word(organelle.name, known);
    reader.fail(entry, fmt::format("classes.{}: ids are missing, and taxonomy {} has no such class{}",
                                   organelle.name, taxonomy.name,
                                   nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
  }
  take_learned_class(*learned, taxonomy, organelle);
}

ClassConfig read_class(const TomlReader& reader, const std::string& name, const toml::table& entry,
                       const CellConfig& config) {
  std::vector<std::string> known = {"ids",
                                    "color",
                                    "watershed",
                                    "parent",
                                    "from",
                                    "inside",
                                    "outside",
                                    "inside_expand_nm",
                                    "outside_expand_nm",
                                    "edits"};
  known.insert(known.end(), kSegmentKeys.begin(), kSegmentKeys.end());
  for (const auto& [key, option] : kMergeKeys) known.push_back(key);
  reader.check_keys(entry, known);
  ClassConfig organelle;
  organelle.name = name;
  for (const std::int64_t id : reader.whole_numbers(entry, "ids")) {
    if (id < 1) reader.fail(*entry.get("ids"), "ids: expected whole numbers above 0");
    organelle.ids.push_back(id);
  }
  organelle.from = reader.text(entry, "from", "");
  organelle.parent = reader.text(entry, "parent", "");
  if (organelle.ids.empty() && organelle.is_predicted())
    take_from_taxonomy(reader, entry, config.taxonomy, organelle);
  organelle.color = reader.color(entry, "color", organelle.color);
  for (const std::string& key : kSegmentKeys)
    if (const toml::node* value = entry.get(key)) reader.setting(organelle.segment, key, *value);
  for (const auto& [key, option] : kMergeKeys)
    if (const toml::node* value = entry.get(key)) reader.setting(organelle.agglomerate, option, *value);
  organelle.has_watershed = reader.flag(entry, "watershed");
  organelle.inside = reader.texts(entry, "inside");
  organelle.outside = reader.texts(entry, "outside");
  for (auto [key, target] : {std::pair{"inside_expand_nm", &organelle.inside_expand_nm},
                             {"outside_expand_nm", &organelle.outside_expand_nm}}) {
    const std::vector<double> values = reader.numbers(entry, key);
    if (values.empty()) continue;
    if (values.size() != 1 || !(values[0] >= 0))
      reader.fail(*entry.get(key), fmt::format("{}: expected one number of nm, at least 0", key));
    *target = values[0];
  }
  if (organelle.from == ClassConfig::kFromRaw && organelle.inside.empty() && organelle.outside.empty())
    reader.fail(*entry.get("from"), "from = \"raw\": say inside or outside of what");
  if (!organelle.from.empty() && !organelle.parent.empty())
    reader.fail(*entry.get("from"), "a class is made of another (from) or takes its ids (parent), not both");
  organelle.edits = resolve(config.folder, reader.text(entry, "edits", ""));
  return organelle;
}

// Adds what the defaults have besides; of that, masks by classes that are not there are left out. In place: a
// copy of a table forgets the lines of the file.
void add_defaults(toml::table& entry, const toml::table& defaults, const toml::table& classes) {
  const auto is_there = [&](const toml::node& value) {
    const auto name = value.value<std::string>();
    return !name || *name == ClassConfig::kFromRaw || classes.contains(*name);
  };
  for (const auto& [key, node] : defaults) {
    if (entry.contains(key)) continue;
    if (key == "parent" || key == "from") {
      if (is_there(node)) entry.insert(key, node);
    } else if (const toml::array* names = node.as_array()) {
      toml::array there;
      for (const toml::node& name : *names)
        if (is_there(name)) there.push_back(name);
      if (!there.empty()) entry.insert(key, there);
    } else {
      entry.insert(key, node);
    }
  }
}

void read_classes(const TomlReader& reader, toml::table& table, const toml::table& defaults,
                  CellConfig& config) {
  for (auto&& [key, node] : table) {
    toml::table* entry = node.as_table();
    const std::string name(key.str());
    if (entry == nullptr) reader.fail(node, fmt::format("classes.{}: expected a table", name));
    reader.check_name(node, "classes", name);
    if (const toml::node* standard = defaults.get(name)) add_defaults(*entry, *standard->as_table(), table);
    config.classes.push_back(read_class(reader, name, *entry, config));
  }
  for (const ClassConfig& organelle : config.classes) {
    for (const std::string& name : organelle.needed()) {
      if (table.contains(name)) continue;
      reader.fail(*table.get(organelle.name),
                  fmt::format("classes.{}: there is no class '{}'", organelle.name, name));
    }
  }
  try {
    order_of_needs(config.classes);
  } catch (const Error& error) {
    reader.fail(table, error.message());
  }
}

}  // namespace

CellConfig read_cell_config(const std::filesystem::path& path) {
  return parse_cell_config(read_text(path), path);
}

CellConfig parse_cell_config(std::string_view text, const std::filesystem::path& path) {
  CellConfig config;
  config.path = path;
  config.folder = std::filesystem::absolute(path).lexically_normal().parent_path();
  const TomlReader reader(path);
  toml::table root = reader.parse(text);
  std::vector<std::string> known = {"name",    "format", "raw",      "crops",    "classes",
                                    "network", "truth",  "defaults", "taxonomy", "start_from"};
  known.insert(known.end(), kStageTables.begin(), kStageTables.end());
  reader.check_keys(root, known);
  config.name = reader.text(root, "name", config.folder.filename().string());
  if (const toml::node* name = root.get("name")) reader.check_name(*name, "name", config.name);
  config.format = reader.text(root, "format", config.format);
  if (config.format != "n5" && config.format != "zarr") {
    reader.fail(*root.get("format"), fmt::format("format: expected n5 or zarr, found '{}'", config.format));
  }
  config.network = resolve(config.folder, reader.text(root, "network", ""));
  config.start_from = resolve(config.folder, reader.text(root, "start_from", ""));
  if (!config.network.empty() && !config.start_from.empty()) {
    reader.fail(*root.get("start_from"),
                "start_from: with network = ... nothing is trained; leave one of the two out");
  }

  const toml::table* raw = reader.table(root, "raw");
  if (raw == nullptr)
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: table [raw] is missing", path.string()));
  reader.check_keys(*raw,
                    {"source", "voxel_size_nm", "offset_nm", "contrast_limits", "invert", "chunk_shape"});
  config.raw_source = resolve(config.folder, reader.text(*raw, "source", ""));
  if (config.raw_source.empty()) reader.fail(*raw, "raw: source is missing");
  config.raw_voxel_size_nm = reader.voxel_size(*raw, "voxel_size_nm");
  config.contrast_limits = reader.numbers(*raw, "contrast_limits");
  if (!config.contrast_limits.empty() &&
      (config.contrast_limits.size() != 2 || !(config.contrast_limits[0] < config.contrast_limits[1]))) {
    reader.fail(*raw->get("contrast_limits"), "contrast_limits: expected [low, high] with low below high");
  }
  for (const auto& [key, node] : *raw) {
    if (key.str() != "source") reader.setting(config.import, std::string(key.str()), node);
  }
  toml::table defaults;
  if (const std::string name = reader.text(root, "defaults", ""); name == "heinrich2021") {
    defaults = toml::parse(kOrganelleDefaults);
  } else if (!name.empty()) {
    reader.fail(*root.get("defaults"), fmt::format("defaults: expected \"heinrich2021\", found '{}'", name));
  }
  if (const std::string name = reader.text(root, "taxonomy", ""); !name.empty()) {
    try {
      config.taxonomy = load_taxonomy(name == kStandardTaxonomy ? name : (config.folder / name).string());
    } catch (const Error& error) {
      reader.fail(*root.get("taxonomy"), error.message());
    }
  }
  if (reader.table(root, "classes") != nullptr)
    read_classes(reader, *root.get("classes")->as_table(), defaults, config);
  if (std::none_of(config.classes.begin(), config.classes.end(),
                   [](const ClassConfig& organelle) { return organelle.is_predicted(); }))
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: no class; add [classes.mito] with its ids", path.string()));
  relate_learned_classes(config.classes, config.taxonomy);
  if (const toml::node* crops = root.get("crops"))
    config.crops = read_crops(reader, *crops, {config.folder, config.classes, config.taxonomy});
  if (const toml::table* truth = reader.table(root, "truth")) {
    reader.check_keys(*truth, {"labels", "voxel_size_nm", "box_nm"});
    config.truth = resolve(config.folder, reader.text(*truth, "labels", ""));
    config.truth_voxel_size_nm = reader.voxel_size(*truth, "voxel_size_nm");
    config.evaluate_box_nm = reader.box(*truth, "box_nm");
  }
  for (const std::string& name : kStageTables) {
    if (const toml::table* table = reader.table(root, name)) config.stages[name] = reader.settings(*table);
  }
  if (const toml::table* mask = reader.table(root, "mask")) {
    config.has_mask = true;
    // An input of the stage, not an option.
    config.mask_polygons = resolve(config.folder, reader.text(*mask, "polygons", ""));
    config.stages["mask"].values.erase("polygons");
  }
  // [segment] holds for all classes that have a prediction, whatever stages make their objects.
  for (ClassConfig& organelle : config.classes) {
    if (!organelle.is_predicted()) continue;
    const StageSettings& of_all = config.stages["segment"];
    for (const std::string& key : kSegmentKeys) {
      if (!of_all.values.contains(key) || organelle.segment.values.contains(key)) continue;
      organelle.segment.values[key] = of_all.values.at(key);
      organelle.segment.places[key] = of_all.places.at(key);
    }
  }
  if (config.crops.empty() && config.network.empty()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: nothing to learn from; add [[crops]] with labels, or network = \"<checkpoint>\"",
                    path.string()));
  }
  return config;
}

}  // namespace organon::config
