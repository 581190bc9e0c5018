#include "organon/app/crop_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "organon/app/crop_volumes.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/blockwise/reading.h"
#include "organon/stages/ground_truth/class_source.h"
#include "organon/stages/ground_truth/look_at_labels.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

using stages::LabelCounts;

struct Volume {
  std::shared_ptr<storage::Dataset> dataset;
  Box box;
  LabelCounts counts;
  std::int64_t unlabelled_id = -1;

  std::int64_t count_of(std::uint64_t id) const {
    const auto found = counts.voxels.find(id);
    return found == counts.voxels.end() ? 0 : found->second;
  }
  std::int64_t annotated() const {
    return box.volume() - (unlabelled_id < 0 ? 0 : count_of(static_cast<std::uint64_t>(unlabelled_id)));
  }
};

storage::Rgb8 color_from(const std::string& text) {
  const auto part = [&](std::size_t at) {
    return static_cast<std::uint8_t>(std::stoul(text.substr(at, 2), nullptr, 16));
  };
  return {part(1), part(3), part(5)};
}

// Colours of ids: of the classes that hold it that with the fewest, of this cell before the taxonomy's
// others.
std::map<std::uint64_t, storage::Rgb8> colors_of(const config::CellConfig& cell) {
  struct Choice {
    std::size_t size = 0;
    std::string color;
  };
  std::map<std::uint64_t, Choice> choices;
  const auto offer = [&](std::uint64_t id, std::size_t size, const std::string& color) {
    Choice& choice = choices[id];
    if (choice.size == 0 || size < choice.size) choice = {size, color};
  };
  for (const config::ClassConfig& organelle : cell.classes)
    for (const std::int64_t id : organelle.ids)
      offer(static_cast<std::uint64_t>(id), organelle.ids.size(), organelle.color);
  const std::map<std::uint64_t, Choice> own = choices;
  for (const config::LearnedClass& learned : cell.taxonomy.classes) {
    for (const std::string& atom : learned.atoms) {
      const std::uint64_t id = cell.taxonomy.id_of(atom);
      if (!own.contains(id)) offer(id, learned.atoms.size(), learned.color);
    }
  }
  std::map<std::uint64_t, storage::Rgb8> colors;
  for (const auto& [id, choice] : choices) colors[id] = color_from(choice.color);
  return colors;
}

std::int64_t voxels_of(const stages::ClassSource& source, const std::vector<Volume>& volumes) {
  std::int64_t count = 0;
  for (const stages::VolumeIds& part : source) {
    const Volume& volume = volumes[part.volume];
    for (const auto& [id, voxels] : volume.counts.voxels) {
      const bool is_unlabelled =
          volume.unlabelled_id >= 0 && id == static_cast<std::uint64_t>(volume.unlabelled_id);
      const bool is_wanted =
          part.ids.empty() ? id != 0 : std::find(part.ids.begin(), part.ids.end(), id) != part.ids.end();
      count += is_wanted && !is_unlabelled ? voxels : 0;
    }
  }
  return count;
}

void find_foreign_ids(const config::CellConfig& cell, const Volume& volume, CropReport& report) {
  std::set<std::uint64_t> known = {0};
  for (const config::Atom& atom : cell.taxonomy.atoms) known.insert(atom.id);
  for (const config::ClassConfig& organelle : cell.classes)
    for (const std::int64_t id : organelle.ids) known.insert(static_cast<std::uint64_t>(id));
  if (volume.unlabelled_id >= 0) known.insert(static_cast<std::uint64_t>(volume.unlabelled_id));
  std::vector<std::string> foreign;
  for (const auto& [id, voxels] : volume.counts.voxels)
    if (!known.contains(id)) foreign.push_back(fmt::format("{} ({} voxels)", id, voxels));
  if (foreign.empty()) return;
  constexpr std::size_t kMostNamed = 8;
  const std::size_t count = foreign.size();
  if (count > kMostNamed) foreign.resize(kMostNamed);
  report.problems.push_back(
      fmt::format("crop {}: {}: {} ids belong to no class{}: {}{}", report.name, volume.dataset->address(),
                  count, cell.taxonomy.atoms.empty() ? " of this cell" : " or atom of " + cell.taxonomy.name,
                  fmt::join(foreign, ", "), count > kMostNamed ? ", ..." : ""));
}

