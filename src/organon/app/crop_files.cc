#include "organon/app/crop_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/app/stage_list.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/reading.h"
#include "organon/stages/ground_truth/look_at_labels.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/multiscale.h"

namespace organon::app {
namespace {

constexpr char kFacts[] = "crop.json";

blockwise::StageDescription stage(const std::string& verb, const std::string& input,
                                  const std::string& output,
                                  const std::vector<std::pair<std::string, std::string>>& options) {
  BoundOptions bound = stage_verb(verb).options();
  for (const auto& [name, text] : options) bound.table.set(name, text);
  blockwise::StageDescription description;
  description.verb = verb;
  description.options_json = bound.table.to_json();
  description.inputs = {input};
  description.outputs = {output};
  return description;
}

std::string zyx(double z, double y, double x) { return fmt::format("{},{},{}", z, y, x); }

// Ids for ITK-SNAP: index, red, green, blue, opacity, visible in slices, in 3-D, name.
std::string itksnap_labels(const config::Taxonomy& taxonomy) {
  std::string text = "0 0 0 0 0 0 0 \"not annotated\"\n";
  for (const config::Atom& atom : taxonomy.atoms) {
    std::string color = "#ffffff";
    std::size_t size = 0;
    for (const config::LearnedClass& learned : taxonomy.classes) {
      const auto& atoms = learned.atoms;
      if (std::find(atoms.begin(), atoms.end(), atom.name) == atoms.end()) continue;
      if (size != 0 && atoms.size() >= size) continue;
      size = atoms.size();
      color = learned.color;
    }
    const auto part = [&](std::size_t at) { return std::stoi(color.substr(at, 2), nullptr, 16); };
    text += fmt::format("{} {} {} {} 1 1 1 \"{}\"\n", atom.id, part(1), part(3), part(5), atom.name);
  }
  return text;
}

std::filesystem::path find_labels(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const char* name :
       {"labels.nrrd", "labels.tif", "labels.tiff", "labels.nii.gz", "labels.nii", "labels.mha"})
    if (std::filesystem::exists(folder / name)) found.push_back(folder / name);
  if (found.size() == 1) return found.front();
  if (found.empty())
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no labels.nrrd, .tif, .nii, .nii.gz or .mha", folder.string()));
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: it has {} and {}; keep the one that was painted", folder.string(),
                          found[0].filename().string(), found[1].filename().string()));
}

}  // namespace

int cut_crop(const CropCut& cut, const RunStage& run) {
  const auto raw = storage::open_multiscale(cut.raw).levels.front();
  const storage::DatasetSpec& spec = raw->spec();
  const Box box = blockwise::domain_in(cut.box_nm, spec.grid, spec.shape, {1, 1, 1});
  const PointNm first = spec.grid.to_nm(box.begin);
  const SizeNm& size = spec.grid.voxel_size_nm;
  const Json facts = {{"raw", storage::absolute_place(cut.raw)},
                      {"box_nm", cut.box_nm},
                      {"shape", {box.shape().z, box.shape().y, box.shape().x}},
                      {"voxel_size_nm", {size.z, size.y, size.x}},
                      {"offset_nm", {first.z, first.y, first.x}}};
  const std::filesystem::path facts_path = cut.folder / kFacts;
  if (std::filesystem::exists(facts_path) &&
      parse_json(read_text(facts_path), facts_path.string()) != facts) {
    throw Error(
        ErrorKind::kAlreadyExists,
        fmt::format("{} holds another crop; choose another folder, or remove it", cut.folder.string()));
  }
  std::filesystem::create_directories(cut.folder);
  write_text_atomically(facts_path, to_text(facts));
  write_text_atomically(cut.folder / "itksnap_labels.txt", itksnap_labels(cut.taxonomy));
  auto description = stage("export", raw->address(), (cut.folder / ("raw." + cut.format)).string(), {});
  description.box_nm = cut.box_nm;
  if (const int code = run(description); code != 0) return code;

  const std::filesystem::path labels = cut.folder / ("labels." + cut.format);
  if (std::filesystem::exists(labels)) return 0;
  const std::filesystem::path scratch = cut.folder / ".empty.n5";
  storage::DatasetSpec empty;
  empty.shape = box.shape();
  empty.chunk_shape = {64, 64, 64};
  empty.grid = {size, first};
  const bool needs_two_bytes = !cut.taxonomy.atoms.empty() && cut.taxonomy.atoms.back().id > 255;
  empty.data_type = needs_two_bytes ? DataType::kUint16 : DataType::kUint8;
  const auto dataset = storage::create_dataset("n5://" + (scratch / "labels").string(), empty);
  dataset->set_attributes({{"role", "labels"}});
  const int code = run(stage("export", dataset->address(), labels.string(), {}));
  std::filesystem::remove_all(scratch);
  return code;
}

