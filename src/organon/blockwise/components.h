#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

#include "organon/blockwise/journal.h"
#include "organon/blockwise/stage.h"
#include "organon/geometry/connectivity.h"
#include "organon/voxel/label_components.h"

namespace organon::blockwise {

/// Connected components of a whole volume, from components of its blocks:
///
///     map     label each block by itself into a scratch dataset of uint32; leave a ComponentPiece per label
///     reduce  JoinFaces: which labels of neighbouring blocks are one component
///     solve   resolve_components: union-find over all pieces
///     map     LookUpLabels: every label to what its component became
///
/// Exact: the result does not depend on the block shape. Source: [rosenfeld1966sequential].

/// What is known of one component of one block, or of several joined.
struct ComponentPiece {
  std::uint64_t first_voxel = 0;  ///< smallest raster index in the whole domain's dataset
  std::uint64_t num_voxels = 0;
  std::uint64_t met_id = 0;  ///< for holes: an object id that it borders; 0: none
  std::uint64_t state = 0;   ///< for holes: the flags below

  static constexpr std::uint64_t kTouchesEdge = 1;   ///< of the domain
  static constexpr std::uint64_t kMeetsSeveral = 2;  ///< borders more than one object id

  /// Notes that the component borders object `id`.
  void meet(std::uint64_t id);
  void merge(const ComponentPiece& other);
};

/// One piece per component that was `found` in `write_box` of a volume of `shape`, in order of labels.
std::vector<ComponentPiece> pieces_of(const voxel::Components& found, const Box& write_box,
                                      const Shape3& shape);

/// Of the scratch dataset that holds the labels within blocks, for an output as `spec`.
storage::DatasetSpec block_labels_spec(storage::DatasetSpec spec);

/// Label `own` of a block is the same component as label `other` of `other_block`.
struct Join {
  std::uint32_t own = 0;
  std::uint32_t other = 0;
  std::int64_t other_block = 0;
  friend bool operator==(const Join&, const Join&) = default;
};

/// Reduce: finds the labels of `components` that touch across the faces (edges, vertices) between blocks.
/// `blocks`: domain and block shape of the step that labelled. Leaves pairs under the block's id.
/// Halo: one voxel. Cost: reads the planes at the blocks' faces.
class JoinFaces : public Step {
 public:
  JoinFaces(const std::string& components, const Box& domain, const Shape3& block_shape,
            Connectivity connectivity);
  StepPlan plan() const override;
  /// The plan where the components do not exist yet; their chunks have `chunk_shape`.
  static StepPlan plan_over(const Box& domain, const Shape3& block_shape, const Shape3& chunk_shape);
  void process(const Block& block, BlockOutput& output) const override;

 private:
  std::shared_ptr<storage::Dataset> components_;
  Box domain_;
  Shape3 block_shape_;
  Connectivity connectivity_;
};

/// The components of the whole volume.
struct ResolvedComponents {
  std::vector<std::int64_t> blocks;  ///< ids of the blocks that have components, ascending
  std::vector<std::uint64_t>
      begin;  ///< per block: where its pieces begin in `component_of`; one more at the end
  std::vector<std::uint32_t> component_of;  ///< per piece: index into `components`
  std::vector<ComponentPiece> components;   ///< joined, in order of first voxel
};

/// The plan of a step that resolves: its memory follows from what the earlier steps left.
StepPlan resolving_plan(const PartialReader& pieces, const PartialReader& joins);

/// Solve. Partials under negative keys are not its business. Memory: that of resolving_plan(). Errors:
/// kCorruptData for partials that do not fit together; kResourceExhausted beyond 2^32 pieces; kCancelled.
ResolvedComponents resolve_components(const PartialReader& pieces, const PartialReader& joins);

/// Leaves one table per block of `resolved`, under the block's id: for each of its labels 1..n the value that
/// `value_of` gives to its component; and the highest of them. Read back by LookUpLabels.
void emit_lookup_tables(const ResolvedComponents& resolved,
                        const std::function<std::uint64_t(std::size_t)>& value_of, BlockOutput& output);

/// Map: writes for every label of the scratch dataset `labels` the value that the tables of step `tables`
/// have for it, in the smallest unsigned type that holds all.
class LookUpLabels : public Step {
 public:
  /// `plan_of` makes the plan for an output of a type.
  LookUpLabels(const std::function<StepPlan(DataType)>& plan_of, const std::string& labels,
               const std::filesystem::path& tables);
  StepPlan plan() const override { return plan_; }
  void process(const Block& block, BlockOutput& output) const override;

 private:
  PartialReader tables_;
  std::shared_ptr<storage::Dataset> labels_;
  DataType type_ = DataType::kUint8;
  StepPlan plan_;
};

/// Bytes of a vector of plain values, and back. Errors of the latter: kCorruptData where the size does not
/// fit.
template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}
void check_whole_values(std::size_t num_bytes, std::size_t value_bytes);
template <class T>
std::vector<T> values_of(const std::vector<std::byte>& bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  check_whole_values(bytes.size(), sizeof(T));
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace organon::blockwise
