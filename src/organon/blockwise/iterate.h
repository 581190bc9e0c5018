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
///     round 1   blocks beside a changed one work theirs out anew, and leave it where it changed
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

/// The states after some finished rounds: of each block the one that it left last. Blocks that left none have
/// none.
class BlockStates {
 public:
  /// Folders of all rounds so far, in order.
  explicit BlockStates(const std::vector<std::filesystem::path>& round_folders)
      : rounds_(round_folders.begin(), round_folders.end()) {}
  /// Errors: kCorruptData.
  std::optional<BlockState> of(std::int64_t block) const;
  /// Of the blocks whose cells share a face with that of `block` and that have a state.
  std::map<std::int64_t, BlockState> beside(const BlockGrid& blocks, std::int64_t block) const;
  /// By the last of the rounds.
  std::int64_t count_changed() const;
  static void emit(const Block& block, const BlockState& state, BlockOutput& output);

 private:
  std::vector<PartialReader> rounds_;
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
  /// Of the first `count` rounds; all of them have the settled states.
  std::vector<std::filesystem::path> folders(std::size_t count) const;
  std::vector<std::filesystem::path> folders() const { return folders(num_rounds_); }
  /// "smooth", "count changes", "spread, round 2", "count changes": names of all of them.
  std::vector<std::string> names(const std::string& first, const std::string& later) const;
  /// The count of the round before `step`.
  std::unique_ptr<Step> make_count(std::size_t step) const;

 private:
  const RunFolder& run_;
  std::size_t first_step_;
  std::size_t num_rounds_ = 1;
};

}  // namespace organon::blockwise
