#include "organon/app/cell_config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/options.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

// Stages whose options a cell.toml may set, each in a table of the verb's name.
const std::vector<std::string> kStageTables = {"pyramid", "mask",      "targets",     "train",  "predict",
                                               "segment", "watershed", "agglomerate", "refine", "evaluate",
                                               "measure", "mesh",      "publish"};

class Reader {
 public:
  explicit Reader(std::filesystem::path path) : path_(std::move(path)) {}

  [[noreturn]] void fail(const toml::node& node, const std::string& message) const {
    fail_at(node.source(), message);
  }
  [[noreturn]] void fail_at(const toml::source_region& place, const std::string& message) const {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}:{}: {}", path_.string(), place.begin.line, message));
  }
  std::string place(const toml::node& node) const {
    return fmt::format("{}:{}", path_.filename().string(), node.source().begin.line);
  }

  void check_keys(const toml::table& table, const std::vector<std::string>& known) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string nearest = nearest_word(name, known);
      fail_at(key.source(),
              fmt::format("unknown key '{}'{}", name,
                          nearest.empty() ? fmt::format("; known here are {}", fmt::join(known, ", "))
                                          : fmt::format("; did you mean '{}'?", nearest)));
    }
  }

  std::string text(const toml::table& table, const std::string& key, const std::string& standard) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return standard;
    if (!node->is_string()) fail(*node, fmt::format("{}: expected text in quotes", key));
    return node->value<std::string>().value();
  }

  std::vector<std::string> texts(const toml::table& table, const std::string& key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    if (node->is_string()) return {node->value<std::string>().value()};
    std::vector<std::string> values;
    if (!node->is_array()) fail(*node, fmt::format("{}: expected names in quotes", key));
    for (const toml::node& value : *node->as_array()) {
      if (!value.is_string()) fail(value, fmt::format("{}: expected names in quotes", key));
      values.push_back(value.value<std::string>().value());
    }
    return values;
  }

  bool flag(const toml::table& table, const std::string& key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return false;
    if (!node->is_boolean()) fail(*node, fmt::format("{}: expected true or false", key));
    return node->value<bool>().value();
  }

  std::vector<double> numbers(const toml::table& table, const std::string& key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    std::vector<double> values;
    const auto take = [&](const toml::node& value) {
      if (!value.is_number()) fail(value, fmt::format("{}: expected numbers", key));
      // A whole number that no double holds exactly has no value as one.
      const double number = value.is_integer() ? static_cast<double>(value.value<std::int64_t>().value())
                                               : value.value<double>().value();
      if (!std::isfinite(number)) fail(value, fmt::format("{}: expected finite numbers", key));
      values.push_back(number);
    };
    if (const toml::array* array = node->as_array()) {
      for (const toml::node& value : *array) take(value);
    } else {
      take(*node);
    }
    return values;
  }

  std::vector<std::int64_t> whole_numbers(const toml::table& table, const std::string& key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    std::vector<std::int64_t> values;
    const auto take = [&](const toml::node& value) {
      if (!value.is_integer()) fail(value, fmt::format("{}: expected whole numbers", key));
      values.push_back(value.value<std::int64_t>().value());
    };
    if (const toml::array* array = node->as_array()) {
      for (const toml::node& value : *array) take(value);
    } else {
      take(*node);
    }
    return values;
  }

  std::vector<double> voxel_size(const toml::table& table, const std::string& key) const {
    std::vector<double> values = numbers(table, key);
    if (values.empty()) return values;
    if (values.size() == 1) values.resize(3, values[0]);
    if (values.size() != 3) fail(*table.get(key), fmt::format("{}: expected one number or z,y,x in nm", key));
    for (const double value : values) {
      if (!(value > 0)) fail(*table.get(key), fmt::format("{}: expected nm above 0, found {}", key, value));
    }
    return values;
  }

  std::string box(const toml::table& table, const std::string& key) const {
    const std::vector<double> values = numbers(table, key);
    if (values.empty()) return "";
    if (values.size() != 6) fail(*table.get(key), fmt::format("{}: expected z0,y0,x0,z1,y1,x1 in nm", key));
    return fmt::format("{}", fmt::join(values, ","));
  }

  const toml::table* table(const toml::table& parent, const std::string& key) const {
    const toml::node* node = parent.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(*node, fmt::format("{}: expected a table [{}]", key, key));
    return node->as_table();
  }

  // Names become folders and entries of comma-separated lists.
  void check_name(const toml::node& node, const std::string& what, const std::string& name) const {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char letter) {
      return std::isalnum(letter) != 0 || letter == '_' || letter == '-' || letter == '.';
    });
    if (name.empty() || !is_plain || name.front() == '.')
      fail(node,
           fmt::format("{}: expected a name of letters, digits, '_', '-' and '.', found '{}'", what, name));
  }

  void setting(StageSettings& settings, const std::string& name, const toml::node& node) const {
    settings.values[name] = setting_text(node);
    settings.places[name] = place(node);
  }

  StageSettings settings(const toml::table& table) const {
    StageSettings settings;
    for (const auto& [key, node] : table) setting(settings, std::string(key.str()), node);
    return settings;
  }

  std::string setting_text(const toml::node& node) const {
    if (const auto* value = node.as_string()) return value->get();
    if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
    if (const auto* value = node.as_integer()) return std::to_string(value->get());
    if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
    if (const toml::array* array = node.as_array()) {
      std::vector<std::string> parts;
      for (const toml::node& part : *array) parts.push_back(setting_text(part));
      return fmt::format("{}", fmt::join(parts, ","));
    }
    fail(node, "expected a number, text, true, false or a list of them");
  }

 private:
  std::filesystem::path path_;
};

