#include "organon/blockwise/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <tuple>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/parallel.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/outputs.h"

namespace organon::blockwise {
namespace {

// What the ledger says of one chunk. Computed twice (taken over from a worker that was not dead), either file
// may be there.
struct Recorded {
  std::int64_t block = -1;
  std::vector<storage::ChunkRecord> versions;
};
using ChunkKey = std::tuple<std::int64_t, std::int64_t, std::int64_t>;

struct RecordedDataset {
  std::size_t step = 0;
  std::size_t output = 0;
  std::map<ChunkKey, Recorded> chunks;
  bool is_whole = false;  ///< every block of the step is recorded
};

std::optional<RecordedDataset> recorded_dataset(const RunFolder& run, const std::string& address) {
  for (std::size_t step = 0; std::filesystem::exists(run.step(step)); ++step) {
    const auto number = output_number(run, step, address);
    if (!number) continue;
    RecordedDataset recorded{step, *number, {}, false};
    std::set<std::int64_t> blocks;
    JournalReader(run.step(step)).poll([&](const JournalRecord& record) {
      if (record.kind != JournalRecord::Kind::kCompleted) return;
      blocks.insert(record.block);
      for (const auto& [output, chunk] : record.chunks) {
        if (output != *number) continue;
        Recorded& entry = recorded.chunks[{chunk.position.z, chunk.position.y, chunk.position.x}];
        entry.block = record.block;
        entry.versions.push_back(chunk);
      }
    });
    const auto plan = read_step_record(run.step(step));
    recorded.is_whole = plan && static_cast<std::int64_t>(blocks.size()) == plan->num_blocks;
    return recorded;
  }
  return std::nullopt;
}

// Empty where the file is one that was recorded.
std::string find_difference(const std::optional<std::vector<std::byte>>& file, const Recorded& recorded) {
  bool was_stored = false;
  for (const storage::ChunkRecord& version : recorded.versions) {
    was_stored = was_stored || !version.is_absent;
    if (version.is_absent ? !file.has_value() : file && hash_bytes(*file) == version.file) return {};
  }
  if (!file) return "is missing";
  return was_stored ? "has other bytes than were written"
                    : "exists, though all its voxels are the fill value";
}

void check_partials(const RunFolder& run, std::vector<Damage>& damage) {
  for (std::size_t step = 0; std::filesystem::exists(run.step(step)); ++step) {
    std::set<std::int64_t> seen;
    JournalReader(run.step(step)).poll([&](const JournalRecord& record) {
      if (record.kind != JournalRecord::Kind::kCompleted || !seen.insert(record.block).second) return;
      for (const PartialRecord& partial : record.partials) {
        try {
          read_partial(run.step(step), record.worker, partial);
        } catch (const Error& error) {
          damage.push_back(
              {fmt::format("what block {} of step {} left for later steps", record.block, step + 1),
               error.message(),
               step,
               record.block,
               {}});
          return;
        }
      }
    });
    // Journals lose what stands behind a damaged record.
    const auto record = read_step_record(run.step(step));
    const std::int64_t num_blocks = record ? record->num_blocks : 0;
    for (std::int64_t block = 0; block < num_blocks; ++block) {
      if (seen.contains(block)) continue;
      damage.push_back(
          {fmt::format("block {} of step {}", block, step + 1), "is not recorded as done", step, block, {}});
    }
  }
}

// Tables, meshes, plots: every file that blocks vouched for.
void check_files(const RunFolder& run, std::int64_t& num_files, std::vector<Damage>& damage) {
  struct Known {
    std::size_t step = 0;
    std::int64_t block = 0;
    std::vector<Hash128> versions;  // a block computed twice may have left either
  };
  std::map<std::string, Known> files;
  for (std::size_t step = 0; std::filesystem::exists(run.step(step)); ++step) {
    JournalReader(run.step(step)).poll([&](const JournalRecord& record) {
      for (const FileRecord& file : record.files) {
        Known& known = files[file.path];
        // A later step may write it again: then only that counts.
        if (known.step != step) known.versions.clear();
        known.step = step;
        known.block = record.block;
        known.versions.push_back(file.hash);
      }
    });
  }
  num_files = static_cast<std::int64_t>(files.size());
  for (const auto& [path, known] : files) {
    const auto hash = hash_file(run.base() / path);
    std::string reason;
    if (!hash)
      reason = "is missing";
    else if (std::find(known.versions.begin(), known.versions.end(), *hash) == known.versions.end())
      reason = "has other bytes than were written";
    if (!reason.empty()) damage.push_back({path, reason, known.step, known.block, {}});
  }
}

// The blocks of `plan` that write into `box`, which may reach beyond the domain.
void add_blocks_touching(const StepPlan& plan, const Box& box, std::set<std::int64_t>& blocks) {
  const BlockGrid grid = plan.blocks();
  const Box inside = box.intersect(plan.domain);
  if (inside.empty()) return;
  const Box positions = grid.positions_touching(inside);
  const BlockGrid each(Box::of_shape(positions.shape()), {1, 1, 1});
  for (std::int64_t i = 0; i < each.count(); ++i)
    blocks.insert(grid.id_of(positions.begin + each.position_of(i)));
}

// Per step the blocks to compute again: the damaged, and those of earlier steps whose scratch they read,
// which is gone.
std::vector<std::set<std::int64_t>> blocks_to_repair(const RunFolder& run, const std::vector<Damage>& damage,
                                                     const std::vector<StepPlan>& plans) {
  std::vector<std::set<std::int64_t>> blocks(plans.size());
  for (const Damage& one : damage) {
    if (one.block >= 0) {
      blocks.at(one.step).insert(one.block);
    } else if (one.chunk) {
      const StepPlan& plan = plans.at(one.step);
      const OutputDataset& output = plan.outputs.at(one.output);
      const BlockGrid chunks(output.spec.domain(), storage::stored_shape(output.spec));
      add_blocks_touching(plan, output.box_reduced_to(chunks.box_of(*one.chunk)), blocks[one.step]);
    }
  }
  for (std::size_t step = plans.size(); step-- > 0;) {
    const BlockGrid grid = plans[step].blocks();
    for (const InputDataset& input : plans[step].inputs) {
      if (!run.is_scratch(input.address)) continue;
      for (std::size_t maker = 0; maker < step; ++maker) {
        const auto& outputs = plans[maker].outputs;
        const bool makes_it = std::any_of(outputs.begin(), outputs.end(), [&](const OutputDataset& output) {
          return storage::absolute_place(output.address) == storage::absolute_place(input.address);
        });
        if (!makes_it) continue;
        for (const std::int64_t block : blocks[step])
          add_blocks_touching(plans[maker], input.box_read_by(grid.box_of(block)), blocks[maker]);
      }
    }
  }
  return blocks;
}

}  // namespace

std::optional<std::size_t> output_number(const RunFolder& run, std::size_t step, const std::string& address) {
  const std::filesystem::path file = run.step(step) / "outputs.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto addresses = parse_json(read_text(file), file.string()).get<std::vector<std::string>>();
  for (std::size_t i = 0; i < addresses.size(); ++i)
    if (storage::absolute_place(addresses[i]) == storage::absolute_place(address)) return i;
  return std::nullopt;
}

std::optional<RunFolder> find_run_of(const std::string& address) {
  // A dataset of a group is made by the group's run.
  const bool is_local = storage::parse_address(address).is_local();
  for (std::filesystem::path path = storage::absolute_place(address); path.has_relative_path();
       path = path.parent_path()) {
    if (!is_local && path.string().ends_with(':')) break;  // the scheme
    const RunFolder run(run_folder_of(path.string()));
    if (!std::filesystem::exists(run.path() / "stage.json")) continue;
    for (std::size_t step = 0; std::filesystem::exists(run.step(step)); ++step)
      if (output_number(run, step, address)) return run;
  }
  return std::nullopt;
}

namespace {

// Of arrays whose chunks hold some channels each.
Verification verify_channels(const std::string& address, std::int64_t num_channels, Progress& progress) {
  Verification all;
  for (std::int64_t channel = 0; channel < num_channels; ++channel) {
    Verification one = verify_dataset(fmt::format("{}#{}", address, channel), progress);
    all.num_chunks += one.num_chunks;
    all.num_stored += one.num_stored;
    all.bytes_read += one.bytes_read;
    all.damage.insert(all.damage.end(), one.damage.begin(), one.damage.end());
  }
  return all;
}

}  // namespace

Verification verify_dataset(const std::string& address, Progress& progress) {
  const auto dataset = storage::open_dataset(address);
  if (const storage::Channels& channels = dataset->spec().channels;
      !channels.are_whole_in_chunks() && !channels.chosen)
    return verify_channels(address, channels.count(), progress);
  const BlockGrid chunks = dataset->chunk_grid();
  Verification result;
  result.num_chunks = chunks.count();
  result.run = find_run_of(address);
  const auto recorded = result.run ? recorded_dataset(*result.run, address) : std::nullopt;

  std::mutex mutex;
  std::map<std::int64_t, Damage> found;
  const auto note = [&](std::int64_t id, std::string reason, std::int64_t block) {
    const std::lock_guard lock(mutex);
    found[id] = {fmt::format("chunk {} of {}", to_string(chunks.position_of(id)), address),
                 std::move(reason),
                 recorded ? recorded->step : 0,
                 block,
                 chunks.position_of(id),
                 recorded ? recorded->output : 0};
  };
  for_each_in_parallel(
      chunks.count(),
      [&](std::int64_t id) {
        const Index3 position = chunks.position_of(id);
        std::optional<std::vector<std::byte>> file;
        try {
          file = dataset->read_chunk_file(position);
        } catch (const Error& error) {
          const auto entry = recorded ? recorded->chunks.find({position.z, position.y, position.x})
                                      : std::map<ChunkKey, Recorded>::const_iterator{};
          note(id, error.message(), recorded && entry != recorded->chunks.end() ? entry->second.block : -1);
          return;
        }
        {
          const std::lock_guard lock(mutex);
          result.num_stored += file.has_value() ? 1 : 0;
          result.bytes_read += file ? static_cast<std::int64_t>(file->size()) : 0;
        }
        if (recorded) {
          const auto entry = recorded->chunks.find({position.z, position.y, position.x});
          if (entry == recorded->chunks.end()) {
            // Blocks that write nothing leave no record of their chunks; those without record are told below.
            if (file && recorded->is_whole) note(id, "exists, though no block wrote it", -1);
            return;
          }
          const std::string difference = find_difference(file, entry->second);
          if (!difference.empty()) note(id, difference, entry->second.block);
          return;
        }
        try {
          if (file) dataset->decode_chunk_file(position, *file);
        } catch (const Error& error) {
          if (error.kind() == ErrorKind::kCancelled) throw;
          note(id, error.message(), -1);
        }
      },
      progress, "verify " + dataset->path().filename().string(), "chunks");
  for (auto& [id, damage] : found) result.damage.push_back(std::move(damage));
  if (result.run) {
    check_files(*result.run, result.num_files, result.damage);
    check_partials(*result.run, result.damage);
  }
  return result;
}

Verification verify_files(const RunFolder& run) {
  Verification result;
  result.run = run;
  check_files(run, result.num_files, result.damage);
  check_partials(run, result.damage);
  return result;
}

RunResult repair_dataset(const Verification& verification, const StageFactory& factory,
                         const RunOptions& options, Progress& progress) {
  if (!verification.run) {
    throw Error(
        ErrorKind::kInvalidArgument,
        "nothing is known of how the dataset was made: copy the damaged chunks from where it came from");
  }
  const RunFolder& run = *verification.run;
  const StageDescription description = run.read_description();
  const std::unique_ptr<Stage> stage = factory(description);
  const auto completion = run.read_completion();
  if (run.read_identity() != identity_of_stage(description, stage->algorithm_version())) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("the inputs of {} (or organon) have changed since, so that no part of it can be computed "
                    "alone: run it anew",
                    title_of(description)));
  }
  if (run.is_running()) {
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{} is being made just now: wait for it", title_of(description)));
  }
  // From here on a run that is cut short is gone on with.
  run.remove_completion();
  std::vector<std::set<std::int64_t>> blocks;
  try {
    std::vector<StepPlan> plans;
    std::vector<std::unique_ptr<Step>> steps;
    for (std::size_t i = 0; i < stage->steps_of(run).size(); ++i) {
      steps.push_back(stage->make_step(i, run));
      plans.push_back(steps.back()->plan());
      create_missing_outputs(plans.back(), description.verb);
    }
    blocks = blocks_to_repair(run, verification.damage, plans);
  } catch (const std::exception&) {
    // What an earlier step left is damaged, so that the later ones cannot be planned: all are computed again.
    blocks.clear();
    for (std::size_t i = 0; std::filesystem::exists(run.step(i)); ++i) {
      blocks.emplace_back();
      const auto record = read_step_record(run.step(i));
      for (std::int64_t block = 0; record && block < record->num_blocks; ++block) blocks.back().insert(block);
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].empty()) continue;
    auto voids = read_voids(run.step(i));
    for (const std::int64_t block : blocks[i]) voids[block] = run.session() + 1;
    write_voids(run.step(i), voids);
  }
  RunOptions as_before = options;
  if (const auto device = run.read_device()) as_before.device = device->type;
  RunResult result = run_stage(description, factory, run, as_before, progress);
  if (result.failures.empty() && completion && result.result != completion->result) {
    throw Error(ErrorKind::kInternal,
                fmt::format("the repaired {} is not what it was before the damage: run it anew with --force",
                            title_of(description)));
  }
  return result;
}

}  // namespace organon::blockwise
