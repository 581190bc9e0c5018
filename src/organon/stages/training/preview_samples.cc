#include "organon/stages/training/preview_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/stages/training/sample_slice.h"
#include "organon/stages/training/training_set.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;
using storage::Rgb8;

constexpr std::int64_t kWantedTilePixels = 200;
constexpr std::int64_t kMaxZoom = 8;
constexpr std::int64_t kGapPixels = 6;
constexpr std::int64_t kBandPixels = 6;
constexpr std::int64_t kDashPixels = 4;  // of outlines that coincide
constexpr std::int64_t kNumRawColumns = 2;

constexpr Rgb8 kBackground{24, 24, 24};
constexpr Rgb8 kFrame{255, 255, 255};
constexpr double kBrightnessUnknown = 0.5;
constexpr double kBrightnessNotPredicted = 0.35;

std::uint8_t level(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

// Of pixels of a tile. Lines are as wide as a pixel is near a voxel of the other side.
bool is_outline(const TrainingSample& sample, const MiddleSlice& slice, std::size_t c, std::int64_t zoom,
                std::int64_t y, std::int64_t x) {
  const auto is_inside = [&](std::int64_t voxel_y, std::int64_t voxel_x) {
    return slice.of(sample.targets[c], voxel_y, voxel_x) > 0;
  };
  if (!slice.is_known(sample, c, y / zoom, x / zoom) || !is_inside(y / zoom, x / zoom)) return false;
  const std::int64_t width = zoom >= 3 ? 2 : 1;
  const auto outside = [&](std::int64_t py, std::int64_t px) {
    return py >= 0 && px >= 0 && slice.is_known(sample, c, py / zoom, px / zoom) &&
           !is_inside(py / zoom, px / zoom);
  };
  for (std::int64_t d = 1; d <= width; ++d)
    if (outside(y - d, x) || outside(y + d, x) || outside(y, x - d) || outside(y, x + d)) return true;
  return false;
}

bool is_known_to_any(const TrainingSample& sample, const MiddleSlice& slice, std::int64_t y, std::int64_t x) {
  for (std::size_t c = 0; c < sample.masks.size(); ++c)
    if (slice.is_known(sample, c, y, x)) return true;
  return false;
}

class DrawSheet : public Step {
 public:
  DrawSheet(const TrainingSet& set, std::int64_t num_samples, std::filesystem::path output)
      : set_(set), num_samples_(num_samples), path_(std::move(output)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    const CropsCost crops = cost_of_crops(set_);
    const auto num_classes = static_cast<std::int64_t>(set_.options.classes.size());
    const std::int64_t sample_bytes = 4 * set_.patch.product() + 5 * num_classes * set_.output.product();
    // The sheet, its PNG, and a PNG's bytes once more while they grow.
    const std::int64_t sheet_bytes = 4 * 3 * layout().picture_shape().product();
    plan.bytes_read = crops.bytes_read;
    plan.bytes_per_worker = crops.bytes_loaded + 2 * sample_bytes + sheet_bytes + (1 << 20);
    plan.voxels_per_second = 1;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const LoadedCrops crops = load_crops(set_);
    const SampleOptions options = set_.sample_options(crops.voxel_size_nm);
    const SampleSource source(crops.training, options);
    const SheetLayout sheet_layout = layout();
    Array<Rgb8> sheet(sheet_layout.picture_shape(), kBackground);
    std::vector<SampleShares> shares;
    for (std::int64_t i = 0; i < num_samples_; ++i) {
      throw_if_cancelled();
      const TrainingSample sample = source.sample(i, 0);
      draw_sample(sample, options, sheet_layout, i, sheet);
      shares.push_back(shares_of(sample));
      output.report(static_cast<double>(i + 1) / static_cast<double>(num_samples_), "samples");
    }
    output.write_file(path_, storage::encode_png(std::as_const(sheet).view()));
    output.write_text(beside(".txt"), text_of(shares, crops));
    const std::string json = json_of(shares, crops, sheet_layout);
    output.write_text(beside(".json"), json);
    const std::string hash = to_hex(hash_text(json));
    output.emit(0, std::as_bytes(std::span(hash)));
  }

 private:
  SheetLayout layout() const {
    return {set_.sample_options({}), static_cast<std::int64_t>(set_.options.classes.size()), num_samples_};
  }

  std::filesystem::path beside(const char* extension) const {
    std::filesystem::path path = path_;
    return path.replace_extension(extension);
  }

  static std::string hex_color(std::size_t class_number) {
    const Rgb8 color = outline_color(class_number);
    return fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue);
  }

  std::string json_of(const std::vector<SampleShares>& shares, const LoadedCrops& crops,
                      const SheetLayout& sheet_layout) const {
    Json columns = {"raw", "outlines"};
    Json classes = Json::array();
    for (std::size_t c = 0; c < set_.options.classes.size(); ++c) {
      columns.push_back(set_.options.classes[c]);
      classes.push_back({{"name", set_.options.classes[c]}, {"color", hex_color(c)}});
    }
    Json samples = Json::array();
    for (std::size_t i = 0; i < shares.size(); ++i)
      samples.push_back({{"step", i}, {"known", shares[i].known}, {"positive", shares[i].positive}});
    const auto zyx = [](const Shape3& shape) { return Json{shape.z, shape.y, shape.x}; };
    return to_text({{"classes", classes},
                    {"columns", columns},
                    {"patch_voxels", zyx(set_.patch)},
                    {"output_voxels", zyx(set_.output)},
                    {"voxel_size_nm", {crops.voxel_size_nm.z, crops.voxel_size_nm.y, crops.voxel_size_nm.x}},
                    {"pixels_per_target_voxel", sheet_layout.zoom},
                    {"samples", samples},
                    {"raw", crops.notes},
                    {"options", parse_json(options_to_json(set_.options), "options")}});
  }

  std::string text_of(const std::vector<SampleShares>& shares, const LoadedCrops& crops) const {
    std::string text = fmt::format(
        "{} samples of {} voxels of {} nm. Columns: raw, outlines, {}\n\n{:<16} {:<8} {:>8} {:>10}  {}\n",
        shares.size(), to_string(set_.patch), to_string(crops.voxel_size_nm),
        fmt::join(set_.options.classes, ", "), "class", "outline", "known %", "positive %",
        "samples with it");
    for (std::size_t c = 0; c < set_.options.classes.size(); ++c) {
      double known = 0;
      double positive = 0;
      std::int64_t num_with = 0;
      for (const SampleShares& sample : shares) {
        known += sample.known[c];
        positive += sample.positive[c];
        num_with += sample.positive[c] > 0;
      }
      const double percent = 100 / static_cast<double>(shares.size());
      text += fmt::format("{:<16} {:<8} {:8.2f} {:10.2f}  {}\n", set_.options.classes[c], hex_color(c),
                          known * percent, positive * percent, num_with);
    }
    return text;
  }

  const TrainingSet& set_;
  std::int64_t num_samples_;
  std::filesystem::path path_;
};

