#include "organon/stages/publish/mesh_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <regex>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/mesh/extract_surface.h"
#include "organon/mesh/legacy_format.h"
#include "organon/mesh/simplify.h"
#include "organon/stages/publish/folder_files.h"
#include "organon/storage/precomputed/precomputed_info.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;
using mesh::SurfaceFragment;

/// Work is handed out in tasks of about so many triangles, or so many objects.
constexpr std::int64_t kTrianglesPerTask = 500'000;
constexpr std::size_t kObjectsPerTask = 4096;
/// Bytes that meshing holds per triangle: surfaces before and after, smoothing, simplification.
constexpr std::int64_t kBytesPerTriangle = 300;
constexpr std::int64_t kNumTasksKey = -1;
constexpr std::int64_t kWholeObject = -1;
/// Keys of a block's pieces: -1 - (block * kPiecesPerBlock + position), clear of the blocks' own keys.
constexpr std::int64_t kPiecesPerBlock = std::int64_t{1} << 24;
/// A simplified surface that lost more than this share of its volume is given up.
constexpr double kLeastVolumeShare = 0.7;

/// A part of an object's surface that one block left.
struct Piece {
  std::uint64_t id = 0;
  std::int64_t cell = 0;  ///< of the grid of fragments
  std::int64_t num_triangles = 0;
  std::int64_t key = 0;  ///< of its partial
};

/// What is to be made: a whole object from its pieces (one line each), or a large object's part in a cell.
struct TaskLine {
  std::uint64_t id = 0;
  std::int64_t cell = kWholeObject;
  std::int64_t key = 0;
};

/// A fragment that was written.
struct Written {
  std::uint64_t id = 0;
  std::int64_t cell = kWholeObject;
  std::int64_t num_triangles = 0;
  Hash128 hash;
};

struct Set {
  MeshOptions options;
  std::shared_ptr<storage::Dataset> labels;
  std::filesystem::path folder;
  Shape3 block_shape;
  Box domain;
  VoxelGrid grid;
  BlockGrid cells{Box{}, Shape3{1, 1, 1}};
  double max_error_nm = 0;

