#include "organon/stages/prediction/predict_volume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <numeric>
#include <optional>
#include <utility>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network_cost.h"
#include "organon/nn/predictor.h"
#include "organon/stages/prediction/tile_grid.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/normalize_intensity.h"
#include "organon/voxel/training_targets.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

constexpr double kOperationsPerSecond = 40e9;  // of one core of today, for the first estimate of time
constexpr std::int64_t kKeptTilesBytes = std::int64_t{64} << 20;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, "predict: " + message);
}

// How far the voxel sizes are apart: the largest ratio of an axis, above 0.
double misfit(const SizeNm& size, const SizeNm& wanted) {
  const SizeNm ratio{size.z / wanted.z, size.y / wanted.y, size.x / wanted.x};
  return std::max(ratio.largest(), 1 / ratio.smallest()) - 1;
}

struct Set {
  PredictOptions options;
  std::vector<std::filesystem::path> network_files;  ///< their predictions are averaged
  nn::PredictorInfo info;                            ///< of the first, with which the others agree
  nn::Precision precision = nn::Precision::kAuto;
  std::shared_ptr<storage::Dataset> raw;
  std::shared_ptr<storage::Dataset> mask;  ///< null: none
  std::vector<double> limits;              ///< grey values of raw that the network sees as -1 and 1
  std::string group;
  storage::DatasetSpec spec;  ///< of each output
  Shape3 block_shape;
  Box domain;
  TileGrid tiles;

  explicit Set(const StageDescription& description) {
    options = options_from_json<PredictOptions>(description.options_json);
    precision = nn::precision_named(options.precision);
    group = description.outputs.at(0);
    open_networks(description.inputs.at(1));
    choose_level(description.inputs.at(0));
    if (options.flips != 1 && options.flips != 2 && options.flips != 4 && options.flips != 8) {
      refuse(fmt::format("flips: expected 1, 2, 4 or 8, found {}", options.flips));
    }
    spec.shape = raw->spec().shape * info.output_scale;
    spec.grid = raw->spec().grid.refined(Shape3::cube(info.output_scale));
    if (description.inputs.size() > 2) open_mask(description.inputs[2]);
    spec.data_type = DataType::kUint8;
    spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
    tiles = make_tiles();
    const auto whole_chunks = [](std::int64_t tile, std::int64_t chunk) {
      return tile % chunk == 0 ? tile : 2 * chunk;
    };
    const Shape3 standard{whole_chunks(tiles.shape.z, spec.chunk_shape.z),
                          whole_chunks(tiles.shape.y, spec.chunk_shape.y),
                          whole_chunks(tiles.shape.x, spec.chunk_shape.x)};
    block_shape = blockwise::block_shape_or(description.block_shape, standard, spec.shape, spec.chunk_shape);
    domain = blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
  }

  TileGrid make_tiles() const {
    if (options.tile > 0) {
      if (options.tile < 8) refuse(fmt::format("tile: expected 0, or 8 and more, found {}", options.tile));
      return info.network
                 ? make_tile_grid(*info.network, spec.shape, spec.chunk_shape, options.tile, options.halo)
                 : make_script_tile_grid(*info.script, spec.shape, options.tile, options.halo);
    }
    if (!info.network) refuse("tile 0: modules of other programs have their own inputs");
    if (options.tile_memory_gib <= 0) refuse("tile 0 needs tile_memory_gib: what a worker may take");
    return make_largest_tile_grid(
        *info.network, static_cast<std::int64_t>(info.classes.size()), spec.shape, spec.chunk_shape,
        static_cast<std::int64_t>(options.tile_memory_gib * double{1 << 30}), options.halo);
  }

  // A file, the network of a training's folder, or all networks of another folder.
  void open_networks(const std::filesystem::path& path) {
    if (!std::filesystem::is_directory(path)) {
      network_files = {path};
    } else if (std::filesystem::exists(path / "network.organon")) {
      network_files = {path / "network.organon"};
    } else {
      for (const auto& entry : std::filesystem::directory_iterator(path))
        if (entry.path().extension() == ".organon" || nn::is_script(entry.path()))
          network_files.push_back(entry.path());
      std::sort(network_files.begin(), network_files.end());
      if (network_files.empty())
        throw Error(
            ErrorKind::kNotFound,
            fmt::format("{}: no network.organon, nor any other *.organon, *.pt or *.pth", path.string()));
    }
    info = nn::read_predictor_info(network_files.front());
    for (const std::filesystem::path& file : network_files) {
      if (nn::read_predictor_info(file).agrees_with(info)) continue;
      refuse(fmt::format("{} and {} have other classes, voxel sizes or options: they have no mean",
                         network_files.front().string(), file.string()));
    }
  }

