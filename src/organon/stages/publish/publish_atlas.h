#pragma once

#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Datasets, meshes, tables and scores -> a folder with a page that shows them.
struct PublishOptions {
  std::string name = "cell";
  std::vector<std::string> layers;
  std::vector<std::string> colors;
  std::vector<double> thresholds = {127};
  std::vector<double> contrast_limits;
  std::string portal_folder;

  void bind(OptionTable& table);
};

/// `INPUTS... OUT`: what each input is, is said by the option `layers`, in the same order:
///
///     raw                  volume of intensities
///     prediction/<class>   volume of intensities
///     segmentation/<class> labels
///     mesh/<class>         what `mesh` made of these labels
///     table/<class>        what `measure` made of them (.csv, or .json with the .csv beside it)
///     scores, scores/<...> JSON of `evaluate`: {"scores": [{...}, ...]} or the list alone
///
/// A volume is a dataset, or a pyramid of which s0 is taken. OUT becomes:
///
///     index.json           schemas/portal_index.schema.json
///     index.html ...       the page, from `portal_folder`
///     precomputed/raw, precomputed/<class>_prediction, precomputed/<class>    pyramids, chunks 64^3
///     precomputed/<class>/mesh    tables/<class>.{json,csv}
///
/// All layers keep their places: those whose voxels do not nest with the first volume's are moved, with their
/// meshes, by what the format's whole offsets would shift them apart.
///
/// Exact. Block map per level, then per class over its mesh files; index.json is written last. OUT is
/// replaced as a whole. Errors: kInvalidArgument for layers that do not fit together; kAlreadyExists where
/// OUT holds something that was not published; kCorruptData where a table names an object without mesh.
std::unique_ptr<blockwise::Stage> make_publish_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
