#include "organon/stages/ingest/import_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/stages/ingest/contrast.h"
#include "organon/stages/ingest/value_sample.h"
#include "organon/storage/volumes/volume_source.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr std::int64_t kContrastVoxels = 32 << 20;
// libpng, libtiff and the compressed bytes of a slice and a chunk.
constexpr std::int64_t kSpareBytes = 64 << 20;

std::vector<double> three_numbers(const std::vector<double>& values, const std::string& option) {
  if (values.size() == 1) return std::vector<double>(3, values[0]);
  if (values.size() == 3) return values;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("option {}: expected one number, or three (z,y,x), in nm, found {}", option,
                          values.empty() ? "none" : fmt::format("{}", fmt::join(values, ","))));
}

// What was given as options; the rest is nothing.
storage::KnownGrid given_grid(const ImportOptions& options) {
  storage::KnownGrid given;
  if (!options.voxel_size_nm.empty()) {
    const auto size = three_numbers(options.voxel_size_nm, "voxel_size_nm");
    for (const double value : size) {
      if (value > 0) continue;
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("option voxel_size_nm: expected numbers above 0, found {}", value));
    }
    given.voxel_size_nm = SizeNm(size[0], size[1], size[2]);
  }
  if (!options.offset_nm.empty()) {
    const auto offset = three_numbers(options.offset_nm, "offset_nm");
    given.offset_nm = PointNm(offset[0], offset[1], offset[2]);
  }
  return given;
}

// Options count more than what the file states.
VoxelGrid grid_of(const storage::KnownGrid& given, const storage::KnownGrid& stated,
                  const std::string& address) {
  if (!given.voxel_size_nm && !stated.voxel_size_nm) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{} {}; give option voxel_size_nm (one number, or three: z,y,x, in nm) or option "
                            "length_unit",
                            address, stated.missing));
  }
  return {given.voxel_size_nm ? *given.voxel_size_nm : *stated.voxel_size_nm,
          given.offset_nm ? *given.offset_nm : stated.offset_nm.value_or(PointNm{})};
}

storage::SliceGaps gaps_of(const ImportOptions& options) {
  return options.gaps == "accept" ? storage::SliceGaps::kAccept : storage::SliceGaps::kRefuse;
}

storage::Codec codec_of(const std::string& name) {
  for (const storage::Codec codec :
       {storage::Codec::kRaw, storage::Codec::kGzip, storage::Codec::kZstd, storage::Codec::kBlosc}) {
    if (to_string(codec) == name) return codec;
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("option codec: expected raw, gzip, zstd or blosc, found '{}'", name));
}

// What both steps share, worked out once from the description.
struct Set {
  ImportOptions options;
  std::string input;
  storage::VolumeInfo volume;
  storage::DatasetSpec spec;
  std::string output;
  Box domain;
  Shape3 block_shape;

  explicit Set(const StageDescription& description) {
    options = options_from_json<ImportOptions>(description.options_json);
    input = storage::parse_address(description.inputs.at(0)).local_path().string();
    output = description.outputs.at(0);
    // Options first: they are told before thousands of headers are read.
    const storage::KnownGrid given = given_grid(options);
    spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
    spec.codec = codec_of(options.codec);
    spec.level = static_cast<int>(options.level);
    check_contrast_limits();
    volume = storage::open_volume(input, gaps_of(options))->info();
    spec.grid = grid_of(given, storage::known_grid(volume.stated, unit()), input);
    spec.shape = volume.shape;
    spec.data_type = volume.type;
    if (options.role == "labels" && is_floating(volume.type)) {
      throw Error(ErrorKind::kUnsupported, fmt::format("{}: slices of {}, expected whole numbers as labels",
                                                       input, to_string(volume.type)));
    }
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
    block_shape =
        blockwise::block_shape_or(description.block_shape, {spec.chunk_shape.z, spec.shape.y, spec.shape.x},
                                  spec.shape, spec.chunk_shape);
  }

  std::string unit() const { return options.length_unit == "unknown" ? std::string() : options.length_unit; }

  void check_contrast_limits() const {
    const auto& limits = options.contrast_limits;
    if (limits.empty()) return;
    if (limits.size() != 2 || !(limits[0] < limits[1])) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("option contrast_limits: expected two grey values low,high, found {}",
                              fmt::join(limits, ",")));
    }
    if (options.role == "labels") {
      throw Error(ErrorKind::kInvalidArgument, "option contrast_limits: labels have no contrast");
    }
  }
};

