#include "organon/config/study_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/options.h"
#include "organon/config/crop_reader.h"
#include "organon/config/learned_classes.h"
#include "organon/config/toml_reader.h"
#include "organon/storage/dataset.h"

namespace organon::config {
namespace {

// Stages whose options a study.toml may set for all set-ups.
const std::vector<std::string> kStageTables = {"targets", "train", "predict", "evaluate", "choose"};

std::string nearest_of(const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? fmt::format("; there are {}", fmt::join(known, ", "))
                         : fmt::format("; did you mean '{}'?", nearest);
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& list) {
  std::vector<std::string> names;
  for (const T& one : list) names.push_back(one.name);
  return names;
}

// The tables of [[what]].
std::vector<const toml::table*> tables_of(const TomlReader& reader, const toml::table& root,
                                          const std::string& what) {
  std::vector<const toml::table*> tables;
  const toml::node* node = root.get(what);
  if (node == nullptr) reader.fail(root, fmt::format("[[{}]] is missing", what));
  const toml::array* array = node->as_array();
  if (array == nullptr) reader.fail(*node, fmt::format("{0}: expected [[{0}]]", what));
  for (const toml::node& element : *array) {
    if (!element.is_table()) reader.fail(element, fmt::format("{0}: expected [[{0}]]", what));
    tables.push_back(element.as_table());
  }
  return tables;
}

// The name of an entry: there, plain, and no other's.
template <class T>
std::string read_name(const TomlReader& reader, const toml::table& entry, const std::string& what,
                      const std::vector<T>& before) {
  const std::string name = reader.text(entry, "name", "");
  if (name.empty()) reader.fail(entry, fmt::format("{}: name is missing", what));
  reader.check_name(*entry.get("name"), what, name);
  for (const T& other : before) {
    if (other.name == name)
      reader.fail(*entry.get("name"), fmt::format("{}: two are named '{}'", what, name));
  }
  return name;
}

StudyDataset read_dataset(const TomlReader& reader, const toml::table& entry, const StudyConfig& study) {
  reader.check_keys(entry, {"name", "raw", "contrast_limits", "crops"});
  StudyDataset dataset;
  dataset.name = read_name(reader, entry, "datasets", study.datasets);
  const std::string raw = reader.text(entry, "raw", "");
  if (raw.empty()) reader.fail(entry, fmt::format("dataset {}: raw is missing", dataset.name));
  dataset.raw = storage::address_in(study.folder, raw);
  dataset.contrast_limits = reader.numbers(entry, "contrast_limits");
  if (const auto& limits = dataset.contrast_limits;
      !limits.empty() && !(limits.size() == 2 && limits[0] < limits[1])) {
    reader.fail(*entry.get("contrast_limits"), "contrast_limits: expected low, high with low below high");
  }
  const toml::node* crops = entry.get("crops");
  if (crops == nullptr)
    reader.fail(entry, fmt::format("dataset {}: [[datasets.crops]] is missing", dataset.name));
  dataset.crops = read_crops(reader, *crops, {study.folder, {}, study.taxonomy});
  for (const CropConfig& crop : dataset.crops) {
    if (crop.raw.empty() && crop.voxel_size_nm.empty() && crop.labels_voxel_size_nm.empty()) continue;
    reader.fail(*crops, fmt::format("crop {}: raw and voxel sizes are those of the dataset and of labels, "
                                    "which is a dataset (organon import makes one of slices)",
                                    crop.name));
  }
  return dataset;
}

// A set-up of the taxonomy by its name, or a list of classes.
void read_setup_classes(const TomlReader& reader, const toml::table& entry, const Taxonomy& taxonomy,
                        StudySetup& setup) {
  const toml::node* node = entry.get("classes");
  if (node == nullptr) return;
  std::vector<std::string> names = reader.texts(entry, "classes");
  setup.class_set = setup.name;
  if (node->is_string()) {
    const NetworkSetup* known = taxonomy.find_setup(names.front());
    if (known == nullptr) {
      reader.fail(*node, fmt::format("classes: taxonomy {} has no set-up '{}'{}; for one class write it in "
                                     "brackets",
                                     taxonomy.name, names.front(),
                                     nearest_of(names.front(), names_of(taxonomy.setups))));
    }
    setup.class_set = known->name;
    setup.family = known->name.substr(0, known->name.find('-'));
    names = known->classes;
  }
  if (names.empty()) reader.fail(*node, "classes: no class is named");
  try {
    setup.classes = classes_named(names, taxonomy);
  } catch (const Error& error) {
    reader.fail(*node, error.message());
  }
}

StudySetup read_setup(const TomlReader& reader, const toml::table& entry, const StudyConfig& study) {
  reader.check_keys(entry, {"name", "classes", "family", "voxel_size_nm", "datasets", "network", "train"});
  StudySetup setup;
  setup.name = read_name(reader, entry, "setups", study.setups);
  setup.place = reader.place(entry);
  read_setup_classes(reader, entry, study.taxonomy, setup);
  setup.family = reader.text(entry, "family", setup.family);
  setup.voxel_size_nm = reader.voxel_size(entry, "voxel_size_nm");
  const std::string network = reader.text(entry, "network", "");
  if (!network.empty()) {
    setup.network = storage::address_in(study.folder, network);
    for (const char* key : {"classes", "voxel_size_nm", "datasets", "train"})
      if (const toml::node* node = entry.get(key))
        reader.fail(*node, fmt::format("{}: of a network that is trained already it is known", key));
    return setup;
  }
  if (setup.classes.empty())
    reader.fail(entry, fmt::format("setup {}: classes are missing (or network, the folder of a training)",
                                   setup.name));
  if (setup.voxel_size_nm.empty())
    reader.fail(entry,
                fmt::format("setup {}: voxel_size_nm, of the raw that it sees, is missing", setup.name));
  setup.datasets = reader.texts(entry, "datasets");
  const std::vector<std::string> known = names_of(study.datasets);
  for (const std::string& name : setup.datasets) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      reader.fail(*entry.get("datasets"),
                  fmt::format("datasets: there is no '{}'{}", name, nearest_of(name, known)));
  }
  if (setup.datasets.empty()) setup.datasets = known;
  const auto of_all = study.stages.find("train");
  if (of_all != study.stages.end()) setup.train = of_all->second;
  if (const toml::table* own = reader.table(entry, "train")) {
    const StageSettings settings = reader.settings(*own);
    for (const auto& [name, text] : settings.values) {
      setup.train.values[name] = text;
      setup.train.places[name] = settings.places.at(name);
    }
  }
  for (const auto& [key, instead] :
       {std::pair{"checkpoint_every", "evaluate_every, above the tables, says which are kept"},
        {"keep_checkpoints", "evaluate_every, above the tables, says which are kept"},
        {"patience", "the choice among checkpoints has its own rule, see organon choose --help"}}) {
    const auto found = setup.train.places.find(key);
    if (found != setup.train.places.end())
      throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}: {}", found->second, key, instead));
  }
  return setup;
}

