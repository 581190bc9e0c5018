#include "organon/blockwise/iterate.h"

#include <fmt/format.h>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/run_folder.h"

namespace organon::blockwise {
namespace {

constexpr std::int64_t kCountKey = 0;

class CountChanges : public Step {
 public:
  explicit CountChanges(const std::filesystem::path& round_folder) : states_({round_folder}) {}
  StepPlan plan() const override { return StepPlan::solve(); }
  void process(const Block&, BlockOutput& output) const override {
    output.emit(kCountKey, bytes_of(std::vector<std::int64_t>{states_.count_changed()}));
  }

 private:
  BlockStates states_;
};

BlockState decode(std::vector<std::byte> bytes) {
  if (bytes.empty()) throw Error(ErrorKind::kCorruptData, "the state of a block has no bytes");
  BlockState state;
  state.is_changed = bytes.back() != std::byte{0};
  bytes.pop_back();
  state.bytes = std::move(bytes);
  return state;
}

}  // namespace

std::optional<BlockState> BlockStates::of(std::int64_t block) const {
  for (auto round = rounds_.rbegin(); round != rounds_.rend(); ++round) {
    auto bytes = round->read(block);
    if (!bytes) continue;
    BlockState state = decode(std::move(*bytes));
    if (round != rounds_.rbegin()) state.is_changed = false;
    return state;
  }
  return std::nullopt;
}

std::map<std::int64_t, BlockState> BlockStates::beside(const BlockGrid& blocks, std::int64_t block) const {
  std::map<std::int64_t, BlockState> states;
  const Index3 position = blocks.position_of(block);
  const Box positions = Box::of_shape(blocks.num_cells());
  for (const Index3& step : {Index3{1, 0, 0}, Index3{0, 1, 0}, Index3{0, 0, 1}}) {
    for (const Index3& neighbour : {position - step, position + step}) {
      if (!positions.contains(neighbour)) continue;
      const std::int64_t id = blocks.id_of(neighbour);
      if (auto state = of(id)) states.emplace(id, std::move(*state));
    }
  }
  return states;
}

std::int64_t BlockStates::count_changed() const {
  std::int64_t count = 0;
  for (const std::int64_t block : rounds_.back().keys()) {
    count += of(block)->is_changed ? 1 : 0;
    throw_if_cancelled();
  }
  return count;
}

// The flag stands last, so that the state keeps its alignment.
void BlockStates::emit(const Block& block, const BlockState& state, BlockOutput& output) {
  std::vector<std::byte> bytes = state.bytes;
  bytes.push_back(std::byte{state.is_changed});
  output.emit(block.id, bytes);
}

Rounds::Rounds(const RunFolder& run, std::size_t first_step) : run_(run), first_step_(first_step) {
  for (;; ++num_rounds_) {
    const std::filesystem::path count_folder = run.step(first_step + 2 * num_rounds_ - 1);
    if (!std::filesystem::exists(count_folder)) return;
    const auto bytes = PartialReader(count_folder).read(kCountKey);
    if (!bytes || values_of<std::int64_t>(*bytes).at(0) == 0) return;
  }
}

std::vector<std::filesystem::path> Rounds::folders(std::size_t count) const {
  std::vector<std::filesystem::path> folders;
  for (std::size_t round = 0; round < count; ++round) folders.push_back(run_.step(first_step_ + 2 * round));
  return folders;
}

std::vector<std::string> Rounds::names(const std::string& first, const std::string& later) const {
  std::vector<std::string> names;
  for (std::size_t round = 0; round < num_rounds_; ++round) {
    names.push_back(round == 0 ? first : fmt::format("{}, round {}", later, round + 1));
    names.emplace_back("count changes");
  }
  return names;
}

std::unique_ptr<Step> Rounds::make_count(std::size_t step) const {
  return std::make_unique<CountChanges>(run_.step(step - 1));
}

}  // namespace organon::blockwise