class SamplesStage : public blockwise::Stage {
 public:
  SamplesStage(const StageDescription& description, const SamplesOptions& options)
      : set_(description, options.train),
        num_samples_(options.num_samples),
        path_(description.outputs.at(0)) {
    if (path_.extension() != ".png") {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected a name that ends in .png, found {}", set_.verb, path_.string()));
    }
  }
  std::vector<std::string> steps() const override { return {"draw samples"}; }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder&) const override {
    return std::make_unique<DrawSheet>(set_, num_samples_, path_);
  }
  std::vector<StepPlan> plans() const override { return {DrawSheet(set_, num_samples_, path_).plan()}; }

 private:
  TrainingSet set_;
  std::int64_t num_samples_;
  std::filesystem::path path_;
};

}  // namespace

void SamplesOptions::bind(OptionTable& table) {
  train.bind(table);
  table.add("num_samples", num_samples, {"rows of the sheet", "samples", 1, 1000, {}});
}

SheetLayout::SheetLayout(const SampleOptions& options, std::int64_t num_classes, std::int64_t num_samples)
    : num_columns(kNumRawColumns + num_classes), num_rows(num_samples) {
  const Shape3 voxels{1, options.shape.y * options.target_scale, options.shape.x * options.target_scale};
  const std::int64_t edge = std::max(voxels.y, voxels.x);
  zoom = std::clamp<std::int64_t>((kWantedTilePixels + edge / 2) / edge, 1, kMaxZoom);
  tile = {1, voxels.y * zoom, voxels.x * zoom};
}

Shape3 SheetLayout::picture_shape() const {
  const Index3 end = tile_at(num_rows, num_columns);
  return {1, end.y - kBandPixels, end.x};
}

Index3 SheetLayout::tile_at(std::int64_t row, std::int64_t column) const {
  return {0, kGapPixels + kBandPixels + row * (tile.y + kBandPixels + kGapPixels),
          kGapPixels + column * (tile.x + kGapPixels)};
}

