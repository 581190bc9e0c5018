#include "organon/stages/ingest/export_volume.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/storage/volumes/atomic_file.h"
#include "organon/storage/volumes/volume_writer.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// Compressed bytes of slices and chunks, libraries.
constexpr std::int64_t kSpareBytes = 64 << 20;

enum class Kind { kSlices, kBigTiff, kNrrd };

Kind kind_of(const std::filesystem::path& output) {
  std::string extension = output.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (extension == ".tif" || extension == ".tiff") return Kind::kBigTiff;
  return extension == ".nrrd" ? Kind::kNrrd : Kind::kSlices;
}

// What all steps share, worked out once from the description.
struct Set {
  ExportOptions options;
  std::shared_ptr<storage::Dataset> dataset;
  std::filesystem::path output;
  Kind kind = Kind::kSlices;
  Box domain;
  std::int64_t slab_depth = 1;  ///< slices read at once: a chunk row

  explicit Set(const StageDescription& description) {
    options = options_from_json<ExportOptions>(description.options_json);
    if (options.prefix.empty() || options.prefix.find('/') != std::string::npos || options.prefix[0] == '.') {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("option prefix: expected the begin of a file's name, found '{}'", options.prefix));
    }
    dataset = storage::open_dataset(description.inputs.at(0));
    output = storage::parse_address(description.outputs.at(0)).local_path();
    kind = kind_of(output);
    const storage::DatasetSpec& spec = dataset->spec();
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, {1, 1, 1});
    const std::int64_t asked = description.block_shape.z;
    slab_depth = std::min(asked > 0 ? asked : spec.chunk_shape.z, spec.shape.z);
    if (kind == Kind::kSlices) refuse_foreign_folder(description.outputs.at(0));
  }

  bool is_compressed() const { return options.compression == "deflate"; }
  std::int64_t slice_bytes() const {
    return domain.shape().y * domain.shape().x *
           static_cast<std::int64_t>(size_of(dataset->spec().data_type));
  }
  std::int64_t worker_bytes() const {
    // Chunks reach beyond a part along y and x, one of them is decoded at a time.
    return slab_depth * slice_bytes() + 3 * slice_bytes() + 2 * storage::chunk_bytes(dataset->spec()) +
           kSpareBytes;
  }
  Box slab(std::int64_t begin, std::int64_t end) const {
    return {{begin, domain.begin.y, domain.begin.x}, {end, domain.end.y, domain.end.x}};
  }
  VoxelGrid grid_from(std::int64_t z) const {
    const VoxelGrid& grid = dataset->spec().grid;
    return {grid.voxel_size_nm, grid.to_nm({z, domain.begin.y, domain.begin.x})};
  }
  std::string name_of_slice(std::int64_t z) const {
    const std::size_t num_digits =
        std::max<std::size_t>(4, std::to_string(dataset->spec().shape.z - 1).size());
    return fmt::format("{}{:0{}}.tif", options.prefix, z, num_digits);
  }
  // A slice that an export of this prefix wrote.
  bool is_slice_name(const std::string& name) const {
    if (!name.starts_with(options.prefix) || !name.ends_with(".tif")) return false;
    const std::string number = name.substr(options.prefix.size(), name.size() - options.prefix.size() - 4);
    return !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
  }

 private:
  void refuse_foreign_folder(const std::string& address) const {
    const RunFolder run(blockwise::run_folder_of(address));
    if (std::filesystem::exists(run.path() / "session") || !std::filesystem::exists(output)) return;
    for (const auto& entry : std::filesystem::directory_iterator(output)) {
      // The run's own folder lies beside the output, or in it.
      if (entry.path().filename() == ".organon") continue;
      throw Error(ErrorKind::kAlreadyExists,
                  fmt::format("output {} holds other files, such as {}; choose a new folder", address,
                              entry.path().filename().string()));
    }
  }
};

class WriteSlices : public Step {
 public:
  explicit WriteSlices(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    const Shape3& shape = set_.dataset->spec().shape;
    StepPlan plan = StepPlan::over(set_.domain, {set_.slab_depth, shape.y, shape.x});
    plan.reads(set_.dataset->address());
    plan.bytes_per_worker = set_.worker_bytes();
    plan.bytes_read = plan.bytes_written = set_.domain.shape().z * set_.slice_bytes();
    plan.voxels_per_second = set_.is_compressed() ? 40e6 : 150e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const std::int64_t begin = block.write_box.begin.z, end = block.write_box.end.z;
    const AnyArray slab = set_.dataset->read(set_.slab(begin, end));
    const auto slice_bytes = static_cast<std::size_t>(set_.slice_bytes());
    for (std::int64_t z = begin; z < end; ++z) {
      AnyArray slice(slab.type(), {1, slab.shape().y, slab.shape().x});
      const auto pixels =
          slab.bytes().subspan(static_cast<std::size_t>(z - begin) * slice_bytes, slice_bytes);
      std::copy(pixels.begin(), pixels.end(), slice.bytes().begin());
      const auto bytes = storage::encode_tiff_slice(slice, set_.grid_from(z), set_.is_compressed());
      output.write_file(set_.output / set_.name_of_slice(z), bytes);
      // Under the slice's number, whatever the blocks; of voxels, as deflate differs from processor to
      // processor.
      output.emit(z, blockwise::bytes_of(std::vector<Hash128>{hash_bytes(pixels)}));
    }
  }

