#include "organon/app/crop_volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "organon/base/error.h"
#include "organon/stages/ground_truth/annotated_array.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

using stages::AnnotatedArray;

std::string plus_list(const std::vector<std::int64_t>& ids) { return fmt::format("{}", fmt::join(ids, "+")); }

// What a class may be called: by this cell, its taxonomy, other programs.
std::vector<std::string> names_of(const config::ClassConfig& organelle, const config::Taxonomy& taxonomy) {
  std::vector<std::string> names = {organelle.name};
  const config::LearnedClass* learned =
      organelle.atoms.empty() ? nullptr : taxonomy.find_class(organelle.name);
  if (learned == nullptr) return names;
  names.push_back(learned->name);
  names.insert(names.end(), learned->aliases.begin(), learned->aliases.end());
  return names;
}

std::vector<AnnotatedArray> arrays_of_class(const std::string& group, const config::ClassConfig& organelle,
                                            const config::Taxonomy& taxonomy) {
  for (const std::string& name : names_of(organelle, taxonomy)) {
    if (auto found = stages::find_annotated_array(group, name)) return {*std::move(found)};
  }
  std::vector<AnnotatedArray> arrays;
  for (const std::string& atom : organelle.atoms) {
    // What stands for all the others has an array only where they have none.
    if (atom == organelle.generic) continue;
    auto found = stages::find_annotated_array(group, atom);
    if (!found) return {};
    arrays.push_back(*std::move(found));
  }
  return arrays;
}

class VolumeList {
 public:
  explicit VolumeList(CropVolumes& volumes) : volumes_(volumes) {}

  std::size_t add(const std::string& address, std::int64_t unlabelled_id) {
    auto& known = volumes_.addresses;
    for (std::size_t i = 0; i < known.size(); ++i)
      if (known[i] == address && volumes_.unlabelled_ids[i] == unlabelled_id) return i;
    known.push_back(address);
    volumes_.unlabelled_ids.push_back(unlabelled_id);
    return known.size() - 1;
  }

 private:
  CropVolumes& volumes_;
};

void find_in_group(const std::string& group, const config::CellConfig& cell, CropVolumes& volumes) {
  VolumeList list(volumes);
  for (const config::ClassConfig& organelle : cell.classes) {
    if (!organelle.is_predicted()) continue;
    std::vector<std::string> parts;
    for (const AnnotatedArray& array : arrays_of_class(group, organelle, cell.taxonomy)) {
      const std::int64_t unknown = array.unknown ? static_cast<std::int64_t>(*array.unknown) : -1;
      const std::size_t volume =
          list.add(storage::open_multiscale(array.address).levels.front()->address(), unknown);
      parts.push_back(
          fmt::format("{}:{}", volume, array.has_instances ? "any" : std::to_string(array.present)));
    }
    volumes.ids.push_back(parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, "&")));
    volumes.masks.push_back(-1);
  }
}

void find_in_volume(const config::CropConfig& crop, const std::string& labels, const config::CellConfig& cell,
                    CropVolumes& volumes) {
  VolumeList list(volumes);
  // Whoever paints by a taxonomy leaves 0 where nothing was painted.
  const std::int64_t unlabelled = crop.unlabelled_id.value_or(cell.taxonomy.atoms.empty() ? -1 : 0);
  const auto common = static_cast<std::int64_t>(list.add(labels, unlabelled));
  for (const config::ClassConfig& organelle : cell.classes) {
    if (!organelle.is_predicted()) continue;
    volumes.masks.push_back(-1);
    const config::ClassInCrop known = config::class_in_crop(crop, organelle, cell.taxonomy);
    const bool has_mask = crop.masks.contains(organelle.name);
    if (!known.is_annotated() && !has_mask) {
      volumes.ids.emplace_back("-");
      continue;
    }
    // A volume of its own counts where it can hold something: what is absent is absent from the common one.
    const auto own = crop.own_labels.find(organelle.name);
    if (own == crop.own_labels.end() || known.annotation != config::Annotation::kPresent) {
      volumes.ids.push_back(plus_list(organelle.ids));
      continue;
    }
    const std::size_t volume = list.add(storage::open_multiscale(own->second).levels.front()->address(), -1);
    volumes.ids.push_back(fmt::format("{}:{}", volume, plus_list(organelle.ids)));
    if (unlabelled < 0 || has_mask) continue;
    if (unlabelled > 0) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("crop {}: unlabelled_id {}: {} has own_labels, so it must be 0, or -1 where there is "
                      "none; masks may say where {} is annotated",
                      crop.name, unlabelled, organelle.name, organelle.name));
    }
    // Its own volume cannot tell what nobody looked at from what is not there; the common one can.
    volumes.masks.back() = common;
  }
}

}  // namespace

bool has_arrays(const std::string& group, const config::ClassConfig& organelle,
                const config::Taxonomy& taxonomy) {
  return !arrays_of_class(group, organelle, taxonomy).empty();
}

bool is_group_of_classes(const std::string& labels, const config::CellConfig& cell) {
  return std::any_of(cell.classes.begin(), cell.classes.end(), [&](const config::ClassConfig& organelle) {
    return organelle.is_predicted() && has_arrays(labels, organelle, cell.taxonomy);
  });
}

CropVolumes volumes_of_crop(const config::CropConfig& crop, const std::string& labels,
                            const config::CellConfig& cell) {
  CropVolumes volumes;
  if (is_group_of_classes(labels, cell)) {
    find_in_group(labels, cell, volumes);
  } else {
    find_in_volume(crop, labels, cell, volumes);
  }
  VolumeList list(volumes);
  std::size_t at = 0;
  for (const config::ClassConfig& organelle : cell.classes) {
    if (!organelle.is_predicted()) continue;
    std::int64_t& number = volumes.masks[at++];
    const auto mask = crop.masks.find(organelle.name);
    if (mask == crop.masks.end()) continue;
    const std::string address = storage::open_multiscale(mask->second).levels.front()->address();
    number = static_cast<std::int64_t>(list.add(address, -1));
  }
  return volumes;
}

}  // namespace organon::app