  explicit Set(const StageDescription& description) {
    options = options_from_json<MeshOptions>(description.options_json);
    labels = storage::open_dataset(description.inputs.at(0));
    folder = description.outputs.at(0);
    const storage::DatasetSpec& spec = labels->spec();
    if (is_floating(spec.data_type)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected labels, found {}", labels->address(), to_string(spec.data_type)));
    }
    block_shape =
        blockwise::block_shape_or(description.block_shape, Shape3::cube(128), spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
    grid = grid_in_viewer(spec.grid);
    cells = BlockGrid(domain, blockwise::shape_from(options.fragment_shape, "fragment_shape"));
    max_error_nm = options.max_error_nm >= 0 ? options.max_error_nm : spec.grid.voxel_size_nm.smallest() / 2;
  }

  mesh::SmoothMeshOptions smoothing() const {
    mesh::SmoothMeshOptions smoothing;
    smoothing.num_iterations = static_cast<int>(options.smooth_iterations);
    smoothing.max_move_nm = grid.voxel_size_nm * 0.5;
    return smoothing;
  }
  /// Voxels around a cell that its smoothed surface depends on: an edge is at most a voxel long per axis.
  std::int64_t margin() const {
    return mesh::smoothing_reach(static_cast<int>(options.smooth_iterations)) + 2;
  }
  std::string name_of(std::uint64_t id, std::int64_t cell) const {
    return fmt::format("{}:0:{}", id, cell == kWholeObject ? 0 : cell);
  }
};

std::vector<std::byte> encode(const SurfaceFragment& fragment) {
  const std::uint64_t num_vertices = fragment.vertices.size();
  const auto vertices = std::as_bytes(std::span(fragment.vertices));
  const auto triangles = std::as_bytes(std::span(fragment.triangles));
  std::vector<std::byte> bytes(sizeof(num_vertices) + vertices.size() + triangles.size());
  std::memcpy(bytes.data(), &num_vertices, sizeof(num_vertices));
  std::copy(vertices.begin(), vertices.end(), bytes.begin() + sizeof(num_vertices));
  std::copy(triangles.begin(), triangles.end(), bytes.end() - static_cast<std::ptrdiff_t>(triangles.size()));
  return bytes;
}

/// The bytes are our own and were checked by their hash.
SurfaceFragment decode(std::uint64_t id, const std::vector<std::byte>& bytes) {
  SurfaceFragment fragment;
  fragment.id = id;
  std::uint64_t num_vertices = 0;
  std::memcpy(&num_vertices, bytes.data(), sizeof(num_vertices));
  fragment.vertices.resize(num_vertices);
  const std::size_t vertex_bytes = num_vertices * sizeof(mesh::DoubledIndex);
  std::memcpy(fragment.vertices.data(), bytes.data() + sizeof(num_vertices), vertex_bytes);
  const std::size_t begin = sizeof(num_vertices) + vertex_bytes;
  fragment.triangles.resize((bytes.size() - begin) / sizeof(mesh::Triangle));
  std::memcpy(fragment.triangles.data(), bytes.data() + begin, bytes.size() - begin);
  return fragment;
}

/// Map: every id's surface inside the block, cut at the grid of fragments.
class ExtractSurfaces : public Step {
 public:
  explicit ExtractSurfaces(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    plan.reads(set_.labels->address(), Shape3::cube(1));
    const std::int64_t voxels = Box::of_shape(set_.block_shape).grow(1).volume();
    const auto voxel_bytes = static_cast<std::int64_t>(size_of(set_.labels->spec().data_type));
    // Half of all voxels at a surface would be 12 bytes each.
    plan.bytes_per_worker = (2 * voxel_bytes + 12) * voxels + (std::int64_t{64} << 20);
    plan.bytes_read = plan.blocks().count() * voxels * voxel_bytes;
    plan.voxels_per_second = 60e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box view_box = block.write_box.grow({}, Shape3::cube(1)).intersect(set_.domain);
    const AnyArray labels = set_.labels->read(view_box);
    std::vector<Piece> pieces;
    const Box positions = set_.cells.positions_touching(block.write_box);
    const BlockGrid touching(positions, Shape3{1, 1, 1});
    for (std::int64_t i = 0; i < touching.count(); ++i) {
      const Index3 position = touching.box_of(i).begin;
      const Box owned_box = set_.cells.box_of(position).intersect(block.write_box);
      std::vector<SurfaceFragment> fragments;
      with_ids(labels, [&](auto ids) {
        using Id = std::remove_const_t<std::remove_reference_t<decltype(*ids.data())>>;
        fragments = mesh::extract_surfaces<Id>(ids, view_box, owned_box, set_.domain);
      });
      for (const SurfaceFragment& fragment : fragments) {
        if (static_cast<std::int64_t>(pieces.size()) == kPiecesPerBlock) {
          throw Error(
              ErrorKind::kResourceExhausted,
              fmt::format("more than {} surfaces in a block; choose a smaller block shape", kPiecesPerBlock));
        }
        Piece piece;
        piece.id = fragment.id;
        piece.cell = set_.cells.id_of(position);
        piece.num_triangles = static_cast<std::int64_t>(fragment.triangles.size());
        piece.key = -1 - (block.id * kPiecesPerBlock + static_cast<std::int64_t>(pieces.size()));
        output.emit(piece.key, encode(fragment));
        pieces.push_back(piece);
      }
    }
    if (!pieces.empty()) output.emit(block.id, blockwise::bytes_of(pieces));
  }

