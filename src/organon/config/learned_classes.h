#pragma once

#include <vector>

#include "organon/config/class_config.h"
#include "organon/config/taxonomy.h"

namespace organon::config {

/// Gives `organelle` what the taxonomy says of `learned`: ids, balance, what is joined and added, colour. Its
/// name stays.
void take_learned_class(const LearnedClass& learned, const Taxonomy& taxonomy, ClassConfig& organelle);

/// Classes that `balance_as` and `joined` name as the taxonomy does get the names that they have in
/// `classes`; what is not learned there is left out.
void relate_learned_classes(std::vector<ClassConfig>& classes, const Taxonomy& taxonomy);

}  // namespace organon::config
