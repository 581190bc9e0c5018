#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "organon/blockwise/components.h"

namespace organon::blockwise {

/// Numbers of the objects of a whole volume, 1, 2, .. in raster order of their first voxels, from components
/// of its blocks (components.h):
///
///     map     leave_components: pieces of what is open, rows of what is kept
///     reduce  JoinFaces, or another rule of what goes on in the next block
///     solve   number_objects
///     map     LookUpNumbers: labels to numbers
///
/// A row is a line of voxels along x inside a block. The solve counts objects per row, so that it can tell
/// which number the first object of each row has; the blocks count on from there. Its memory is that of the
/// open pieces and of the rows of one layer of blocks, however many closed components there are.

/// Called by the map. `labels` has what was `found` in `block`; `is_kept` judges a closed component.
void leave_components(const Block& block, const Box& domain, const voxel::Components& found,
                      ArrayView<const std::uint32_t> labels,
                      const std::function<bool(const voxel::Component&)>& is_kept, BlockOutput& output);

/// The plan of the solve, for `blocks` of the map.
StepPlan numbering_plan(const BlockGrid& blocks, const PartialReader& pieces, const PartialReader& joins);

/// The solve. `is_kept` judges a component with open pieces. Errors: those of resolve_components().
void number_objects(const BlockGrid& blocks, const PartialReader& pieces, const PartialReader& joins,
                    const std::function<bool(const ComponentPiece&)>& is_kept, BlockOutput& output);

/// Map: writes the number of every label of the scratch dataset `labels`, in the smallest unsigned type that
/// holds all.
class LookUpNumbers : public Step {
 public:
  /// `plan_of` makes the plan for an output of a type; `pieces` and `numbers` are the folders of the map and
  /// of the solve.
  LookUpNumbers(const std::function<StepPlan(DataType)>& plan_of, const std::string& labels,
                const std::filesystem::path& pieces, const std::filesystem::path& numbers);
  StepPlan plan() const override { return plan_; }
  void process(const Block& block, BlockOutput& output) const override;

 private:
  std::vector<std::uint64_t> numbers_of(const Block& block) const;

  PartialReader pieces_;
  PartialReader numbers_;
  std::shared_ptr<storage::Dataset> labels_;
  DataType type_ = DataType::kUint8;
  StepPlan plan_;
};

}  // namespace organon::blockwise