 private:
  const Set& set_;
};

std::string info_text() { return Json({{"@type", "neuroglancer_legacy_mesh"}}).dump(); }

/// Solve: which objects are made together, and which in parts.
class GroupObjects : public Step {
 public:
  GroupObjects(const Set& set, std::filesystem::path surfaces) : set_(set), surfaces_(std::move(surfaces)) {}
  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = 3 * blockwise::PartialReader(surfaces_).num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const std::filesystem::path info = set_.folder / "info";
    if (std::filesystem::exists(info)) {
      const Json json = parse_json(read_text(info), info.string());
      if (!json.is_object() || json.value("@type", "") != "neuroglancer_legacy_mesh") {
        throw Error(ErrorKind::kAlreadyExists,
                    fmt::format("{} is of something else than meshes; choose another folder", info.string()));
      }
    }
    const blockwise::PartialReader reader(surfaces_);
    std::vector<Piece> pieces;
    for (const std::int64_t key : reader.keys()) {
      if (key < 0) continue;
      const auto of_block = blockwise::values_of<Piece>(reader.read(key).value());
      pieces.insert(pieces.end(), of_block.begin(), of_block.end());
    }
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
      if (a.id != b.id) return a.id < b.id;
      return a.cell != b.cell ? a.cell < b.cell : a.key > b.key;
    });
    std::int64_t num_tasks = 0;
    std::vector<TaskLine> lines;
    std::int64_t num_triangles = 0;
    std::size_t num_objects = 0;
    const auto finish_task = [&] {
      if (lines.empty()) return;
      output.emit(num_tasks++, blockwise::bytes_of(lines));
      lines.clear();
      num_triangles = 0;
      num_objects = 0;
    };
    for (std::size_t i = 0; i < pieces.size();) {
      throw_if_cancelled();
      std::size_t end = i;
      std::int64_t of_object = 0;
      for (; end < pieces.size() && pieces[end].id == pieces[i].id; ++end)
        of_object += pieces[end].num_triangles;
      if (of_object > set_.options.max_triangles) {
        finish_task();
        for (std::size_t k = i; k < end; ++k) {
          if (k > i && pieces[k].cell == pieces[k - 1].cell) continue;
          lines.push_back({pieces[k].id, pieces[k].cell, 0});
          finish_task();
        }
      } else {
        if (num_objects > 0 &&
            (num_triangles + of_object > kTrianglesPerTask || num_objects == kObjectsPerTask))
          finish_task();
        for (std::size_t k = i; k < end; ++k) lines.push_back({pieces[k].id, kWholeObject, pieces[k].key});
        num_triangles += of_object;
        ++num_objects;
      }
      i = end;
    }
    finish_task();
    output.emit(kNumTasksKey, blockwise::bytes_of(std::vector<std::int64_t>{num_tasks}));
  }

 private:
  const Set& set_;
  std::filesystem::path surfaces_;
};

/// Object map: whole objects, and parts of large ones.
class MakeMeshes : public Step {
 public:
  MakeMeshes(const Set& set, const std::filesystem::path& surfaces, const std::filesystem::path& groups)
      : set_(set), surfaces_(surfaces), groups_(groups) {
    num_tasks_ = blockwise::values_of<std::int64_t>(groups_.read(kNumTasksKey).value()).at(0);
  }

  static StepPlan plan_of(const Set& set, std::int64_t num_tasks) {
    StepPlan plan = StepPlan::over_tasks(num_tasks);
    const auto voxel_bytes = static_cast<std::int64_t>(size_of(set.labels->spec().data_type));
    const Box cell = Box::of_shape(min(set.cells.cell_shape(), set.domain.shape())).grow(set.margin());
    plan.bytes_per_worker = kBytesPerTriangle * set.options.max_triangles + 2 * voxel_bytes * cell.volume() +
                            (std::int64_t{64} << 20);
    plan.voxels_per_second = 0.5;  // tasks
    return plan;
  }
  StepPlan plan() const override { return plan_of(set_, num_tasks_); }

