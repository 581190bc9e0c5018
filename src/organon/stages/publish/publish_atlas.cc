#include "organon/stages/publish/publish_atlas.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/mesh/legacy_format.h"
#include "organon/stages/publish/folder_files.h"
#include "organon/stages/publish/publish_plan.h"
#include "organon/stages/publish/pyramid_levels.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr std::int64_t kFilesPerBlock = 512;
/// Tells a folder that publish made, whole or half made.
constexpr const char* kMarker = "organon.json";

/// Solve: an earlier publication goes, so that no old layer, mesh or page stays among the new.
class ClearFolder : public Step {
 public:
  explicit ClearFolder(const PublishPlan& set) : set_(set) {}
  StepPlan plan() const override { return StepPlan::solve(); }

  void process(const Block&, BlockOutput&) const override {
    const std::filesystem::path& folder = set_.folder;
    if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder) &&
        !std::filesystem::exists(folder / kMarker)) {
      throw Error(ErrorKind::kAlreadyExists,
                  fmt::format("{} holds something that was not published by organon; choose another folder",
                              folder.string()));
    }
    // The marker stays until the last: a run cut short here must still know the folder.
    write_text_atomically(folder / kMarker, to_text({{"made_by", "organon publish"}}));
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().filename() != kMarker) std::filesystem::remove_all(entry.path());
  }

 private:
  const PublishPlan& set_;
};

/// Map over the files of a class's meshes.
class CopyMeshes : public Step {
 public:
  CopyMeshes(const PublishPlan& set, const PublishedMeshes& meshes) : set_(set), meshes_(meshes) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(Box::of_shape({static_cast<std::int64_t>(meshes_.files.size()), 1, 1}),
                                   {kFilesPerBlock, 1, 1});
    plan.bytes_per_worker = std::int64_t{512} << 20;
    plan.voxels_per_second = 2000;  // files
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const std::filesystem::path target = set_.folder / meshes_.target;
    const bool is_moved = meshes_.shift_nm != PointNm{};
    std::string hashes;
    for (std::int64_t i = block.write_box.begin.z; i < block.write_box.end.z; ++i) {
      throw_if_cancelled();
      const std::string& name = meshes_.files[static_cast<std::size_t>(i)];
      auto bytes = read_file_if_exists(meshes_.from / name);
      if (!bytes)
        throw Error(ErrorKind::kNotFound, fmt::format("{} is gone", (meshes_.from / name).string()));
      // A manifest has one colon.
      if (is_moved && std::count(name.begin(), name.end(), ':') == 2) bytes = moved(*bytes);
      output.write_file(target / name, *bytes);
      hashes += fmt::format("{} {}\n", name, to_hex(hash_bytes(*bytes)));
    }
    output.emit(block.id, std::as_bytes(std::span(hashes)));
  }

 private:
  std::vector<std::byte> moved(const std::vector<std::byte>& bytes) const {
    mesh::Mesh mesh = mesh::decode_legacy_mesh(bytes);
    for (mesh::VertexNm& vertex : mesh.vertices_nm)
      vertex = mesh::VertexNm(PointNm(vertex) + meshes_.shift_nm);
    return mesh::encode_legacy_mesh(mesh);
  }

  const PublishPlan& set_;
  const PublishedMeshes& meshes_;
};

/// Solve: tables, the page's files, and last of all the index.
class WritePage : public Step {
 public:
  WritePage(const PublishPlan& set, std::vector<std::filesystem::path> mesh_steps)
      : set_(set), mesh_steps_(std::move(mesh_steps)) {}
  StepPlan plan() const override { return StepPlan::solve(); }

  void process(const Block&, BlockOutput& output) const override {
    std::string made;
    for (const std::filesystem::path& step : mesh_steps_) {
      const blockwise::PartialReader reader(step);
      for (const std::int64_t key : reader.keys()) {
        const auto bytes = reader.read(key).value();
        made.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      }
    }
    for (const PublishedMeshes& meshes : set_.meshes)
      output.write_text(set_.folder / meshes.target / "info",
                        Json({{"@type", "neuroglancer_legacy_mesh"}}).dump());
    for (const PublishedTable& table : set_.tables) made += write_table(table, output);
    copy_page(output);
    const std::string index = set_.index_text();
    // The index stands for a whole page: not before the rest is durable.
    sync_file_system(set_.folder);
    output.write_text(set_.folder / "index.json", index);
    const std::string hash = to_hex(hash_text(made + index));
    output.emit(0, std::as_bytes(std::span(hash)));
  }