TakenCrop take_crop(const std::filesystem::path& folder, const std::string& dataset,
                    const config::Taxonomy& taxonomy, const RunStage& run) {
  const std::filesystem::path facts_path = folder / kFacts;
  if (!std::filesystem::exists(facts_path))
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no {}; is it a folder of `organon crops cut`?", folder.string(), kFacts));
  const Json facts = parse_json(read_text(facts_path), facts_path.string());
  const auto numbers = [&](const char* name) {
    const Json* field = storage::optional_field(facts, name);
    const std::vector<double> values =
        field == nullptr ? std::vector<double>{} : storage::numbers_of(*field, facts_path.string());
    if (values.size() != 3)
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: {}: expected three numbers", facts_path.string(), name));
    return values;
  };
  const auto size = numbers("voxel_size_nm");
  const auto offset = numbers("offset_nm");
  const auto shape = numbers("shape");
  constexpr double kMostVoxels = 1e9;  // along an axis
  if (std::any_of(shape.begin(), shape.end(),
                  [](double edge) { return !(edge >= 1 && edge <= kMostVoxels); }))
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: shape: expected voxels above 0", facts_path.string()));
  const std::filesystem::path labels = find_labels(folder);
  TakenCrop taken;
  taken.code = run(stage("import", labels.string(), dataset,
                         {{"role", "labels"},
                          {"voxel_size_nm", zyx(size[0], size[1], size[2])},
                          {"offset_nm", zyx(offset[0], offset[1], offset[2])}}));
  if (taken.code != 0) return taken;
  const auto stored = storage::open_dataset(dataset);
  const Shape3 found = stored->spec().shape;
  const Shape3 wanted{static_cast<std::int64_t>(shape[0]), static_cast<std::int64_t>(shape[1]),
                      static_cast<std::int64_t>(shape[2])};
  if (found != wanted) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format(
            "{}: what was painted has {} voxels, the crop {} (z, y, x): it was resampled, cut or turned",
            labels.string(), to_string(found), to_string(wanted)));
  }
  const stages::LabelCounts counts = stages::count_labels(*stored, stored->spec().domain());
  std::vector<std::string> present;
  for (const auto& [id, voxels] : counts.voxels) {
    const config::Atom* atom = taxonomy.find_atom(id);
    const std::string name = id == 0 ? "not annotated" : atom != nullptr ? atom->name : "of no atom";
    taken.report += fmt::format("{:>6} {:<16} {:>12} voxels\n", id, name, voxels);
    if (atom != nullptr) present.push_back(fmt::format("\"{}\"", atom->name));
  }
  taken.toml = fmt::format(
      "[[crops]]\nname = \"{}\"\nraw = \"{}\"\nlabels = \"{}\"\npresent = [{}]\nabsent = []  # what "
      "was looked for and is not there\n",
      std::filesystem::absolute(folder).lexically_normal().filename().string(), facts.value("raw", ""),
      storage::absolute_place(dataset), fmt::join(present, ", "));
  return taken;
}

}  // namespace organon::app