  void process(const Block& block, BlockOutput& output) const override {
    const auto lines = blockwise::values_of<TaskLine>(groups_.read(block.id).value());
    std::vector<Written> written;
    for (std::size_t i = 0; i < lines.size();) {
      throw_if_cancelled();
      output.report(static_cast<double>(i) / static_cast<double>(lines.size()), "");
      std::size_t end = i;
      while (end < lines.size() && lines[end].id == lines[i].id) ++end;
      if (lines[i].cell == kWholeObject) {
        std::vector<SurfaceFragment> pieces;
        for (std::size_t k = i; k < end; ++k)
          pieces.push_back(decode(lines[k].id, surfaces_.read(lines[k].key).value()));
        write_fragment(lines[i], whole_mesh(mesh::stitch_fragments(pieces)), written, output);
        output.write_text(set_.folder / fmt::format("{}:0", lines[i].id),
                          Json({{"fragments", {set_.name_of(lines[i].id, kWholeObject)}}}).dump());
      } else {
        write_fragment(lines[i], mesh_in_cell(lines[i].id, set_.cells.box_of(lines[i].cell)), written,
                       output);
      }
      i = end;
    }
    output.emit(block.id, blockwise::bytes_of(written));
  }

 private:
  mesh::Mesh whole_mesh(const SurfaceFragment& surface) const {
    const mesh::Mesh smooth = mesh::smooth_mesh(mesh::to_mesh(surface, set_.grid), set_.smoothing());
    mesh::Mesh simple = mesh::simplify_mesh(smooth, {.max_error_nm = set_.max_error_nm});
    // What is hardly larger than the error may collapse; nobody gains by simplifying it.
    const bool is_whole =
        mesh::measure_mesh(simple).volume_nm3 >= kLeastVolumeShare * mesh::measure_mesh(smooth).volume_nm3;
    return is_whole ? simple : smooth;
  }

  mesh::Mesh mesh_in_cell(std::uint64_t id, const Box& cell) const {
    const Box around = cell.grow(set_.margin()).intersect(set_.domain);
    const Box view_box = around.grow({}, Shape3::cube(1)).intersect(set_.domain);
    const AnyArray labels = set_.labels->read(view_box);
    SurfaceFragment own, with_margin;
    with_ids(labels, [&](auto ids) {
      using Id = std::remove_const_t<std::remove_reference_t<decltype(*ids.data())>>;
      own = mesh::extract_surface<Id>(ids, view_box, cell, set_.domain, id);
      with_margin = mesh::extract_surface<Id>(ids, view_box, around, set_.domain, id);
    });
    own = mesh::stitch_fragments(std::array{std::move(own)});
    with_margin = mesh::stitch_fragments(std::array{std::move(with_margin)});
    const mesh::Mesh smooth = mesh::smooth_mesh(mesh::to_mesh(with_margin, set_.grid), set_.smoothing());
    mesh::Mesh part;
    part.triangles = own.triangles;
    part.vertices_nm.reserve(own.vertices.size());
    for (const mesh::DoubledIndex& vertex : own.vertices)
      part.vertices_nm.push_back(smooth.vertices_nm[mesh::number_of(with_margin, vertex).value()]);
    return mesh::simplify_mesh(part, {.max_error_nm = set_.max_error_nm, .lock_border = true});
  }

  void write_fragment(const TaskLine& line, const mesh::Mesh& mesh, std::vector<Written>& written,
                      BlockOutput& output) const {
    const std::vector<std::byte> bytes = mesh::encode_legacy_mesh(mesh);
    output.write_file(set_.folder / set_.name_of(line.id, line.cell), bytes);
    written.push_back(
        {line.id, line.cell, static_cast<std::int64_t>(mesh.triangles.size()), hash_bytes(bytes)});
  }

  const Set& set_;
  blockwise::PartialReader surfaces_;
  blockwise::PartialReader groups_;
  std::int64_t num_tasks_ = 0;
};