std::string resolve(const std::filesystem::path& folder, const std::string& address) {
  return address.empty() ? address : storage::address_in(folder, address);
}

bool is_color(const std::string& text) {
  return text.size() == 7 && text[0] == '#' &&
         text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
}

const std::vector<std::string> kSegmentKeys = {"sigma_nm", "threshold", "min_volume_nm3", "connectivity"};
// Of a class, and what they are called in the options of agglomerate.
const std::vector<std::pair<std::string, std::string>> kMergeKeys = {{"merge_quantile", "quantile"},
                                                                     {"merge_threshold", "threshold"}};

ClassConfig read_class(const Reader& reader, const std::string& name, const toml::table& entry,
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
    reader.fail(entry, fmt::format("classes.{}: ids are missing", name));
  organelle.color = reader.text(entry, "color", organelle.color);
  if (!is_color(organelle.color))
    reader.fail(*entry.get("color"), fmt::format("color: expected #rrggbb, found '{}'", organelle.color));
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

void read_classes(const Reader& reader, toml::table& table, const toml::table& defaults, CellConfig& config) {
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

void read_crops(const Reader& reader, const toml::node& node, CellConfig& config) {
  const toml::array* array = node.as_array();
  if (array == nullptr) reader.fail(node, "crops: expected [[crops]]");
  for (const toml::node& element : *array) {
    const toml::table* entry = element.as_table();
    if (entry == nullptr) reader.fail(element, "crops: expected [[crops]]");
    reader.check_keys(*entry,
                      {"name", "raw", "labels", "voxel_size_nm", "labels_voxel_size_nm", "box_nm", "role"});
    CropConfig crop;
    crop.name = reader.text(*entry, "name", fmt::format("crop{}", config.crops.size() + 1));
    reader.check_name(element, "crops", crop.name);
    for (const CropConfig& other : config.crops) {
      if (other.name == crop.name)
        reader.fail(element,
                    fmt::format("crops: two are named '{}'; each needs a name of its own", crop.name));
    }
    crop.raw = resolve(config.folder, reader.text(*entry, "raw", ""));
    crop.labels = resolve(config.folder, reader.text(*entry, "labels", ""));
    if (crop.labels.empty()) reader.fail(element, fmt::format("crop {}: labels are missing", crop.name));
    crop.voxel_size_nm = reader.voxel_size(*entry, "voxel_size_nm");
    crop.labels_voxel_size_nm = reader.voxel_size(*entry, "labels_voxel_size_nm");
    crop.box_nm = reader.box(*entry, "box_nm");
    crop.role = reader.text(*entry, "role", "train");
    if (crop.role != "train" && crop.role != "validate") {
      reader.fail(*entry->get("role"),
                  fmt::format("role: expected train or validate, found '{}'", crop.role));
    }
    config.crops.push_back(std::move(crop));
  }
}

}  // namespace

CellConfig read_cell_config(const std::filesystem::path& path) {
  return parse_cell_config(read_text(path), path);
}

CellConfig parse_cell_config(std::string_view text, const std::filesystem::path& path) {
  CellConfig config;
  config.path = path;
  config.folder = std::filesystem::absolute(path).parent_path();
  const Reader reader(path);
  toml::table root;
  try {
    root = toml::parse(text, path.string());
  } catch (const toml::parse_error& error) {
    reader.fail_at(error.source(), std::string(error.description()));
  }
  std::vector<std::string> known = {"name",    "format",  "raw",   "crops",
                                    "classes", "network", "truth", "defaults"};
  known.insert(known.end(), kStageTables.begin(), kStageTables.end());
  reader.check_keys(root, known);
  config.name = reader.text(root, "name", config.folder.filename().string());
  if (const toml::node* name = root.get("name")) reader.check_name(*name, "name", config.name);
  config.format = reader.text(root, "format", config.format);
  if (config.format != "n5" && config.format != "zarr") {
    reader.fail(*root.get("format"), fmt::format("format: expected n5 or zarr, found '{}'", config.format));
  }
  config.network = resolve(config.folder, reader.text(root, "network", ""));

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
  if (reader.table(root, "classes") != nullptr)
    read_classes(reader, *root.get("classes")->as_table(), defaults, config);
  if (std::none_of(config.classes.begin(), config.classes.end(),
                   [](const ClassConfig& organelle) { return organelle.is_predicted(); }))
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: no class; add [classes.mito] with its ids", path.string()));
  if (const toml::node* crops = root.get("crops")) read_crops(reader, *crops, config);
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

}  // namespace organon::app