  void open_mask(const std::string& address) {
    mask = storage::open_dataset(address);
    if (is_floating(mask->spec().data_type)) {
      refuse(fmt::format("mask {}: expected whole numbers, found {}", address,
                         to_string(mask->spec().data_type)));
    }
    // A mask elsewhere in space would quietly leave nothing to predict.
    const VoxelGrid& grid = mask->spec().grid;
    const Box raw_box = spec.domain();
    const PointNm first = spec.grid.to_nm(raw_box.begin);
    const PointNm last = spec.grid.to_nm(raw_box.end - Index3{1, 1, 1});
    const Box seen{grid.voxel_containing(first), grid.voxel_containing(last) + Index3{1, 1, 1}};
    if (seen.intersects(mask->spec().domain())) return;
    refuse(fmt::format(
        "mask {} and raw do not meet: raw has its voxel centres from {} to {} nm, the mask from {} "
        "to {} nm",
        address, to_string(first), to_string(last), to_string(grid.to_nm({0, 0, 0})),
        to_string(grid.to_nm(mask->spec().domain().end - Index3{1, 1, 1}))));
  }

  void choose_level(const std::string& address) {
    const storage::Multiscale pyramid = storage::open_multiscale(address);
    const auto nearest =
        std::min_element(pyramid.levels.begin(), pyramid.levels.end(), [&](const auto& a, const auto& b) {
          return misfit(a->spec().grid.voxel_size_nm, info.voxel_size_nm) <
                 misfit(b->spec().grid.voxel_size_nm, info.voxel_size_nm);
        });
    raw = *nearest;
    const SizeNm& size = raw->spec().grid.voxel_size_nm;
    if (misfit(size, info.voxel_size_nm) > kVoxelSizeTolerance && !options.allow_voxel_size) {
      refuse(
          fmt::format("the network was trained at {} nm, the nearest level of {} has {} nm; make a pyramid "
                      "with such a level, or say --allow-voxel-size",
                      to_string(info.voxel_size_nm), address, to_string(size)));
    }
    limits = options.contrast_limits;
    if (const auto contrast = storage::contrast_of(pyramid); limits.empty() && contrast)
      limits = {contrast->low, contrast->high};
    if (limits.size() != 2 || limits[0] >= limits[1]) {
      refuse(fmt::format("{}: no contrast limits low,high are stored or given", address));
    }
  }
};

// Raw of a box, mirrored at the volume's faces, contrast limits mapped to -1 and 1 and clipped.
Array<float> read_normalized(const Set& set, const Box& box) {
  Array<float> result = Array<float>::uninitialized(box.shape());
  dispatch(set.raw->spec().data_type, [&](auto zero) {
    using T = decltype(zero);
    const Array<T> raw = blockwise::read_with_border<T>(*set.raw, box, Border::kReflect);
    voxel::normalize_intensity<T>(raw, 1, set.limits[0], set.limits[1], result);
  });
  return result;
}

// What of the mask decides about `box`; may reach outside of it.
Box box_in_mask(const Set& set, const Box& box) {
  const VoxelGrid& grid = set.spec.grid;
  const VoxelGrid& mask_grid = set.mask->spec().grid;
  return {mask_grid.voxel_containing(grid.to_nm(box.begin)),
          mask_grid.voxel_containing(grid.to_nm(box.end - Index3{1, 1, 1})) + Index3{1, 1, 1}};
}

// Which voxels of `box` lie in the mask; the mask's own grid decides, nearest voxel.
Array<std::uint8_t> read_mask(const Set& set, const Box& box) {
  Array<std::uint8_t> inside(box.shape(), 1);
  if (!set.mask) return inside;
  const VoxelGrid& grid = set.spec.grid;
  const VoxelGrid& mask_grid = set.mask->spec().grid;
  const auto in_mask = [&](const Index3& index) { return mask_grid.voxel_containing(grid.to_nm(index)); };
  const Box needed = box_in_mask(set, box).intersect(set.mask->spec().domain());
  fill_voxels<std::uint8_t>(inside, 0);
  if (needed.empty()) return inside;
  const Array<std::uint64_t> mask = set.mask->read_as<std::uint64_t>(needed);
  // Resin: most blocks of a whole cell.
  if (std::all_of(mask.data(), mask.data() + mask.size(), [](std::uint64_t value) { return value == 0; }))
    return inside;
  for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
    for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
      for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
        const Index3 at = in_mask({z, y, x});
        if (needed.contains(at)) inside(Index3{z, y, x} - box.begin) = mask(at - needed.begin) != 0;
      }
    }
  }
  return inside;
}