/// Solve: manifests of objects in several fragments, the folder's info; files of earlier runs go.
class WriteManifests : public Step {
 public:
  WriteManifests(const Set& set, std::filesystem::path meshes) : set_(set), meshes_(std::move(meshes)) {}
  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    // Per fragment also its name in two lists.
    plan.bytes_per_worker = 10 * blockwise::PartialReader(meshes_).num_bytes();
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const blockwise::PartialReader reader(meshes_);
    std::vector<Written> all;
    for (const std::int64_t key : reader.keys()) {
      const auto of_task = blockwise::values_of<Written>(reader.read(key).value());
      all.insert(all.end(), of_task.begin(), of_task.end());
    }
    std::sort(all.begin(), all.end(), [](const Written& a, const Written& b) {
      return a.id != b.id ? a.id < b.id : a.cell < b.cell;
    });
    std::set<std::string> kept = {"info"};
    std::string lines;
    for (std::size_t i = 0; i < all.size();) {
      const std::uint64_t id = all[i].id;
      const bool in_parts = all[i].cell != kWholeObject;
      Json fragments = Json::array();
      for (; i < all.size() && all[i].id == id; ++i) {
        const std::string name = set_.name_of(id, all[i].cell);
        lines += fmt::format("{} {}\n", name, to_hex(all[i].hash));
        fragments.push_back(name);
        kept.insert(name);
      }
      const std::string manifest = fmt::format("{}:0", id);
      kept.insert(manifest);
      if (in_parts) output.write_text(set_.folder / manifest, Json({{"fragments", fragments}}).dump());
    }
    remove_other_files(set_.folder, kept, is_mesh_file);
    output.write_text(set_.folder / "info", info_text());
    const std::string hash = to_hex(hash_text(lines));
    output.emit(0, std::as_bytes(std::span(hash.data(), hash.size())));
  }

 private:
  const Set& set_;
  std::filesystem::path meshes_;
};

class MeshStage : public blockwise::Stage {
 public:
  explicit MeshStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override {
    return {"extract surfaces", "group objects", "make meshes", "write manifests"};
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<ExtractSurfaces>(set_);
    if (index == 1) return std::make_unique<GroupObjects>(set_, run.step(0));
    if (index == 2) return std::make_unique<MakeMeshes>(set_, run.step(0), run.step(1));
    return std::make_unique<WriteManifests>(set_, run.step(2));
  }
  std::vector<StepPlan> plans() const override {
    return {ExtractSurfaces(set_).plan(), StepPlan::solve(),
            // How many objects there are is known later; a task per 256^3 voxels is a guess.
            MakeMeshes::plan_of(set_, 1 + (set_.domain.volume() >> 24)), StepPlan::solve()};
  }
  // A folder without any mesh.
  void stand_in_for_outputs() const override { write_text_atomically(set_.folder / "info", info_text()); }

 private:
  Set set_;
};

}  // namespace

void MeshOptions::bind(OptionTable& table) {
  table
      .add("smooth_iterations", smooth_iterations,
           {"pairs of smoothing steps, which take away the steps of voxels; 0: none", "", 0, 100, {}})
      .add(
          "max_error_nm", max_error_nm,
          {"how far simplification may move the surface; -1: half the smallest voxel edge; 0: join only what "
           "is flat",
           "nm",
           -1,
           1e9,
           {}})
      .add("max_triangles", max_triangles,
           {"objects of more triangles before simplification become several fragments; bounds memory",
            "triangles",
            0,
            1e9,
            {}})
      .add("fragment_shape", fragment_shape,
           {"cells by which large objects are cut into fragments, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_mesh_stage(const StageDescription& description) {
  return std::make_unique<MeshStage>(description);
}

VoxelGrid grid_in_viewer(const VoxelGrid& grid) {
  const Index3 offset = storage::voxel_offset_of(grid);
  const auto axis = [](std::int64_t index, double size_nm) {
    return (static_cast<double>(index) + 0.5) * size_nm;
  };
  VoxelGrid placed = grid;
  placed.offset_nm = {axis(offset.z, grid.voxel_size_nm.z), axis(offset.y, grid.voxel_size_nm.y),
                      axis(offset.x, grid.voxel_size_nm.x)};
  return placed;
}

bool is_mesh_file(const std::string& name) {
  static const std::regex pattern("[0-9]+:0(:[0-9]+)?");
  return std::regex_match(name, pattern);
}

}  // namespace organon::stages
