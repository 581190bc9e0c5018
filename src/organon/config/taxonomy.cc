#include "organon/config/taxonomy.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/options.h"
#include "organon/config/compiled_in.h"
#include "organon/config/toml_reader.h"

namespace organon::config {
namespace {

template <class T>
const T* find_named(const std::vector<T>& list, std::string_view name) {
  const auto place = std::find_if(list.begin(), list.end(), [&](const T& one) { return one.name == name; });
  return place == list.end() ? nullptr : &*place;
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& list) {
  std::vector<std::string> names;
  for (const T& one : list) names.push_back(one.name);
  return names;
}

// ": did you mean 'x'?" or what there is.
std::string hint(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(name, known);
  return nearest.empty() ? fmt::format("; there are {}", fmt::join(known, ", "))
                         : fmt::format("; did you mean '{}'?", nearest);
}

// Tables of TOML are in the order of their names; here that of the file.
std::vector<std::string> keys_in_file_order(const toml::table& table) {
  std::vector<std::pair<toml::source_index, std::string>> keys;
  for (const auto& [key, node] : table) keys.emplace_back(key.source().begin.line, key.str());
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> names;
  for (auto& [line, name] : keys) names.push_back(std::move(name));
  return names;
}

void read_atoms(const TomlReader& reader, const toml::table& table, Taxonomy& taxonomy) {
  for (const auto& [key, node] : table) {
    Atom atom{std::string(key.str()), 0};
    reader.check_name(node, "atoms", atom.name);
    const auto id = node.value<std::int64_t>();
    if (!node.is_integer() || *id < 1)
      reader.fail(node, fmt::format("atoms.{}: expected an id, a whole number above 0", atom.name));
    atom.id = static_cast<std::uint64_t>(*id);
    if (const Atom* other = taxonomy.find_atom(atom.id))
      reader.fail(node, fmt::format("atoms.{}: {} has the id {}, too", atom.name, other->name, atom.id));
    taxonomy.atoms.push_back(std::move(atom));
  }
  std::sort(taxonomy.atoms.begin(), taxonomy.atoms.end(),
            [](const Atom& a, const Atom& b) { return a.id < b.id; });
}

LearnedClass read_class(const TomlReader& reader, const std::string& name, const toml::table& entry,
                        const Taxonomy& taxonomy) {
  reader.check_keys(entry, {"atoms", "aliases", "generic", "balance_as", "joined", "add_nm", "color"});
  LearnedClass learned;
  learned.name = name;
  learned.atoms = reader.texts(entry, "atoms");
  if (learned.atoms.empty()) reader.fail(entry, fmt::format("classes.{}: atoms are missing", name));
  for (const std::string& atom : learned.atoms) {
    if (taxonomy.find_atom(atom) == nullptr)
      reader.fail(*entry.get("atoms"), fmt::format("classes.{}: there is no atom '{}'{}", name, atom,
                                                   hint(atom, names_of(taxonomy.atoms))));
  }
  learned.aliases = reader.texts(entry, "aliases");
  learned.generic = reader.text(entry, "generic", "");
  const auto& atoms = learned.atoms;
  if (!learned.generic.empty() && std::find(atoms.begin(), atoms.end(), learned.generic) == atoms.end())
    reader.fail(*entry.get("generic"),
                fmt::format("classes.{}: generic '{}' is none of its atoms", name, learned.generic));
  learned.balance_as = reader.text(entry, "balance_as", "");
  learned.joined = reader.texts(entry, "joined");
  learned.add_nm = reader.number(entry, "add_nm", 0);
  learned.color = reader.color(entry, "color", learned.color);
  return learned;
}

// Each name and alias stands for one class; what classes name of one another is there.
void check_classes(const TomlReader& reader, const toml::table& table, const Taxonomy& taxonomy) {
  std::set<std::string> taken;
  for (const LearnedClass& learned : taxonomy.classes) {
    const toml::node& node = *table.get(learned.name);
    if (!taken.insert(learned.name).second)
      reader.fail(node, fmt::format("classes.{}: the name is an alias of another", learned.name));
    for (const std::string& alias : learned.aliases) {
      if (!taken.insert(alias).second || (taxonomy.find_class(alias) != &learned))
        reader.fail(node, fmt::format("classes.{}: the alias '{}' is taken", learned.name, alias));
    }
    std::vector<std::string> named = learned.joined;
    if (!learned.balance_as.empty()) named.push_back(learned.balance_as);
    for (const std::string& name : named) {
      if (name == learned.name || find_named(taxonomy.classes, name) == nullptr)
        reader.fail(node, fmt::format("classes.{}: '{}' is no other class{}", learned.name, name,
                                      hint(name, names_of(taxonomy.classes))));
    }
  }
}

void read_setups(const TomlReader& reader, const toml::table& table, Taxonomy& taxonomy) {
  for (const std::string& key : keys_in_file_order(table)) {
    const toml::node& node = *table.get(key);
    NetworkSetup setup{key, reader.texts(table, key)};
    reader.check_name(node, "setups", setup.name);
    if (setup.classes.empty()) reader.fail(node, fmt::format("setups.{}: no classes are named", setup.name));
    std::set<std::string> taken;
    for (const std::string& name : setup.classes) {
      if (find_named(taxonomy.classes, name) == nullptr)
        reader.fail(node, fmt::format("setups.{}: there is no class '{}'{}", setup.name, name,
                                      hint(name, names_of(taxonomy.classes))));
      if (!taken.insert(name).second)
        reader.fail(node, fmt::format("setups.{}: '{}' is named twice", setup.name, name));
    }
    taxonomy.setups.push_back(std::move(setup));
  }
}

}  // namespace

const Atom* Taxonomy::find_atom(std::string_view atom) const { return find_named(atoms, atom); }

const Atom* Taxonomy::find_atom(std::uint64_t id) const {
  const auto place =
      std::find_if(atoms.begin(), atoms.end(), [&](const Atom& atom) { return atom.id == id; });
  return place == atoms.end() ? nullptr : &*place;
}

const LearnedClass* Taxonomy::find_class(std::string_view wanted) const {
  if (const LearnedClass* found = find_named(classes, wanted)) return found;
  const auto place = std::find_if(classes.begin(), classes.end(), [&](const LearnedClass& one) {
    return std::find(one.aliases.begin(), one.aliases.end(), wanted) != one.aliases.end();
  });
  return place == classes.end() ? nullptr : &*place;
}

const NetworkSetup* Taxonomy::find_setup(std::string_view setup) const { return find_named(setups, setup); }

const LearnedClass& Taxonomy::learned_class(std::string_view wanted) const {
  if (const LearnedClass* found = find_class(wanted)) return *found;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("taxonomy {}: it has no class '{}'{}", name, wanted,
                                                       hint(wanted, names_of(classes))));
}