// The folder of a container, and the place of a dataset below it.
std::pair<std::filesystem::path, std::filesystem::path> split_at_container(
    const std::filesystem::path& path) {
  std::filesystem::path container, below;
  for (const auto& part : path) {
    const bool is_found = container.extension() == ".n5" || container.extension() == ".zarr";
    (is_found ? below : container) /= part;
  }
  return {container, below};
}

// What the paper's predictions say of themselves beside their grid, for programs made for them. Its id of the
// cell is the name of the container of raw. Source: [heinrich2021cosem] and its inference code.
Json paper_attributes(const Set& set, const std::string& class_name) {
  const auto [container, raw_place] = split_at_container(set.raw->path());
  Json mask;
  if (set.mask) {
    const auto [other, mask_place] = split_at_container(set.mask->path());
    mask = (other == container ? mask_place : set.mask->path()).string();
  }
  const DataType type = set.raw->spec().data_type;
  const double factor = type == DataType::kUint8 ? 255 : type == DataType::kUint16 ? 65535 : 1;
  const double scale = 2 * factor / (set.limits[1] - set.limits[0]);
  return {{"label", class_name},
          {"iteration", set.info.step},
          {"raw_data_path", container.string()},
          {"raw_ds", raw_place.string()},
          {"parent_dataset_id", container.has_extension() ? Json(container.stem().string()) : Json()},
          {"raw_normalize_factor", factor},
          {"raw_scale", scale},
          {"raw_shift", -scale * set.limits[0] / factor - 1},
          {"float_range", {-1, 1}},
          {"safe_scale", false},
          {"mask_ds", mask}};
}

