#include "organon/stages/ingest/mask_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/stages/ingest/mask_picture.h"
#include "organon/stages/ingest/mask_polygons.h"
#include "organon/stages/ingest/mask_report.h"
#include "organon/stages/ingest/two_modes.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/cell_texture.h"
#include "organon/voxel/distance_transform.h"
#include "organon/voxel/label_components.h"
#include "organon/voxel/median_filter.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// In y and x: fewer voxels say nothing of texture.
constexpr std::int64_t kLeastCell = 4;
// Voxels of raw read at once, along each axis.
constexpr std::int64_t kPieceEdge = 256;
constexpr std::int64_t kBytesPerCell = 24;
// Peaks of resin and sample are at least a factor 2 of standard deviation apart: 16 codes.
constexpr TwoModesOptions kTwoKinds{2, 16, 0.5};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "mask: " + message);
}

Box scaled(const Box& box, const Shape3& factor) {
  return {{box.begin.z * factor.z, box.begin.y * factor.y, box.begin.x * factor.x},
          {box.end.z * factor.z, box.end.y * factor.y, box.end.x * factor.x}};
}

struct Set {
  MaskOptions options;
  std::shared_ptr<storage::Dataset> raw;
  std::vector<MaskPolygon> polygons;
  std::string output;
  Shape3 factor;
  storage::DatasetSpec spec;  ///< of the mask
  Shape3 block_shape;
  Box domain;