std::uint64_t Taxonomy::id_of(std::string_view atom) const {
  if (const Atom* found = find_atom(atom)) return found->id;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("taxonomy {}: it has no atom '{}'{}", name, atom, hint(atom, names_of(atoms))));
}

Taxonomy parse_taxonomy(std::string_view text, const std::filesystem::path& where) {
  const TomlReader reader(where);
  const toml::table root = reader.parse(text);
  reader.check_keys(root, {"name", "atoms", "classes", "setups"});
  Taxonomy taxonomy;
  taxonomy.name = reader.text(root, "name", where.stem().string());
  if (const toml::table* atoms = reader.table(root, "atoms")) read_atoms(reader, *atoms, taxonomy);
  if (const toml::table* classes = reader.table(root, "classes")) {
    for (const std::string& name : keys_in_file_order(*classes)) {
      reader.check_name(*classes->get(name), "classes", name);
      const toml::table* entry = reader.table(*classes, name);
      taxonomy.classes.push_back(read_class(reader, name, *entry, taxonomy));
    }
    check_classes(reader, *classes, taxonomy);
  }
  if (taxonomy.classes.empty())
    reader.fail(root, "no classes; add [atoms] and [classes.NAME] with their atoms");
  if (const toml::table* setups = reader.table(root, "setups")) read_setups(reader, *setups, taxonomy);
  return taxonomy;
}

Taxonomy load_taxonomy(const std::string& name_or_path) {
  if (name_or_path == kStandardTaxonomy) return parse_taxonomy(kHeinrich2021, kStandardTaxonomy);
  const std::filesystem::path path = name_or_path;
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::kNotFound, fmt::format("taxonomy: expected \"{}\" or a file, found '{}'",
                                                  kStandardTaxonomy, name_or_path));
  }
  return parse_taxonomy(read_text(path), path);
}

}  // namespace organon::config