class CopySlices : public Step {
 public:
  explicit CopySlices(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    Json attributes = {{"role", set_.options.role}};
    if (!set_.options.contrast_limits.empty()) attributes["contrast_limits"] = set_.options.contrast_limits;
    plan.outputs = {{set_.output, set_.spec, attributes}};
    const auto voxel_bytes = static_cast<std::int64_t>(size_of(set_.spec.data_type));
    const Shape3 shape = set_.spec.shape;
    const std::int64_t slice_bytes = shape.y * shape.x * voxel_bytes;
    const std::int64_t slab_bytes = std::min(set_.block_shape.z, shape.z) * slice_bytes;
    const bool is_cut =
        set_.block_shape.y < shape.y || set_.block_shape.x < shape.x || set_.domain != set_.spec.domain();
    plan.bytes_per_worker = (is_cut ? 2 : 1) * slab_bytes + set_.volume.working_bytes +
                            3 * set_.spec.chunk_shape.product() * voxel_bytes + kSpareBytes;
    const std::int64_t rows = plan.blocks().num_cells().y * plan.blocks().num_cells().x;
    plan.bytes_read = set_.domain.shape().z * slice_bytes * rows;
    // Each worker would have to inflate all that lies before its blocks.
    if (set_.volume.is_sequential) plan.max_workers = 1;
    plan.bytes_written = set_.domain.volume() * voxel_bytes;
    plan.voxels_per_second = 25e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box& box = block.write_box;
    dispatch(set_.volume.type, [&](auto zero) {
      using T = decltype(zero);
      if (box.shape() == Shape3(box.shape().z, set_.spec.shape.y, set_.spec.shape.x)) {
        output.write(0, box, read_slices<T>(box));
        return;
      }
      // Blocks of the same slices follow one another.
      if (kept_begin_ != box.begin.z || kept_.shape().z != box.shape().z) {
        kept_ = AnyArray();
        kept_ = read_slices<T>(box);
        kept_begin_ = box.begin.z;
      }
      output.write<T>(0, box, std::as_const(kept_).view<T>().part(box.translate({-box.begin.z, 0, 0})));
    });
  }

 private:
  template <class T>
  AnyArray read_slices(const Box& box) const {
    // Opened by the process that reads: an open file is nothing to share.
    if (!source_) source_ = storage::open_volume(set_.input, gaps_of(set_.options));
    AnyArray slab = source_->read_slices(box.begin.z, box.end.z);
    if (set_.options.invert) invert_contrast<T>(slab.view<T>());
    return slab;
  }

  const Set& set_;
  // One thread calls process().
  mutable std::unique_ptr<storage::VolumeSource> source_;
  mutable AnyArray kept_;
  mutable std::int64_t kept_begin_ = -1;
};

// A single block; what it leaves are attributes, which are the same whenever it runs.
class EstimateContrast : public Step {
 public:
  explicit EstimateContrast(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker =
        3 * set_.spec.chunk_shape.product() * static_cast<std::int64_t>(size_of(set_.spec.data_type)) +
        kSpareBytes;
    plan.voxels_per_second = 1;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const auto dataset = storage::open_dataset(set_.output);
    const ValueSample sample = sample_values(*dataset, kContrastVoxels);
    if (!sample.damage.empty()) throw Error(ErrorKind::kCorruptData, sample.damage[0]);
    // A volume of nothing but fill value has no contrast.
    if (!sample.histogram) return;
    const ContrastEstimate estimate = estimate_contrast(*sample.histogram);
    Json attributes;
    if (set_.options.contrast_limits.empty())
      attributes["contrast_limits"] = {estimate.limits.low, estimate.limits.high};
    attributes["contrast"] = {{"estimated_limits", {estimate.limits.low, estimate.limits.high}},
                              {"padding_low_fraction", estimate.padding_low_fraction},
                              {"padding_high_fraction", estimate.padding_high_fraction},
                              {"looks_inverted", estimate.looks_inverted}};
    dataset->set_attributes(attributes);
    // Networks see grey values through the limits, so they enter the result, given or estimated.
    const std::string text = dataset->attributes()["contrast_limits"].dump() + attributes["contrast"].dump();
    output.emit(block.id, std::as_bytes(std::span(text)));
  }

 private:
  const Set& set_;
};

class ImportStage : public blockwise::Stage {
 public:
  explicit ImportStage(const StageDescription& description) : set_(description) {}

  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    std::vector<std::string> names = {"copy slices"};
    if (set_.options.role == "raw") names.emplace_back("estimate contrast");
    return names;
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder&) const override {
    if (index == 0) return std::make_unique<CopySlices>(set_);
    return std::make_unique<EstimateContrast>(set_);
  }
  std::vector<StepPlan> plans() const override { return {CopySlices(set_).plan()}; }

 private:
  Set set_;
};

}  // namespace

void ImportOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("voxel_size_nm", voxel_size_nm,
           {"size of a voxel: z,y,x, or one number; empty: what the file states", "nm", 0, 1e9, {}})
      .add("offset_nm", offset_nm,
           {"centre of the first voxel: z,y,x; empty: what the file states, else 0", "nm", -1e15, 1e15, {}})
      .add("length_unit", length_unit,
           {"unit of lengths that the file states without one",
            "",
            -kAny,
            kAny,
            {"unknown", "nm", "um", "mm", "m", "angstrom"}})
      .add("chunk_shape", chunk_shape, {"chunks of the output: z,y,x, or one number", "voxels", 1, 4096, {}})
      .add("role", role,
           {"grey values with contrast limits, or object ids", "", -kAny, kAny, {"raw", "labels"}})
      .add("codec", codec, {"compression of chunks", "", -kAny, kAny, {"raw", "gzip", "zstd", "blosc"}})
      .add("level", level, {"compression level; -1: the codec's default", "", -1, 22, {}})
      .add("invert", invert, {"turn grey values over, for stacks with bright membranes", "", -kAny, kAny, {}})
      .add("contrast_limits", contrast_limits, {"low,high; empty: estimated", "grey values", -kAny, kAny, {}})
      .add("gaps", gaps, {"a number missing among the slices' names", "", -kAny, kAny, {"refuse", "accept"}});
}

std::unique_ptr<blockwise::Stage> make_import_stage(const StageDescription& description) {
  return std::make_unique<ImportStage>(description);
}

}  // namespace organon::stages