// What the study says to its stages itself.
void check_settings(const StageSettings& settings, const std::vector<const char*>& own) {
  for (const char* key : own) {
    const auto found = settings.places.find(key);
    if (found == settings.places.end()) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: {}: datasets and set-ups say it", found->second, key));
  }
}

void check_settings(const StudyConfig& study) {
  const std::vector<const char*> of_train = {"classes", "balance_as", "roles", "contrast_limits"};
  const std::map<std::string, std::vector<const char*>> own = {
      {"targets", {"classes", "ids", "masks", "unlabelled_id", "add_nm", "joined", "voxel_size_nm"}},
      {"train", of_train},
      {"predict", {"contrast_limits", "allow_voxel_size"}},
      {"evaluate",
       {"classes", "ids", "truth_volumes", "masks", "truth_expand_nm", "dataset", "crop", "setup", "family",
        "iteration", "path", "raw_dataset", "raw_voxel_size_nm"}}};
  for (const auto& [verb, keys] : own)
    if (const auto found = study.stages.find(verb); found != study.stages.end())
      check_settings(found->second, keys);
  for (const StudySetup& setup : study.setups) check_settings(setup.train, of_train);
}

void check_roles(const TomlReader& reader, const toml::table& root, const StudyConfig& study) {
  const auto has = [](const StudyDataset& dataset, bool holdout) {
    return std::any_of(dataset.crops.begin(), dataset.crops.end(), [&](const CropConfig& crop) {
      return holdout ? crop.role == "holdout" : crop.role == "train";
    });
  };
  if (std::none_of(study.datasets.begin(), study.datasets.end(),
                   [&](const StudyDataset& dataset) { return has(dataset, true); }))
    reader.fail(*root.get("datasets"),
                "datasets: no crop has role = \"holdout\": there is nothing to judge by");
  for (const StudySetup& setup : study.setups) {
    if (!setup.network.empty()) continue;
    const bool can_learn =
        std::any_of(study.datasets.begin(), study.datasets.end(), [&](const StudyDataset& dataset) {
          return has(dataset, false) && std::find(setup.datasets.begin(), setup.datasets.end(),
                                                  dataset.name) != setup.datasets.end();
        });
    if (!can_learn)
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: setup {}: none of its datasets has a crop with role = \"train\"",
                              setup.place, setup.name));
  }
}

}  // namespace

