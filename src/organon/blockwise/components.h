#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "organon/blockwise/journal.h"
#include "organon/blockwise/stage.h"
#include "organon/geometry/connectivity.h"
#include "organon/voxel/label_components.h"

namespace organon::blockwise {

/// Connected components of a whole volume, from components of its blocks:
///
///     map     labels of each block by itself, in a scratch dataset of uint32; a piece per open label
///     reduce  JoinFaces: which labels of neighbouring blocks are one component
///     solve   resolve_components: union-find over all pieces
///     map     every label to what its component became (object_numbers.h: to its number)
///
/// A component of a block is open where it touches a face that the block shares with another: only then can
/// it go on there. A closed one is all of its component, so that its block can judge it by itself; the solve
/// holds nothing of it, and its memory does not grow with what blocks contain.
///
/// Exact: the result does not depend on the block shape. Source: [rosenfeld1966sequential].

/// What is known of one open component of one block, or of several joined.
struct ComponentPiece {
  std::uint32_t label = 0;        ///< in its block
  std::uint32_t state = 0;        ///< for holes: the flags below
  std::uint64_t first_voxel = 0;  ///< raster_key() of its first voxel
  std::uint64_t num_voxels = 0;
  std::uint64_t met_id = 0;  ///< for holes: an object id that it borders; 0: none

  static constexpr std::uint32_t kTouchesEdge = 1;   ///< of the domain
  static constexpr std::uint32_t kMeetsSeveral = 2;  ///< borders more than one object id

  /// Notes that the component borders object `id`.
  void meet(std::uint64_t id);
  void merge(const ComponentPiece& other);
};

/// Orders voxels as raster order does, whatever the volume's shape. Errors: kUnsupported beyond 2^21 along an
/// axis.
std::uint64_t raster_key(const Index3& voxel);
Index3 voxel_of_raster_key(std::uint64_t key);

/// For each label 1..num_labels of a block, at index label - 1, whether it is open. Shapes: `labels` as
/// `write_box`. Cost: a pass over the block's faces.
std::vector<bool> find_open(ArrayView<const std::uint32_t> labels, std::int64_t num_labels,
                            const Box& write_box, const Box& domain);

/// The piece of component `index` of a block.
ComponentPiece piece_of(const voxel::Components& found, std::size_t index, const Box& write_box);

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

/// The components of the whole volume that have open pieces.
struct ResolvedComponents {
  std::vector<std::int64_t> blocks;         ///< ids of the blocks that have open pieces, ascending
  std::vector<std::uint64_t> begin;         ///< per block: where its pieces begin; one more at the end
  std::vector<std::uint32_t> labels;        ///< per piece, ascending in a block
  std::vector<std::uint32_t> component_of;  ///< per piece: index into `components`
  std::vector<ComponentPiece> components;   ///< joined; `label` is that of the piece with the first voxel

  /// Where the pieces of a block begin and end; nothing where it has none.
  std::pair<std::uint64_t, std::uint64_t> pieces_of(std::int64_t block) const;
};

/// The plan of a step that resolves: its memory follows from what the earlier steps left.
StepPlan resolving_plan(const PartialReader& pieces, const PartialReader& joins);

/// Solve. Partials under negative keys are not its business. Memory: that of resolving_plan(). Errors:
/// kCorruptData for partials that do not fit together; kResourceExhausted beyond 2^32 pieces; kCancelled.
ResolvedComponents resolve_components(const PartialReader& pieces, const PartialReader& joins);

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
