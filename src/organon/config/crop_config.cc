#include "organon/config/crop_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/options.h"

namespace organon::config {
namespace {

bool says_nothing(const CropConfig& crop) {
  return crop.present.empty() && crop.absent.empty() && crop.unannotated.empty() && crop.partial.empty();
}

bool holds(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Names that speak of an atom: its own, and those of classes that hold it.
bool speaks_of(const std::vector<std::string>& list, const std::string& atom, const Taxonomy& taxonomy) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& name) {
    // An atom wins over a class of its name: nucleus is both.
    if (taxonomy.find_atom(name) != nullptr) return name == atom;
    const LearnedClass* learned = taxonomy.find_class(name);
    return learned != nullptr && holds(learned->atoms, atom);
  });
}

// The weakest of what is said of it; nothing said is not annotated.
Annotation annotation_of(const CropConfig& crop, const std::string& atom, const Taxonomy& taxonomy) {
  if (speaks_of(crop.partial, atom, taxonomy)) return Annotation::kPartial;
  if (speaks_of(crop.unannotated, atom, taxonomy)) return Annotation::kUnannotated;
  if (speaks_of(crop.present, atom, taxonomy)) return Annotation::kPresent;
  if (speaks_of(crop.absent, atom, taxonomy)) return Annotation::kAbsent;
  return Annotation::kUnannotated;
}

ClassInCrop weakest(const CropConfig& crop, const std::vector<std::string>& atoms, const Taxonomy& taxonomy) {
  ClassInCrop result{Annotation::kAbsent, ""};
  for (const std::string& atom : atoms) {
    const Annotation annotation = annotation_of(crop, atom, taxonomy);
    if (annotation == Annotation::kUnannotated || annotation == Annotation::kPartial)
      return {annotation, fmt::format("{} is {}", atom, to_string(annotation))};
    if (annotation == Annotation::kPresent) result.annotation = Annotation::kPresent;
  }
  return result;
}

}  // namespace

std::string_view to_string(Annotation annotation) {
  switch (annotation) {
    case Annotation::kPresent:
      return "present";
    case Annotation::kAbsent:
      return "absent";
    case Annotation::kUnannotated:
      return "unannotated";
    case Annotation::kPartial:
      return "partly annotated";
  }
  return "";
}

ClassInCrop class_in_crop(const CropConfig& crop, const ClassConfig& organelle, const Taxonomy& taxonomy) {
  if (says_nothing(crop)) return {};
  if (organelle.atoms.empty()) {
    // Ids of the lab's own: the class itself is spoken of.
    for (const auto& [list, annotation] : {std::pair{&crop.partial, Annotation::kPartial},
                                           {&crop.unannotated, Annotation::kUnannotated},
                                           {&crop.present, Annotation::kPresent},
                                           {&crop.absent, Annotation::kAbsent}}) {
      if (!holds(*list, organelle.name)) continue;
      const ClassInCrop known{annotation, ""};
      return known.is_annotated() ? known : ClassInCrop{annotation, "as its lists say"};
    }
    return {Annotation::kUnannotated, "no list names it"};
  }
  const ClassInCrop all = weakest(crop, organelle.atoms, taxonomy);
  if (all.is_annotated() || organelle.generic.empty()) return all;
  std::vector<std::string> specific = organelle.atoms;
  std::erase(specific, organelle.generic);
  const ClassInCrop generic = weakest(crop, {organelle.generic}, taxonomy);
  const ClassInCrop others = weakest(crop, specific, taxonomy);
  if (generic.is_annotated() && others.is_annotated()) return all;
  if (generic.is_annotated()) return generic;
  return others.is_annotated() ? others : all;
}

void check_annotations(const CropConfig& crop, const std::vector<ClassConfig>& classes,
                       const Taxonomy& taxonomy) {
  std::vector<std::string> known;
  for (const Atom& atom : taxonomy.atoms) known.push_back(atom.name);
  for (const LearnedClass& learned : taxonomy.classes) known.push_back(learned.name);
  for (const ClassConfig& organelle : classes) known.push_back(organelle.name);
  std::map<std::string, std::string> said;
  for (const auto& [what, list] : {std::pair{"present", &crop.present},
                                   {"absent", &crop.absent},
                                   {"unannotated", &crop.unannotated},
                                   {"partial", &crop.partial}}) {
    for (const std::string& name : *list) {
      const bool is_known = taxonomy.find_class(name) != nullptr || holds(known, name);
      if (!is_known) {
        const std::string nearest = nearest_word(name, known);
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("crop {}: {}: '{}' is neither painted nor learned{}", crop.name, what, name,
                                nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
      }
      const auto [place, is_new] = said.emplace(name, what);
      if (!is_new && place->second != what) {
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("crop {}: {} is said to be {} and {}", crop.name, name, place->second, what));
      }
    }
  }
  const auto check_names = [&](const char* table, const std::map<std::string, std::string>& volumes) {
    for (const auto& volume : volumes) {
      const std::string& name = volume.first;
      const bool is_there = std::any_of(classes.begin(), classes.end(),
                                        [&](const ClassConfig& one) { return one.name == name; });
      if (is_there || taxonomy.find_class(name) != nullptr) continue;
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("crop {}: {}: there is no class '{}'", crop.name, table, name));
    }
  };
  check_names("masks", crop.masks);
  check_names("own_labels", crop.own_labels);
}

}  // namespace organon::config
