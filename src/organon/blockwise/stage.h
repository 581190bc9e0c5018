#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/dataset.h"

namespace organon::blockwise {

class RunFolder;

/// One unit of work: a cell of the step's block grid. A solve is a step of a single block.
///
///     domain       ===============================
///     block 0   hhhBBBBBBBBBBBBhhh                    h: halo, read only; outside the domain the
///     block 1              hhhBBBBBBBBBBBBhhh            step's border rule fills it
///     block 2                          hhhBBBBhhh     B: write box, clipped to the domain, never skipped
struct Block {
  std::int64_t id = 0;  ///< raster order of positions: stable over restarts
  Index3 position;      ///< in the block grid
  Box write_box;        ///< voxels of the step's domain grid
};

/// A dataset that a step reads block by block.
struct InputDataset {
  std::string address;
  /// The voxels of it that the block with this write box reads. May reach beyond the dataset: a border rule
  /// fills that part, or the reader leaves it out.
  std::function<Box(const Box& write_box)> box_read_by;
};

/// A dataset that a step writes.
struct OutputDataset {
  std::string address;
  storage::DatasetSpec spec;
  Json attributes = Json::object();
  /// Voxels of the step's domain that one voxel of the output stands for: coarser levels of a pyramid.
  Shape3 cell{1, 1, 1};

  /// The voxels of the output that a block with this write box makes.
  Box box_made_by(const Box& write_box) const {
    return Box{{write_box.begin.z / cell.z, write_box.begin.y / cell.y, write_box.begin.x / cell.x},
               {ceil_divide(write_box.end.z, cell.z), ceil_divide(write_box.end.y, cell.y),
                ceil_divide(write_box.end.x, cell.x)}};
  }
  /// The voxels of the domain that `box` of the output stands for.
  Box box_reduced_to(const Box& box) const {
    return Box{{box.begin.z * cell.z, box.begin.y * cell.y, box.begin.x * cell.x},
               {box.end.z * cell.z, box.end.y * cell.y, box.end.x * cell.x}};
  }
};

/// What a step reads of what an earlier step left under keys (BlockOutput::emit).
struct PartialInput {
  std::filesystem::path step_folder;
  /// The keys that this block reads.
  std::function<std::vector<std::int64_t>(const Block& block)> keys_read_by;
};

/// Whether what a block made still holds in a later run, where all that it depends on is as it was: its write
/// box, the options, `depends_on`, what it reads of `inputs` and `partials`, and which of its reads meet the
/// end of a dataset (growth.h): boxes that are read must not be clipped by it. Who says more than kNone
/// states all of that in the plan, and leaves partials under the block's id and further keys of it only.
enum class Reuse : std::uint8_t {
  kNone,      ///< it depends on more: every block runs again
  kSameRows,  ///< where the volume is as wide along y and x as before: partials hold ids of blocks or raster
              ///< indices
  kAnywhere,  ///< wherever the volume grew
};

/// What a step reads and writes, and what it needs: stated before anything runs.
struct StepPlan {
  Box domain;                        ///< voxels that the blocks partition
  Shape3 block_shape{1, 1, 1};       ///< a union of whole chunks of every output
  std::vector<InputDataset> inputs;  ///< an input that is not named here is read by every block
  std::vector<OutputDataset> outputs;
  Reuse reuse = Reuse::kNone;          ///< scratch of a step that says more stays when the run is done
  std::vector<PartialInput> partials;  ///< for `reuse`
  Json depends_on =
      Json::object();  ///< for `reuse`: what else makes the voxels, such as attributes of inputs
  std::int64_t bytes_per_worker = 0;  ///< upper bound of memory
  std::int64_t bytes_read = 0;        ///< of decoded voxels, upper bound, all blocks
  std::int64_t bytes_written = 0;     ///< of decoded voxels, upper bound, all blocks
  double voxels_per_second = 50e6;    ///< typical rate of one worker, for the first estimate of time
  int max_workers = 1 << 20;          ///< 1 where the step uses all cores itself (networks)

  /// Of a map over `domain`.
  static StepPlan over(const Box& domain, const Shape3& block_shape) {
    StepPlan plan;
    plan.domain = domain;
    plan.block_shape = block_shape;
    return plan;
  }
  /// Of an object map: one block per task that an earlier solve has listed. A task is a few objects below a
  /// stated size, or a part of a larger one on a fixed grid.
  static StepPlan over_tasks(std::int64_t count) { return over(Box::of_shape({count, 1, 1}), {1, 1, 1}); }
  /// Of a solve: one block.
  static StepPlan solve() { return over(Box::of_shape({1, 1, 1}), {1, 1, 1}); }

  /// States that blocks read `address`, which has the grid of the domain, with `halo` around them.
  void reads(const std::string& address, const Shape3& halo = {0, 0, 0}) {
    inputs.push_back({address, [halo](const Box& write_box) { return write_box.grow(halo, halo); }});
  }

