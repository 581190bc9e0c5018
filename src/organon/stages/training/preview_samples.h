#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/training/sample_source.h"
#include "organon/stages/training/train_network.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {

/// What the network will learn from, as a picture.
struct SamplesOptions {
  TrainOptions train;  ///< the very options of the training
  std::int64_t num_samples = 12;

  void bind(OptionTable& table);
};

/// A contact sheet: a row per sample, and in each row, from the left, the raw, the raw with outlines, and one
/// tile per class. Pixels.
struct SheetLayout {
  std::int64_t zoom = 1;  ///< pixels per voxel of targets
  Shape3 tile;            ///< (1, y, x): the patch of raw in voxels of targets, enlarged
  std::int64_t num_columns = 0;
  std::int64_t num_rows = 0;

  /// Small patches are enlarged by a whole factor, 8 at most, to about 200 pixels.
  SheetLayout(const SampleOptions& options, std::int64_t num_classes, std::int64_t num_samples);
  Shape3 picture_shape() const;
  /// First pixel of a tile. The band with the colour of its class lies above it.
  Index3 tile_at(std::int64_t row, std::int64_t column) const;
};

/// Colour of a class's outline, and of the band above its tile.
storage::Rgb8 outline_color(std::size_t class_number);

/// Draws the slice in the middle of `sample` into row `row` of `sheet`, shape layout.picture_shape():
///
/// - raw: -1 black, 1 white, as the network gets it, and so, where symmetries are on, turned and mirrored;
/// - raw with the outline of every class in the class's colour, which is also in the band above: the voxels
///   that are inside and have a neighbour that is not; where outlines coincide, their colours alternate. Raw
///   of which no class has a say is darkened. Where the network sees more than it predicts, a white frame is
///   around what it predicts;
/// - per class the target on that part: from blue (-1) to white (0) outside, from pink (above 0) to red (1)
///   inside, grey hatching where the class has no say, dark raw where nothing is predicted.
///
/// Requires: a sample drawn with `options`.
void draw_sample(const TrainingSample& sample, const SampleOptions& options, const SheetLayout& layout,
                 std::int64_t row, ArrayView<storage::Rgb8> sheet);

/// Of one sample, per class: shares of all voxels of its targets, not of the drawn slice only.
struct SampleShares {
  std::vector<double> known;     ///< have a say
  std::vector<double> positive;  ///< have one, and their target is above 0
};
SampleShares shares_of(const TrainingSample& sample);

/// Inputs and options: those of make_train_stage(), and num_samples; output: SHEET.png with, beside it,
///
///     SHEET.json    classes with name and color, columns from the left, samples with step and per class, in
///                   the order of classes, known and positive (SampleShares); shapes, notes on raw, options
///     SHEET.txt     means of these shares, for people
///
/// Row i shows the sample of step i at place 0: the first of each of the first batches that the training with
/// these inputs and options draws. One solve. Errors: those of the training, kInvalidArgument where SHEET
/// does not end in .png. Memory: all crops and the sheet.
std::unique_ptr<blockwise::Stage> make_samples_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