  explicit Set(const StageDescription& description) {
    options = options_from_json<MaskOptions>(description.options_json);
    output = description.outputs.at(0);
    choose_level(description.inputs.at(0));
    if (description.inputs.size() > 1) {
      const std::filesystem::path file = description.inputs[1];
      polygons = parse_mask_polygons(read_text(file), file.string());
    }
    const storage::DatasetSpec& of_raw = raw->spec();
    const auto cells = [&](std::int64_t extent, double size_nm, std::int64_t least) {
      const double wanted = std::clamp(std::round(options.voxel_size_nm / size_nm), 1.0,
                                       static_cast<double>(voxel::kLargestCell));
      return std::min(std::max(static_cast<std::int64_t>(wanted), least), std::max<std::int64_t>(extent, 1));
    };
    const SizeNm& size = of_raw.grid.voxel_size_nm;
    factor = {cells(of_raw.shape.z, size.z, 1), cells(of_raw.shape.y, size.y, kLeastCell),
              cells(of_raw.shape.x, size.x, kLeastCell)};
    if ((factor.y - 1) * factor.x < 8) {
      refuse(fmt::format("{}: slices of {} voxels are too small to tell texture", raw->address(),
                         to_string(of_raw.shape)));
    }
    spec.shape = {ceil_divide(of_raw.shape.z, factor.z), ceil_divide(of_raw.shape.y, factor.y),
                  ceil_divide(of_raw.shape.x, factor.x)};
    if (spec.shape.product() >= std::int64_t{1} << 32) {
      refuse(fmt::format(
          "{} voxels of the mask; at most 2^32 are decided at once: choose a larger voxel_size_nm",
          spec.shape.product()));
    }
    spec.grid = of_raw.grid.downsampled(factor);
    spec.data_type = DataType::kUint8;
    spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
    block_shape =
        blockwise::block_shape_or(description.block_shape, spec.chunk_shape, spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  void choose_level(const std::string& address) {
    const storage::Multiscale pyramid = storage::open_multiscale(address);
    // Slices are judged: the voxel size of y and x decides. The finer of two that are equally near.
    const auto misfit = [&](const storage::Dataset& level) {
      const SizeNm& size = level.spec().grid.voxel_size_nm;
      const double wanted = options.texture_voxel_size_nm * options.texture_voxel_size_nm;
      return std::max(size.y * size.x / wanted, wanted / (size.y * size.x));
    };
    raw = *std::min_element(pyramid.levels.begin(), pyramid.levels.end(),
                            [&](const auto& a, const auto& b) { return misfit(*a) < misfit(*b); });
    const DataType type = raw->spec().data_type;
    if (is_floating(type) || size_of(type) > 2) {
      throw Error(ErrorKind::kUnsupported, fmt::format("mask: {} has {} voxels; expected 8 or 16 bits",
                                                       raw->address(), to_string(type)));
    }
  }

  storage::DatasetSpec scratch_spec(DataType type) const {
    storage::DatasetSpec result = spec;
    result.data_type = type;
    return result;
  }
  Shape3 window_radius() const {
    const auto axis = [&](double size_nm) {
      return std::max<std::int64_t>(1, std::llround(options.window_nm / size_nm / 2));
    };
    const SizeNm& size = spec.grid.voxel_size_nm;
    return {axis(size.z), axis(size.y), axis(size.x)};
  }
};

class MeasureTexture : public Step {
 public:
  MeasureTexture(const Set& set, std::string codes, std::string means)
      : set_(set), codes_(std::move(codes)), means_(std::move(means)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    plan.inputs.push_back({set_.raw->address(), [factor = set_.factor](const Box& write_box) {
                             return scaled(write_box, factor);
                           }});
    plan.outputs = {{codes_, set_.scratch_spec(DataType::kUint16)},
                    {means_, set_.scratch_spec(DataType::kFloat32)}};
    const auto value_bytes = static_cast<std::int64_t>(size_of(set_.raw->spec().data_type));
    const std::int64_t raw_voxels = plan.domain.volume() * set_.factor.product();
    plan.bytes_per_worker =
        2 * value_bytes *
            (piece_shape().product() * set_.factor.product() + set_.raw->spec().chunk_shape.product()) +
        14 * set_.block_shape.product() + (std::int64_t{16} << 20);
    plan.bytes_read = raw_voxels * value_bytes;
    plan.bytes_written = 6 * plan.domain.volume();
    plan.voxels_per_second = 100e6 / static_cast<double>(set_.factor.product());
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box box = block.write_box;
    Array<std::uint16_t> codes(box.shape());
    Array<float> means(box.shape());
    const BlockGrid pieces(box, piece_shape());
    for (std::int64_t i = 0; i < pieces.count(); ++i) {
      throw_if_cancelled();
      const Box piece = pieces.box_of(i);
      const AnyArray raw = set_.raw->read(scaled(piece, set_.factor).intersect(set_.raw->spec().domain()));
      const Box part = piece.translate(box.begin * -1);
      dispatch(raw.type(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (std::is_integral_v<T> && sizeof(T) <= 2) {
          voxel::texture_of_cells<T>(raw.view<T>(), set_.factor, codes.view().part(part),
                                     means.view().part(part));
        }
      });
      output.report(static_cast<double>(i + 1) / static_cast<double>(pieces.count()), "");
    }
    output.write<std::uint16_t>(0, box, codes.view());
    output.write<float>(1, box, means.view());
  }

 private:
  Shape3 piece_shape() const {
    const auto axis = [](std::int64_t factor) { return std::max<std::int64_t>(1, kPieceEdge / factor); };
    return min(Shape3{axis(set_.factor.z), axis(set_.factor.y), axis(set_.factor.x)}, set_.block_shape);
  }

  const Set& set_;
  std::string codes_;
  std::string means_;
};

std::int64_t count_of(const Array<std::uint8_t>& mask) {
  return std::accumulate(mask.data(), mask.data() + mask.size(), std::int64_t{0});
}

// Keeps the largest pieces; of equal ones the first in raster order. Returns how many.
std::int64_t keep_pieces(const MaskOptions& options, double voxel_volume_nm3, Array<std::uint8_t>& mask) {
  Array<std::uint32_t> labels = Array<std::uint32_t>::uninitialized(mask.shape());
  const voxel::Components found = voxel::label_components(mask, Connectivity::kFaceEdgeVertex, labels);
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < found.components.size(); ++i) {
    if (static_cast<double>(found.components[i].voxels) * voxel_volume_nm3 >= options.min_volume_nm3)
      order.push_back(static_cast<std::uint32_t>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return found.components[a].voxels > found.components[b].voxels;
  });
  if (options.keep > 0 && order.size() > static_cast<std::size_t>(options.keep))
    order.resize(static_cast<std::size_t>(options.keep));
  std::vector<std::uint8_t> is_kept(found.components.size() + 1, 0);
  for (const std::uint32_t component : order) is_kept[component + 1] = 1;
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = is_kept[labels.data()[i]];
  return static_cast<std::int64_t>(order.size());
}

// Fills background that meets neither a face of the volume nor a constant voxel.
void fill_holes(const Array<std::uint16_t>& codes, Array<std::uint8_t>& mask) {
  const Shape3 shape = mask.shape();
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] ^= 1;
  Array<std::uint32_t> labels = Array<std::uint32_t>::uninitialized(shape);
  const voxel::Components found = voxel::label_components(mask, Connectivity::kFace, labels);
  std::vector<std::uint8_t> is_open(found.components.size() + 1, 0);
  for (std::size_t i = 0; i < found.components.size(); ++i)
    is_open[i + 1] = !Box::of_shape(shape).grow(-1).contains(found.components[i].box);
  for (std::int64_t i = 0; i < mask.size(); ++i)
    if (codes.data()[i] == voxel::kConstantCell) is_open[labels.data()[i]] = 1;
  is_open[0] = 0;
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = is_open[labels.data()[i]] == 0;
}