  BlockGrid blocks() const { return BlockGrid(domain, block_shape); }
};

/// Key of a further partial of a block, besides that under its id: `kind` 0 or 1.
inline std::int64_t further_key(std::int64_t block, int kind) { return -2 - 2 * block - kind; }
inline std::int64_t block_of_further_key(std::int64_t key) { return (-2 - key) / 2; }

/// Where process() leaves its results. What it leaves becomes visible only when the block is complete.
class BlockOutput {
 public:
  virtual ~BlockOutput() = default;

  /// Writes `voxels` at `box` of output number `output`: inside the block's write box, whole chunks.
  virtual void write(std::size_t output, const Box& box, const AnyArray& voxels) = 0;
  /// Leaves bytes for later steps under `key` (the block's id, a further key of it, or what the readers
  /// agreed on). A key is left once.
  virtual void emit(std::int64_t key, std::span<const std::byte> bytes) = 0;
  /// A file that the block wrote with hash `hash` of its bytes: the ledger vouches for it from here on.
  virtual void add_file(const std::filesystem::path& path, const Hash128& hash) = 0;
  /// Tells how far a long block is, 0 to 1.
  virtual void report(double fraction, const std::string& note) = 0;

  /// Writes a file whole or not at all, durable when the block is complete.
  void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
  void write_text(const std::filesystem::path& path, std::string_view text) {
    write_file(path, std::as_bytes(std::span(text.data(), text.size())));
  }
  /// A file that something else wrote for the block, such as a library.
  void add_file(const std::filesystem::path& path);

  template <class T>
  void write(std::size_t output, const Box& box, ArrayView<const T> voxels) {
    AnyArray copy(data_type_of<T>(), voxels.shape());
    copy_voxels<T>(voxels, copy.view<T>());
    write(output, box, copy);
  }

 protected:
  /// Called before a file is written, and just before it appears; throw where the block is another's by now.
  virtual void before_write() {}
  virtual void before_rename() {}
};

/// Block map, block reduce or solve: reads declared inputs inside block + halo, writes only its block. Must
/// be a pure function of its inputs, options and block: no clock, no global; run twice it leaves the same
/// voxels.
class Step {
 public:
  virtual ~Step() = default;
  virtual StepPlan plan() const = 0;
  /// Called by one thread per process, for blocks in any order.
  virtual void process(const Block& block, BlockOutput& output) const = 0;
};

/// What makes a stage's result: everything but the place of its outputs and the block shape enters its
/// identity.
struct StageDescription {
  std::string verb;
  std::string options_json = "{}";   ///< effective options
  std::vector<std::string> inputs;   ///< addresses, in the verb's order
  std::vector<std::string> outputs;  ///< addresses, in the verb's order
  Shape3 block_shape{};              ///< zeros: the stage's default
  std::string box_nm;                ///< "z0,y0,x0,z1,y1,x1": only blocks that meet it; empty: all
};

/// "segment mito": verb and name of the output, for people.
std::string title_of(const StageDescription& description);

/// A step of the data's path: a chain of steps run one after the other, each by all workers.
class Stage {
 public:
  virtual ~Stage() = default;
  /// Names of the steps, in order: "label blocks", "join faces", ... Of an iterate the first round only.
  virtual std::vector<std::string> steps() const = 0;
  /// As steps(), with all rounds that are known to be needed (iterate.h). Asked after each step; up to the
  /// step that is asked for the list only grows.
  virtual std::vector<std::string> steps_of(const RunFolder& run) const {
    (void)run;
    return steps();
  }
  /// Step `index`; results of earlier steps are read from `run`. Called in every worker.
  virtual std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const = 0;
  /// Raised when the same options give other voxels than before.
  virtual int algorithm_version() const { return 1; }
  /// Plans before anything ran, for --dry-run and for refusing what does not fit; by default of those steps
  /// that need no earlier results.
  virtual std::vector<StepPlan> plans() const = 0;
  /// Puts empty outputs where the stage will put its own: enough to plan the stages that read them. By
  /// default the datasets of plans(); scratch has no place yet.
  virtual void stand_in_for_outputs() const;
  /// False where all that it makes are datasets, which may lie in any store.
  virtual bool makes_files() const { return true; }
  /// True where a worker must not be a copy of the supervisor's process: its libraries hold threads or
  /// devices that a copy would lack (libtorch). Such workers start slower.
  virtual bool needs_fresh_workers() const { return false; }
  /// Kinds of device that can compute its blocks, best first: "cuda", "cpu". None: an exact stage, whose
  /// voxels are the same wherever they are computed. Of a **tolerance** stage they may differ from kind to
  /// kind, so that each run of it keeps to one: RunFolder::read_device() says which, in make_step() too.
  virtual std::vector<std::string> device_types() const { return {}; }
  /// Whether this process has one of a kind. Asked of tolerance stages, in workers only.
  virtual bool has_device(const std::string& type) const {
    (void)type;
    return true;
  }
};

}  // namespace organon::blockwise