class PredictVolume : public Step {
 public:
  /// `device`: a kind that this process has; empty: the best.
  PredictVolume(const Set& set, std::string device) : set_(set), device_(std::move(device)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.domain, set_.block_shape);
    const Json prediction = {
        {"network_voxel_size_nm", storage::to_json(set_.info.voxel_size_nm, storage::AxisOrder::kZyx)},
        {"raw", set_.raw->path().filename().string()},
        {"raw_voxel_size_nm",
         storage::to_json(set_.raw->spec().grid.voxel_size_nm, storage::AxisOrder::kZyx)},
        {"tile", storage::to_json(set_.tiles.shape, storage::AxisOrder::kZyx)},
        {"halo", storage::to_json(set_.tiles.halo, storage::AxisOrder::kZyx)},
        {"boundary_value", 127},
        {"axis_order", "zyx"}};
    for (const std::string& name : set_.info.classes) {
      Json attributes = paper_attributes(set_, name);
      attributes["prediction"] = prediction;
      plan.outputs.push_back({set_.group + "/" + name, set_.spec, attributes});
    }
    plan.inputs.push_back(
        {set_.raw->address(), [tiles = set_.tiles](const Box& write_box) {
           const Box touched = tiles.positions_touching(write_box);
           return tiles.input_box(touched.begin).unite(tiles.input_box(touched.end - Index3{1, 1, 1}));
         }});
    if (set_.mask) {
      plan.inputs.push_back({set_.mask->address(),
                             [&set = set_](const Box& write_box) { return box_in_mask(set, write_box); }});
    }
    plan.reuse = blockwise::Reuse::kAnywhere;
    plan.depends_on = {{"prediction", prediction}, {"contrast_limits", set_.limits}};
    const auto num_classes = static_cast<std::int64_t>(set_.info.classes.size());
    const std::int64_t tile_bytes = set_.tiles.shape.product() * num_classes;
    plan.bytes_per_worker = network_bytes() + std::max(kKeptTilesBytes, 2 * tile_bytes) +
                            set_.block_shape.product() * (2 * num_classes + 18);
    const BlockGrid blocks = plan.blocks();
    double tile_runs = 0;
    for (std::int64_t id = 0; id < blocks.count(); ++id) {
      tile_runs += static_cast<double>(set_.tiles.positions_touching(blocks.box_of(id)).volume());
    }
    const auto inputs = tile_runs * static_cast<double>(set_.tiles.input.product());
    plan.bytes_read =
        static_cast<std::int64_t>(inputs) * static_cast<std::int64_t>(size_of(set_.raw->spec().data_type));
    plan.bytes_written = num_classes * plan.domain.volume();
    const double operations = tile_runs * static_cast<double>(set_.options.flips) *
                              static_cast<double>(set_.network_files.size()) * operations_per_tile();
    plan.voxels_per_second = static_cast<double>(plan.domain.volume()) / (operations / kOperationsPerSecond);
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    output.report(0, fmt::format("raw {} at {} nm", set_.raw->path().filename().string(),
                                 to_string(set_.raw->spec().grid.voxel_size_nm)));
    const Box box = block.write_box;
    const Array<std::uint8_t> inside = read_mask(set_, box);
    std::vector<Array<std::uint8_t>> predictions;
    for (std::size_t c = 0; c < set_.info.classes.size(); ++c) predictions.emplace_back(box.shape());
    const Box positions = set_.tiles.positions_touching(box);
    const std::int64_t num_tiles = positions.volume();
    const BlockGrid each(Box::of_shape(positions.shape()), {1, 1, 1});
    for (std::int64_t i = 0; i < num_tiles; ++i) {
      const Index3 position = positions.begin + each.position_of(i);
      const Box tile_box = set_.tiles.box(position);
      const Box shared = tile_box.intersect(box);
      const auto wanted = std::as_const(inside).view().part(shared.translate(Index3{} - box.begin));
      if (!any(wanted)) continue;
      const Tile& tile = tile_at(position);
      for (std::size_t c = 0; c < predictions.size(); ++c) {
        const auto from = tile.classes.of_class(c).part(shared.translate(Index3{} - tile_box.begin));
        const auto to = predictions[c].view().part(shared.translate(Index3{} - box.begin));
        for (std::int64_t z = 0; z < wanted.shape().z; ++z) {
          for (std::int64_t y = 0; y < wanted.shape().y; ++y) {
            for (std::int64_t x = 0; x < wanted.shape().x; ++x) {
              if (wanted(z, y, x) != 0) to(z, y, x) = from(z, y, x);
            }
          }
        }
      }
      output.report(static_cast<double>(i + 1) / static_cast<double>(num_tiles),
                    fmt::format("tile {} of {}", i + 1, num_tiles));
    }
    for (std::size_t c = 0; c < predictions.size(); ++c) {
      output.write<std::uint8_t>(c, box, predictions[c].view());
    }
  }

 private:
  struct Tile {
    Index3 position;
    nn::PredictedBytes classes;  ///< of the tile's shape
  };

  static bool any(const ArrayView<const std::uint8_t>& mask) {
    for (std::int64_t z = 0; z < mask.shape().z; ++z) {
      for (std::int64_t y = 0; y < mask.shape().y; ++y) {
        const std::uint8_t* row = mask.row(z, y);
        if (std::any_of(row, row + mask.shape().x, [](std::uint8_t value) { return value != 0; }))
          return true;
      }
    }
    return false;
  }

  // Tiles of the last blocks are kept, as neighbouring blocks may share them.
  const Tile& tile_at(const Index3& position) const {
    const auto found =
        std::find_if(kept_.begin(), kept_.end(), [&](const Tile& tile) { return tile.position == position; });
    if (found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      return kept_.front();
    }
    const std::int64_t tile_bytes =
        set_.tiles.shape.product() * static_cast<std::int64_t>(set_.info.classes.size());
    while (!kept_.empty() && (static_cast<std::int64_t>(kept_.size()) + 1) * tile_bytes > kKeptTilesBytes)
      kept_.pop_back();
    kept_.push_front(compute(position));
    return kept_.front();
  }

  // Of modules of other programs neither is known: a guess at wide U-Nets.
  std::int64_t network_bytes() const {
    const auto num_classes = static_cast<std::int64_t>(set_.info.classes.size());
    const auto num_networks = static_cast<std::int64_t>(set_.network_files.size());
    if (!set_.info.network) {
      constexpr std::int64_t kBytesPerVoxel = 2048;
      const std::int64_t num_at_once = set_.info.script->is_slice_wise ? 1 : 2;
      const auto weights = static_cast<std::int64_t>(std::filesystem::file_size(set_.network_files.front()));
      return 4 * num_networks * weights + num_at_once * kBytesPerVoxel * set_.tiles.input.product();
    }
    // Of each further network its weights are kept.
    return nn::prediction_bytes(*set_.info.network, num_classes, set_.tiles.input) +
           (num_networks - 1) * 4 * nn::num_parameters(*set_.info.network, num_classes);
  }
  double operations_per_tile() const {
    constexpr double kOperationsPerVoxel = 2e5;
    if (!set_.info.network) return kOperationsPerVoxel * static_cast<double>(set_.tiles.input.product());
    return nn::forward_operations(*set_.info.network, static_cast<std::int64_t>(set_.info.classes.size()),
                                  set_.tiles.input);
  }

  Tile compute(const Index3& position) const {
    if (!predictor_) predictor_.emplace(set_.network_files, nn::PredictorOptions{device_, set_.precision});
    const Box read = set_.tiles.input_box(position);
    // Padded networks yield the halo, too.
    const Box inner = Box::at(set_.tiles.begin, set_.tiles.shape);
    if (set_.raw->spec().data_type != DataType::kUint8)
      return {position, predictor_->predict_bytes(read_normalized(set_, read), set_.options.flips, inner)};
    const auto raw = blockwise::read_with_border<std::uint8_t>(*set_.raw, read, Border::kReflect);
    const nn::ContrastLimits limits{set_.limits[0], set_.limits[1]};
    return {position, predictor_->predict_bytes(raw, limits, set_.options.flips, inner)};
  }

  const Set& set_;
  const std::string device_;
  // Of this worker's thread alone.
  mutable std::optional<nn::Predictor> predictor_;
  mutable std::list<Tile> kept_;
};