void compare_with_raw(const std::string& raw, const Volume& volume, CropReport& report) {
  const storage::Multiscale pyramid = storage::open_multiscale(raw);
  const storage::DatasetSpec& finest = pyramid.levels.front()->spec();
  const VoxelGrid& grid = volume.dataset->spec().grid;
  const PointNm first = grid.to_nm(volume.box.begin);
  const PointNm last = grid.to_nm(volume.box.end - Index3{1, 1, 1});
  const Box seen{finest.grid.voxel_containing(first), finest.grid.voxel_containing(last) + Index3{1, 1, 1}};
  if (!finest.domain().contains(seen)) {
    report.problems.push_back(
        fmt::format("crop {}: its labels lie from {} to {} nm, raw {} from {} to {} nm", report.name,
                    to_string(first), to_string(last), raw, to_string(finest.grid.to_nm({})),
                    to_string(finest.grid.to_nm(finest.domain().end - Index3{1, 1, 1}))));
  }
}

// Voxels of a class's volume that are annotated, by its mask, too: of its box the share that is not 0.
std::int64_t annotated_of(const Volume& volume, const Volume* mask) {
  if (mask == nullptr || mask->box.volume() == 0) return volume.annotated();
  const auto known = static_cast<double>(mask->box.volume() - mask->count_of(0));
  const double share = known / static_cast<double>(mask->box.volume());
  const double voxels = std::round(share * static_cast<double>(volume.box.volume()));
  return std::min(volume.annotated(), static_cast<std::int64_t>(voxels));
}

CropClass class_of(const config::CropConfig& crop, const config::ClassConfig& organelle,
                   const config::CellConfig& cell, const stages::ClassSource& source, const Volume* mask,
                   bool is_group, const std::vector<Volume>& volumes) {
  CropClass found;
  found.name = organelle.name;
  found.is_learned = !source.empty();
  if (found.is_learned) {
    found.voxels = voxels_of(source, volumes);
    found.annotated = annotated_of(volumes[source.front().volume], mask);
  }
  if (is_group) {
    found.state = !found.is_learned ? "no array" : found.voxels > 0 ? "present" : "absent";
    return found;
  }
  const config::ClassInCrop known = config::class_in_crop(crop, organelle, cell.taxonomy);
  found.state = known.because.empty() ? std::string(to_string(known.annotation)) : known.because;
  if (crop.masks.contains(organelle.name)) found.state += ", by its mask";
  return found;
}

// Of every class of the taxonomy, whether or not this cell learns it.
std::vector<CropSetup> setups_of(const config::CropConfig& crop, const std::string& labels,
                                 const config::CellConfig& cell, bool is_group) {
  std::vector<CropSetup> setups;
  for (const config::NetworkSetup& setup : cell.taxonomy.setups) {
    CropSetup found{setup.name, setup.classes.size(), {}};
    for (const std::string& name : setup.classes) {
      const config::LearnedClass& learned = cell.taxonomy.learned_class(name);
      config::ClassConfig organelle;
      organelle.name = name;
      organelle.atoms = learned.atoms;
      organelle.generic = learned.generic;
      const bool is_learned = is_group ? has_arrays(labels, organelle, cell.taxonomy)
                                       : class_in_crop(crop, organelle, cell.taxonomy).is_annotated() ||
                                             crop.masks.contains(name);
      if (is_learned) found.learned.push_back(name);
    }
    if (!found.learned.empty()) setups.push_back(std::move(found));
  }
  return setups;
}

std::string grid_text(const storage::DatasetSpec& spec) {
  const auto nm = [](double value) { return fmt::format("{:.4g}", value); };
  const SizeNm& size = spec.grid.voxel_size_nm;
  return fmt::format("{} x {} x {} voxels of {} x {} x {} nm", spec.shape.z, spec.shape.y, spec.shape.x,
                     nm(size.z), nm(size.y), nm(size.x));
}

}  // namespace

