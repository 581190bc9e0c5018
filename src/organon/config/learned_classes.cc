#include "organon/config/learned_classes.h"

#include <algorithm>

namespace organon::config {

void take_learned_class(const LearnedClass& learned, const Taxonomy& taxonomy, ClassConfig& organelle) {
  organelle.atoms = learned.atoms;
  for (const std::string& atom : learned.atoms)
    organelle.ids.push_back(static_cast<std::int64_t>(taxonomy.id_of(atom)));
  organelle.generic = learned.generic;
  organelle.balance_as = learned.balance_as;
  organelle.joined = learned.joined;
  organelle.add_nm = learned.add_nm;
  organelle.color = learned.color;
}

void relate_learned_classes(std::vector<ClassConfig>& classes, const Taxonomy& taxonomy) {
  const auto name_here = [&](const std::string& wanted) -> std::string {
    for (const ClassConfig& organelle : classes) {
      const LearnedClass* learned = organelle.atoms.empty() ? nullptr : taxonomy.find_class(organelle.name);
      if (learned != nullptr && learned->name == wanted) return organelle.name;
    }
    return "";
  };
  for (ClassConfig& organelle : classes) {
    organelle.balance_as = name_here(organelle.balance_as);
    std::vector<std::string> joined;
    for (const std::string& other : organelle.joined) joined.push_back(name_here(other));
    const bool all_are_there = std::find(joined.begin(), joined.end(), "") == joined.end();
    organelle.joined = all_are_there ? joined : std::vector<std::string>{};
  }
}

}  // namespace organon::config
