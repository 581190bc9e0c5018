#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/blockwise/journal.h"
#include "organon/blockwise/stage.h"

namespace organon::blockwise {

/// Iterate, the fourth shape of work: a map in rounds, until a round changes nothing.
///
///     round 0   every block works out its state from its inputs, and leaves what others need of it
///     count     how many blocks did the round change?
///     round 1   blocks beside a changed one work theirs out anew; the others hand it on
///     count     ... until none did
///
/// Each round and each count is a step of the stage, so that a death costs a block, never a round. A round
/// reads the states of the round before, never its own: what comes out does not depend on the order of
/// blocks.

/// What a block knows, as bytes, and whether this round changed it.
struct BlockState {
  bool is_changed = false;
  std::vector<std::byte> bytes;
};

/// The states that a finished round left. Blocks that left none have none.
class BlockStates {
 public:
  explicit BlockStates(const std::filesystem::path& round_folder) : partials_(round_folder) {}
  /// Errors: kCorruptData.
  std::optional<BlockState> of(std::int64_t block) const;
  /// Of the blocks whose cells share a face with that of `block` and that have a state.
  std::map<std::int64_t, BlockState> beside(const BlockGrid& blocks, std::int64_t block) const;
  std::int64_t count_changed() const;
  static void emit(const Block& block, const BlockState& state, BlockOutput& output);

 private:
  PartialReader partials_;
};

/// The rounds of a run, where round 0 is step `first_step` of the stage; the count of a round is the step
/// after it.
class Rounds {
 public:
  Rounds(const RunFolder& run, std::size_t first_step);

  /// Rounds that are known to be needed: at least one.
  std::size_t num_rounds() const { return num_rounds_; }
  std::size_t num_steps() const { return 2 * num_rounds_; }
  bool holds(std::size_t step) const { return step >= first_step_ && step < first_step_ + num_steps(); }
  std::size_t round_of(std::size_t step) const { return (step - first_step_) / 2; }
  bool is_count(std::size_t step) const { return (step - first_step_) % 2 == 1; }
  std::filesystem::path folder_of(std::size_t round) const;
  /// Of the last round: where the settled states are.
  std::filesystem::path last_folder() const { return folder_of(num_rounds_ - 1); }
  /// "spread, round 2", "count changes": names of all of them.
  std::vector<std::string> names(const std::string& of_round) const;
  /// The count of the round before `step`.
  std::unique_ptr<Step> make_count(std::size_t step) const;

 private:
  const RunFolder& run_;
  std::size_t first_step_;
  std::size_t num_rounds_ = 1;
};

}  // namespace organon::blockwise