std::vector<ClassConfig> classes_named(const std::vector<std::string>& names, const Taxonomy& taxonomy) {
  std::vector<ClassConfig> classes;
  for (const std::string& name : names) {
    const LearnedClass& learned = taxonomy.learned_class(name);
    if (std::any_of(classes.begin(), classes.end(),
                    [&](const ClassConfig& one) { return one.name == learned.name; }))
      throw Error(ErrorKind::kInvalidArgument, fmt::format("classes: '{}' is named twice", learned.name));
    ClassConfig& organelle = classes.emplace_back();
    organelle.name = learned.name;
    take_learned_class(learned, taxonomy, organelle);
  }
  relate_learned_classes(classes, taxonomy);
  return classes;
}

bool is_study(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  try {
    return toml::parse(text, path.string()).contains("setups");
  } catch (const toml::parse_error&) {
    // Whoever reads it next says where the fault is.
    return false;
  }
}

StudyConfig read_study_config(const std::filesystem::path& path) {
  return parse_study_config(read_text(path), path);
}

StudyConfig parse_study_config(std::string_view text, const std::filesystem::path& path) {
  StudyConfig study;
  study.path = path;
  study.folder = std::filesystem::absolute(path).lexically_normal().parent_path();
  const TomlReader reader(path);
  const toml::table root = reader.parse(text);
  std::vector<std::string> known = {"name", "format", "taxonomy", "evaluate_every", "datasets", "setups"};
  known.insert(known.end(), kStageTables.begin(), kStageTables.end());
  reader.check_keys(root, known);
  study.name = reader.text(root, "name", study.folder.filename().string());
  if (const toml::node* name = root.get("name")) reader.check_name(*name, "name", study.name);
  study.format = reader.text(root, "format", study.format);
  if (study.format != "n5" && study.format != "zarr")
    reader.fail(*root.get("format"), fmt::format("format: expected n5 or zarr, found '{}'", study.format));
  const std::string taxonomy = reader.text(root, "taxonomy", kStandardTaxonomy);
  try {
    study.taxonomy =
        load_taxonomy(taxonomy == kStandardTaxonomy ? taxonomy : (study.folder / taxonomy).string());
  } catch (const Error& error) {
    if (root.get("taxonomy") == nullptr) throw;
    reader.fail(*root.get("taxonomy"), error.message());
  }
  if (const auto every = reader.whole_numbers(root, "evaluate_every"); !every.empty()) {
    if (every.size() != 1 || every[0] < 1)
      reader.fail(*root.get("evaluate_every"), "evaluate_every: expected a number of steps above 0");
    study.evaluate_every = every[0];
  }
  for (const std::string& name : kStageTables) {
    if (const toml::table* table = reader.table(root, name)) study.stages[name] = reader.settings(*table);
  }
  for (const toml::table* entry : tables_of(reader, root, "datasets"))
    study.datasets.push_back(read_dataset(reader, *entry, study));
  for (const toml::table* entry : tables_of(reader, root, "setups"))
    study.setups.push_back(read_setup(reader, *entry, study));
  check_settings(study);
  check_roles(reader, root, study);
  return study;
}

}  // namespace organon::config