// Adds what lies up to margin_nm away, but nothing constant.
void add_margin(const Array<std::uint16_t>& codes, const SizeNm& voxel_size_nm, double margin_nm,
                Array<std::uint8_t>& mask) {
  Array<float> distance_nm2 = Array<float>::uninitialized(mask.shape());
  voxel::squared_distance_transform(mask, voxel_size_nm, {voxel::DistanceTo::kForeground, margin_nm},
                                    distance_nm2);
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    if (std::isfinite(distance_nm2.data()[i]) && codes.data()[i] != voxel::kConstantCell) mask.data()[i] = 1;
  }
}

// Voxels beside constant ones may be filled up in part, which would be taken for texture.
void discount_beside_constant(Array<std::uint16_t>& codes) {
  const Shape3 shape = codes.shape();
  const Array<std::uint16_t> before = codes.clone();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        if (before(z, y, x) != voxel::kConstantCell) continue;
        const Box around = Box{{z - 1, y - 1, x - 1}, {z + 2, y + 2, x + 2}}.intersect(Box::of_shape(shape));
        for (std::int64_t near_z = around.begin.z; near_z < around.end.z; ++near_z)
          for (std::int64_t near_y = around.begin.y; near_y < around.end.y; ++near_y)
            for (std::int64_t near_x = around.begin.x; near_x < around.end.x; ++near_x) {
              std::uint16_t& code = codes(near_z, near_y, near_x);
              if (code != voxel::kConstantCell) code = voxel::kUncountedCell;
            }
      }
    }
  }
}

class FindSample : public Step {
 public:
  FindSample(const Set& set, std::string codes, std::string means)
      : set_(set), codes_(std::move(codes)), means_(std::move(means)) {}

  StepPlan plan() const override {
    const Shape3& chunk = set_.spec.chunk_shape;
    const Index3& end = set_.domain.end;
    StepPlan plan = StepPlan::over(
        set_.domain, {round_up_to_multiple(end.z, chunk.z), round_up_to_multiple(end.y, chunk.y),
                      round_up_to_multiple(end.x, chunk.x)});
    plan.outputs = {{set_.output, set_.spec, {{"role", "mask"}}}};
    plan.bytes_per_worker = kBytesPerCell * set_.domain.volume() + (std::int64_t{32} << 20);
    plan.bytes_read = 6 * set_.domain.volume();
    plan.bytes_written = set_.domain.volume();
    plan.voxels_per_second = 2e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const MaskOptions& options = set_.options;
    MaskReport report;
    report.raw = set_.raw->path().filename().string();
    report.raw_size_nm = set_.raw->spec().grid.voxel_size_nm;
    report.grid = set_.spec.grid;
    report.domain = block.write_box;
    report.voxels = block.write_box.volume();
    report.num_polygons = static_cast<std::int64_t>(set_.polygons.size());
    Array<std::uint16_t> codes = storage::open_dataset(codes_)->read_as<std::uint16_t>(block.write_box);
    report.filled_up = std::count(codes.data(), codes.data() + codes.size(), voxel::kConstantCell);
    discount_beside_constant(codes);
    output.report(0.1, "median");
    Array<std::uint8_t> mask = find_textured(codes, report);
    report.textured = count_of(mask);
    throw_if_cancelled();
    output.report(0.5, "pieces");
    report.num_pieces = keep_pieces(options, set_.spec.grid.voxel_volume_nm3(), mask);
    if (options.fill_holes) fill_holes(codes, mask);
    report.kept = count_of(mask);
    throw_if_cancelled();
    output.report(0.7, "margin");
    if (options.margin_nm > 0) add_margin(codes, set_.spec.grid.voxel_size_nm, options.margin_nm, mask);
    report.with_margin = count_of(mask);
    apply_mask_polygons(set_.polygons, set_.spec.grid, block.write_box.begin, mask);
    report.masked = count_of(mask);
    output.report(0.9, "picture");
    codes = {};

    const Array<float> means = storage::open_dataset(means_)->read_as<float>(block.write_box);
    const std::string json = mask_report_json(report);
    output.write_text(mask_file(set_.output, ".svg"),
                      mask_picture(report, means.view(), std::as_const(mask).view()));
    output.write_text(mask_file(set_.output, ".txt"), mask_report_text(report));
    output.write_text(mask_file(set_.output, ".json"), json);
    output.write<std::uint8_t>(0, block.write_box, mask.view());
  }