class PredictStage : public blockwise::Stage {
 public:
  explicit PredictStage(const StageDescription& description) : set_(description) {}
  bool needs_fresh_workers() const override { return true; }
  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override { return {"predict blocks"}; }
  // Since version 2 the statistics of normalization are part of the weights: other last bits.
  int algorithm_version() const override { return 2; }
  std::vector<std::string> device_types() const override {
    return nn::prediction_device_types(set_.precision);
  }
  bool has_device(const std::string& type) const override { return nn::has_prediction_device(type); }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder& run) const override {
    const auto device = run.read_device();
    return std::make_unique<PredictVolume>(set_, device ? device->type : "");
  }
  std::vector<StepPlan> plans() const override { return {PredictVolume(set_, "").plan()}; }

 private:
  Set set_;
};

}  // namespace

void PredictOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("tile", tile,
           {"edge of the tiles that are predicted at once, about, in voxels of the output: more needs more "
            "memory, less spends more on halos (see organon network info); 0: the largest that fits "
            "tile_memory_gib",
            "voxels",
            0,
            2048,
            {}})
      .add("tile_memory_gib", tile_memory_gib,
           {"for tile = 0: memory that a worker may take for a tile, of the device that computes it: what is "
            "free over the number of workers. Part of what decides the voxels' last bits, so it is not "
            "measured",
            "GiB",
            0,
            1e6,
            {}})
      .add("halo", halo,
           {"read around each tile by padded networks: the wider, the less results depend on the tile",
            "voxels",
            0,
            1024,
            {}})
      .add("flips", flips, {"mirrored copies whose predictions are averaged: 1, 2, 4 or 8", "", 1, 8, {}})
      .add("precision", precision,
           {"numbers that networks compute with: bfloat16, float32, or auto: bfloat16 where the device is "
            "made for it",
            "", -kAny, kAny, nn::precision_names()})
      .add(
          "allow_voxel_size", allow_voxel_size,
          {"take the nearest level of raw even if its voxel size is more than 10 % off", "", -kAny, kAny, {}})
      .add("contrast_limits", contrast_limits,
           {"grey values of raw mapped to -1 and 1: low,high; empty: as stored",
            "grey values",
            -kAny,
            kAny,
            {}})
      .add("chunk_shape", chunk_shape, {"chunks of the output, z,y,x", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_predict_stage(const StageDescription& description) {
  return std::make_unique<PredictStage>(description);
}

}  // namespace organon::stages