CropReport report_crop(const config::CellConfig& cell, const CellStages& stages, std::size_t number,
                       const std::filesystem::path& pictures) {
  const config::CropConfig& crop = cell.crops.at(number);
  CropReport report;
  report.name = crop.name;
  report.role = crop.role;
  report.raw = stages.crop_raw(number);
  report.labels = stages.crop_labels(number);
  const CropVolumes described = volumes_of_crop(crop, report.labels, cell);
  const bool is_group = is_group_of_classes(report.labels, cell);
  std::vector<Volume> volumes;
  for (std::size_t i = 0; i < described.addresses.size(); ++i) {
    Volume volume;
    volume.dataset = storage::open_multiscale(described.addresses[i]).levels.front();
    const storage::DatasetSpec& spec = volume.dataset->spec();
    volume.box = blockwise::domain_in(crop.box_nm, spec.grid, spec.shape, {1, 1, 1});
    volume.unlabelled_id = described.unlabelled_ids[i];
    volume.counts = stages::count_labels(*volume.dataset, volume.box);
    volumes.push_back(std::move(volume));
  }
  if (volumes.empty()) {
    report.problems.push_back(fmt::format("crop {}: {} holds none of the classes", crop.name, report.labels));
    return report;
  }
  report.grid = grid_text(volumes.front().dataset->spec());
  if (!is_group) find_foreign_ids(cell, volumes.front(), report);
  compare_with_raw(report.raw, volumes.front(), report);

  std::size_t at = 0;
  for (const config::ClassConfig& organelle : cell.classes) {
    if (!organelle.is_predicted()) continue;
    const auto source = stages::parse_class_source(described.ids[at], volumes.size());
    const std::int64_t mask = described.masks[at++];
    CropClass found =
        class_of(crop, organelle, cell, source, mask < 0 ? nullptr : &volumes[static_cast<std::size_t>(mask)],
                 is_group, volumes);
    const bool says_anything = !crop.present.empty() || !crop.absent.empty();
    if (!is_group && says_anything && found.is_learned && found.state == "present" && found.voxels == 0)
      report.problems.push_back(
          fmt::format("crop {}: {} is said to be present, and no voxel is", crop.name, organelle.name));
    if (!is_group && found.state == "absent" && found.voxels > 0)
      report.problems.push_back(fmt::format("crop {}: {} is said to be absent, and {} voxels are there",
                                            crop.name, organelle.name, found.voxels));
    report.classes.push_back(std::move(found));
  }
  const bool learns = std::any_of(report.classes.begin(), report.classes.end(),
                                  [](const CropClass& one) { return one.is_learned; });
  if (!learns)
    report.problems.push_back(
        fmt::format("crop {}: none of the classes is annotated: it teaches nothing", crop.name));
  report.setups = setups_of(crop, report.labels, cell, is_group);
  if (!pictures.empty()) {
    const Volume& shown = volumes.front();
    report.picture = (pictures / (crop.name + ".png")).string();
    stages::write_label_picture(*shown.dataset, shown.box, shown.counts.fullest_z, report.raw,
                                colors_of(cell), report.picture);
  }
  return report;
}

std::string to_text(const CropReport& report) {
  std::string text = fmt::format("{} ({}): {}, {}\n  raw {}\n", report.name, report.role, report.labels,
                                 report.grid, report.raw);
  if (!report.classes.empty())
    text += fmt::format("  {:<16} {:>14} {:>9}  {}\n", "class", "voxels", "share", "annotated");
  for (const CropClass& one : report.classes) {
    const double share =
        one.annotated == 0 ? 0 : static_cast<double>(one.voxels) / static_cast<double>(one.annotated);
    text += one.is_learned
                ? fmt::format("  {:<16} {:>14} {:>8.3f}%  {}\n", one.name, one.voxels, 100 * share, one.state)
                : fmt::format("  {:<16} {:>14} {:>9}  no: {}\n", one.name, "-", "-", one.state);
  }
  for (const CropSetup& setup : report.setups) {
    text += fmt::format("  set-up {:<12} learns {} of {}: {}\n", setup.name, setup.learned.size(),
                        setup.num_classes, fmt::join(setup.learned, " "));
  }
  for (const std::string& problem : report.problems) text += "  ! " + problem + "\n";
  if (!report.picture.empty()) text += fmt::format("  picture {}\n", report.picture);
  return text;
}

std::string to_json(const std::vector<CropReport>& reports) {
  Json crops = Json::array();
  for (const CropReport& report : reports) {
    Json classes = Json::array();
    for (const CropClass& one : report.classes) {
      classes.push_back({{"class", one.name},
                         {"state", one.state},
                         {"is_learned", one.is_learned},
                         {"voxels", one.voxels},
                         {"annotated_voxels", one.annotated}});
    }
    Json setups = Json::array();
    for (const CropSetup& setup : report.setups)
      setups.push_back(
          {{"setup", setup.name}, {"num_classes", setup.num_classes}, {"learned", setup.learned}});
    crops.push_back({{"crop", report.name},
                     {"role", report.role},
                     {"raw", report.raw},
                     {"labels", report.labels},
                     {"grid", report.grid},
                     {"classes", classes},
                     {"setups", setups},
                     {"problems", report.problems},
                     {"picture", report.picture}});
  }
  return organon::to_text(Json{{"crops", crops}});
}

}  // namespace organon::app