 private:
  const Set& set_;
};

// Solve: what an export of another part left in the folder goes.
class RemoveOldSlices : public Step {
 public:
  RemoveOldSlices(const Set& set, std::filesystem::path slices) : set_(set), slices_(std::move(slices)) {}
  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = kSpareBytes;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    std::set<std::string> kept;
    for (std::int64_t z = set_.domain.begin.z; z < set_.domain.end.z; ++z) kept.insert(set_.name_of_slice(z));
    for (const auto& entry : std::filesystem::directory_iterator(set_.output)) {
      const std::string name = entry.path().filename().string();
      if (set_.is_slice_name(name) && !kept.contains(name)) std::filesystem::remove(entry.path());
    }
    const blockwise::PartialReader reader(slices_);
    std::vector<Hash128> hashes;
    for (std::int64_t z = set_.domain.begin.z; z < set_.domain.end.z; ++z)
      hashes.push_back(blockwise::values_of<Hash128>(reader.read(z).value()).at(0));
    output.emit(0, blockwise::bytes_of(hashes));
  }

 private:
  const Set& set_;
  std::filesystem::path slices_;
};

// Solve: one file in one pass.
class WriteFile : public Step {
 public:
  explicit WriteFile(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = set_.worker_bytes();
    plan.bytes_read = plan.bytes_written = set_.domain.shape().z * set_.slice_bytes();
    const double voxels = static_cast<double>(set_.domain.volume());
    plan.voxels_per_second = (set_.is_compressed() ? 40e6 : 150e6) / std::max(1.0, voxels);
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const storage::VolumeToWrite volume = {set_.domain.shape(), set_.dataset->spec().data_type,
                                           set_.grid_from(set_.domain.begin.z), set_.is_compressed()};
    storage::AtomicFile file(set_.output);
    const storage::ByteSink sink = [&](std::span<const std::byte> bytes) { file.write(bytes); };
    const auto writer = set_.kind == Kind::kNrrd ? storage::make_nrrd_writer(volume, sink)
                                                 : storage::make_bigtiff_writer(volume, sink);
    const std::int64_t begin = set_.domain.begin.z, end = set_.domain.end.z;
    const auto slice_bytes = static_cast<std::size_t>(set_.slice_bytes());
    std::vector<Hash128> hashes;
    // Slabs end where chunk rows do.
    for (std::int64_t z = begin; z < end;) {
      throw_if_cancelled();
      const std::int64_t next = std::min((z / set_.slab_depth + 1) * set_.slab_depth, end);
      const AnyArray slab = set_.dataset->read(set_.slab(z, next));
      for (std::size_t at = 0; at < slab.bytes().size(); at += slice_bytes)
        hashes.push_back(hash_bytes(slab.bytes().subspan(at, slice_bytes)));
      writer->add_slices(slab);
      z = next;
      output.report(static_cast<double>(z - begin) / static_cast<double>(end - begin),
                    fmt::format("{} of {} slices", z - begin, end - begin));
    }
    writer->finish();
    file.commit();
    output.add_file(set_.output);
    output.emit(block.id, blockwise::bytes_of(hashes));
  }

 private:
  const Set& set_;
};

class ExportStage : public blockwise::Stage {
 public:
  explicit ExportStage(const StageDescription& description) : set_(description) {}
  std::vector<std::string> steps() const override {
    if (set_.kind == Kind::kSlices) return {"write slices", "remove old slices"};
    return {"write file"};
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (set_.kind != Kind::kSlices) return std::make_unique<WriteFile>(set_);
    if (index == 0) return std::make_unique<WriteSlices>(set_);
    return std::make_unique<RemoveOldSlices>(set_, run.step(0));
  }
  std::vector<StepPlan> plans() const override {
    if (set_.kind != Kind::kSlices) return {WriteFile(set_).plan()};
    return {WriteSlices(set_).plan(), RemoveOldSlices(set_, "").plan()};
  }

 private:
  Set set_;
};

}  // namespace

void ExportOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("compression", compression,
           {"of voxels, without loss; of NRRD deflate is gzip", "", -kAny, kAny, {"deflate", "none"}})
      .add("prefix", prefix, {"begin of the names of slices in a folder", "", -kAny, kAny, {}});
}

std::unique_ptr<blockwise::Stage> make_export_stage(const StageDescription& description) {
  return std::make_unique<ExportStage>(description);
}

}  // namespace organon::stages