 private:
  std::string write_table(const PublishedTable& published, BlockOutput& output) const {
    const ObjectTable table = tables::read_csv(published.csv);
    for (const PublishedMeshes& meshes : set_.meshes) {
      if (meshes.class_name != published.class_name) continue;
      for (const ObjectId id : table.ids()) {
        if (std::binary_search(meshes.files.begin(), meshes.files.end(), fmt::format("{}:0", id))) continue;
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("{} has object {}, but {} has no mesh of it; make both from the same labels",
                                published.csv.string(), id, meshes.from.string()));
      }
    }
    const std::filesystem::path target = set_.folder / "tables" / published.class_name;
    const std::string csv = tables::to_csv(table);
    output.write_text(target.string() + ".csv", csv);
    output.write_text(target.string() + ".json", tables::to_json(table));
    return csv;
  }

  void copy_page(BlockOutput& output) const {
    if (set_.options.portal_folder.empty()) return;
    const std::filesystem::path portal = set_.options.portal_folder;
    if (!std::filesystem::exists(portal / "index.html")) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: no built page there (index.html); run 'npm ci && npm run build' in portal/",
                      portal.string()));
    }
    for (const std::string& name : list_files(portal)) {
      // Pages of other verbs, which an atlas cannot answer.
      if (name.ends_with(".html") && name != "index.html") continue;
      const auto bytes = read_file_if_exists(portal / name);
      if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{} is gone", (portal / name).string()));
      output.write_file(set_.folder / name, *bytes);
    }
  }

  const PublishPlan& set_;
  std::vector<std::filesystem::path> mesh_steps_;
};

class PublishStage : public blockwise::Stage {
 public:
  explicit PublishStage(const StageDescription& description) : set_(description) {
    for (const PublishedVolume& volume : set_.volumes) {
      const Box part = blockwise::domain_in(description.box_nm, volume.s0->spec().grid,
                                            volume.s0->spec().shape, volume.spec.chunk_shape);
      for (std::size_t i = 0; i < volume.factors.size(); ++i) {
        MakeLevel::Level level;
        level.source = volume.s0;
        level.factor = volume.factors[i];
        level.reduction = volume.role == VolumeRole::kSegmentation ? Reduction::kMode : Reduction::kMean;
        level.output.spec = level_spec(volume.spec, level.factor);
        level.output.address =
            fmt::format("precomputed://{}", (set_.folder / volume.source / fmt::format("s{}", i)).string());
        level.output.attributes = volume.attributes;
        level.block_shape = blockwise::block_shape_or(description.block_shape, Shape3::cube(128),
                                                      level.output.spec.shape, level.output.spec.chunk_shape);
        level.domain = level_domain(part, level.factor, level.output.spec);
        levels_.push_back(std::move(level));
        names_.push_back(fmt::format("{} s{}", volume.source.substr(volume.source.find('/') + 1), i));
      }
    }
  }

  std::vector<std::string> steps() const override {
    std::vector<std::string> names = {"clear folder"};
    names.insert(names.end(), names_.begin(), names_.end());
    for (const PublishedMeshes& meshes : set_.meshes) names.push_back("meshes of " + meshes.class_name);
    names.push_back("write page");
    return names;
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<ClearFolder>(set_);
    const std::size_t first_meshes = 1 + levels_.size();
    if (index < first_meshes) return std::make_unique<MakeLevel>(levels_[index - 1]);
    const std::size_t last = first_meshes + set_.meshes.size();
    if (index < last) return std::make_unique<CopyMeshes>(set_, set_.meshes[index - first_meshes]);
    std::vector<std::filesystem::path> mesh_steps;
    for (std::size_t i = first_meshes; i < last; ++i) mesh_steps.push_back(run.step(i));
    return std::make_unique<WritePage>(set_, mesh_steps);
  }
  std::vector<StepPlan> plans() const override {
    std::vector<StepPlan> plans = {StepPlan::solve()};
    for (const MakeLevel::Level& level : levels_) plans.push_back(MakeLevel(level).plan());
    for (const PublishedMeshes& meshes : set_.meshes) plans.push_back(CopyMeshes(set_, meshes).plan());
    plans.push_back(StepPlan::solve());
    return plans;
  }

 private:
  PublishPlan set_;
  std::vector<MakeLevel::Level> levels_;
  std::vector<std::string> names_;
};

}  // namespace

void PublishOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("name", name, {"title of the page", "", -kAny, kAny, {}})
      .add("layers", layers,
           {"what the inputs are, in their order: raw, prediction/<class>, segmentation/<class>, "
            "mesh/<class>, "
            "table/<class>, scores",
            "",
            -kAny,
            kAny,
            {}})
      .add("colors", colors,
           {"#rrggbb per class, in the order in which classes first occur in layers; else chosen by the page",
            "",
            -kAny,
            kAny,
            {}})
      .add("thresholds", thresholds,
           {"from which value on a prediction is drawn as its class: one, or one per prediction",
            "grey levels",
            0,
            255,
            {}})
      .add("contrast_limits", contrast_limits,
           {"grey values drawn black and white, low,high; else those of raw", "", -kAny, kAny, {}})
      .add("portal_folder", portal_folder,
           {"the built page (portal/dist); empty: the data alone", "", -kAny, kAny, {}});
}

std::unique_ptr<blockwise::Stage> make_publish_stage(const StageDescription& description) {
  return std::make_unique<PublishStage>(description);
}

}  // namespace organon::stages