 private:
  // Texture at or above the threshold, which is chosen and reported.
  Array<std::uint8_t> find_textured(const Array<std::uint16_t>& codes, MaskReport& report) const {
    Array<std::uint16_t> medians = Array<std::uint16_t>::uninitialized(codes.shape());
    voxel::median_filter(codes, {set_.window_radius(), voxel::kFirstTexture, voxel::kNumTextures}, medians);
    report.textures.assign(voxel::kNumTextures, 0);
    for (std::int64_t i = 0; i < codes.size(); ++i)
      if (codes.data()[i] >= voxel::kFirstTexture) ++report.textures[medians.data()[i]];
    if (set_.options.threshold > 0) {
      report.decided_by = "option";
      report.threshold = voxel::texture_code(set_.options.threshold * set_.options.threshold);
    } else if ((report.modes = find_two_modes(report.textures, kTwoKinds))) {
      report.decided_by = "valley";
      report.threshold = static_cast<std::uint16_t>(report.modes->valley);
    } else {
      report.decided_by = "nothing";
      report.threshold = 0;
    }
    Array<std::uint8_t> mask(codes.shape());
    for (std::int64_t i = 0; i < codes.size(); ++i)
      mask.data()[i] = codes.data()[i] != voxel::kConstantCell && medians.data()[i] >= report.threshold;
    return mask;
  }

  const Set& set_;
  std::string codes_;
  std::string means_;
};

class MaskStage : public blockwise::Stage {
 public:
  explicit MaskStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override { return {"measure texture", "find sample"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    const std::string codes = run.scratch("texture");
    const std::string means = run.scratch("means");
    if (index == 0) return std::make_unique<MeasureTexture>(set_, codes, means);
    return std::make_unique<FindSample>(set_, codes, means);
  }
  std::vector<StepPlan> plans() const override {
    StepPlan measure = MeasureTexture(set_, "", "").plan();
    measure.outputs.clear();  // scratch has no place yet
    return {measure, FindSample(set_, "", "").plan()};
  }

 private:
  Set set_;
};

}  // namespace

void MaskOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("voxel_size_nm", voxel_size_nm, {"edge of the mask's voxels, about", "nm", 1, 1e5, {}})
      .add("texture_voxel_size_nm", texture_voxel_size_nm,
           {"raw is looked at in its level nearest to this; of a dataset without levels, as it is",
            "nm",
            0.1,
            1e5,
            {}})
      .add("window_nm", window_nm, {"the median texture of so wide a cube decides", "nm", 0, 1e5, {}})
      .add("threshold", threshold,
           {"sample is what has at least this texture (standard deviation without noise, to 5 %); 0: in the "
            "valley of the histogram",
            "grey values",
            0,
            65535,
            {}})
      .add("min_volume_nm3", min_volume_nm3, {"drop smaller pieces", "nm3", 0, kAny, {}})
      .add("keep", keep, {"only so many of the largest pieces; 0: all", "", 0, 1e9, {}})
      .add("fill_holes", fill_holes, {"enclosed resin counts as sample", "", -kAny, kAny, {}})
      .add("margin_nm", margin_nm, {"also what lies so near to the sample", "nm", 0, 1e6, {}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_mask_stage(const StageDescription& description) {
  return std::make_unique<MaskStage>(description);
}

std::filesystem::path mask_file(const std::string& address, const std::string& extension) {
  std::string path = storage::parse_address(address).path.string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path + extension;
}

}  // namespace organon::stages