storage::Rgb8 outline_color(std::size_t class_number) {
  // Hues a golden angle apart stay apart however many there are. The first ones are neither the blue nor the
  // red of targets.
  const double hue = std::fmod(0.15 + 0.6180339887 * static_cast<double>(class_number), 1.0);
  const auto channel = [hue](double peak) {
    double distance = std::abs(hue - peak);
    distance = std::min(distance, 1 - distance);
    const double fullness = std::clamp(2 - 6 * distance, 0.0, 1.0);
    return level(70 + 185 * fullness);
  };
  return {channel(0), channel(1.0 / 3), channel(2.0 / 3)};
}

void draw_sample(const TrainingSample& sample, const SampleOptions& options, const SheetLayout& layout,
                 std::int64_t row, ArrayView<Rgb8> sheet) {
  const MiddleSlice slice(options);
  const std::size_t num_classes = sample.targets.size();
  const std::int64_t zoom = layout.zoom;
  const Index3 raw_at = layout.tile_at(row, 0);
  const Index3 outlines_at = layout.tile_at(row, 1);
  const auto place = [&](const Index3& at, std::int64_t y, std::int64_t x) -> Rgb8& {
    return sheet(0, at.y + y, at.x + x);
  };

  // The band over the outlines names all colours, that over a class its own.
  for (std::int64_t y = -kBandPixels; y < -1; ++y) {
    for (std::int64_t x = 0; x < layout.tile.x; ++x) {
      const auto part = static_cast<std::size_t>(x) * num_classes / static_cast<std::size_t>(layout.tile.x);
      place(outlines_at, y, x) = outline_color(part);
      for (std::size_t c = 0; c < num_classes; ++c)
        place(layout.tile_at(row, kNumRawColumns + static_cast<std::int64_t>(c)), y, x) = outline_color(c);
    }
  }

  const Box& predicted = slice.predicted();
  const bool has_frame =
      predicted.shape().y * zoom < layout.tile.y || predicted.shape().x * zoom < layout.tile.x;
  std::vector<std::size_t> outlines;
  for (std::int64_t y = 0; y < layout.tile.y; ++y) {
    for (std::int64_t x = 0; x < layout.tile.x; ++x) {
      const std::int64_t voxel_y = y / zoom;
      const std::int64_t voxel_x = x / zoom;
      const float raw = slice.raw(sample, voxel_y, voxel_x);
      place(raw_at, y, x) = grey_of_raw(raw, 1);
      Rgb8& over_raw = place(outlines_at, y, x);
      over_raw = grey_of_raw(raw, is_known_to_any(sample, slice, voxel_y, voxel_x) ? 1 : kBrightnessUnknown);
      outlines.clear();
      for (std::size_t c = 0; c < num_classes; ++c) {
        if (is_outline(sample, slice, c, zoom, y, x)) outlines.push_back(c);
        Rgb8& pixel = place(layout.tile_at(row, kNumRawColumns + static_cast<std::int64_t>(c)), y, x);
        if (slice.is_known(sample, c, voxel_y, voxel_x)) {
          pixel = color_of_target(slice.of(sample.targets[c], voxel_y, voxel_x));
        } else if (slice.is_predicted(voxel_y, voxel_x)) {
          pixel = color_of_unknown(y, x);
        } else {
          pixel = grey_of_raw(raw, kBrightnessNotPredicted);
        }
      }
      if (!outlines.empty()) {
        const auto dash = static_cast<std::size_t>((y + x) / kDashPixels);
        over_raw = outline_color(outlines[dash % outlines.size()]);
      }
      // The pixels just around what is predicted.
      const bool is_around = y >= predicted.begin.y * zoom - 1 && y <= predicted.end.y * zoom &&
                             x >= predicted.begin.x * zoom - 1 && x <= predicted.end.x * zoom;
      if (has_frame && is_around && !slice.is_predicted(voxel_y, voxel_x)) over_raw = kFrame;
    }
  }
}

SampleShares shares_of(const TrainingSample& sample) {
  SampleShares shares;
  for (std::size_t c = 0; c < sample.targets.size(); ++c) {
    std::int64_t known = 0;
    std::int64_t positive = 0;
    for (std::int64_t i = 0; i < sample.targets[c].size(); ++i) {
      if (sample.masks[c].data()[i] == 0) continue;
      ++known;
      positive += sample.targets[c].data()[i] > 0;
    }
    const auto count = static_cast<double>(sample.targets[c].size());
    shares.known.push_back(static_cast<double>(known) / count);
    shares.positive.push_back(static_cast<double>(positive) / count);
  }
  return shares;
}

std::unique_ptr<blockwise::Stage> make_samples_stage(const StageDescription& description) {
  return std::make_unique<SamplesStage>(description,
                                        options_from_json<SamplesOptions>(description.options_json));
}

}  // namespace organon::stages
