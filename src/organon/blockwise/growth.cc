#include "organon/blockwise/growth.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/parallel.h"
#include "organon/blockwise/chunk_content.h"
#include "organon/blockwise/journal.h"
#include "organon/storage/json_fields.h"

namespace organon::blockwise {
namespace {

// Blocks whose chunks are looked at together.
constexpr std::size_t kBlocksAtOnce = 256;

// The run that was set aside, a run folder itself, with its datasets under data/.
RunFolder previous_run(const RunFolder& run) { return RunFolder(run.path() / "previous"); }
std::filesystem::path previous_step(const RunFolder& run, std::size_t step) {
  return previous_run(run).step(step);
}
std::filesystem::path previous_data(const RunFolder& run, std::size_t step, std::size_t output) {
  return previous_run(run).path() / "data" / fmt::format("{}.{}", step, output);
}
// Where a dataset goes that lies on another file system than the run: beside itself. A link under data/ leads
// to it.
std::filesystem::path sibling_of(const std::filesystem::path& dataset) {
  return dataset.parent_path() / (".previous-" + dataset.filename().string());
}
std::filesystem::path input_file(const std::filesystem::path& folder, const std::string& address) {
  return folder / "inputs" / to_hex(hash_text(address));
}

std::string_view to_string(Reuse reuse) {
  return reuse == Reuse::kNone ? "none" : reuse == Reuse::kSameRows ? "same rows" : "anywhere";
}

Json to_json(const Box& box) {
  return {box.begin.z, box.begin.y, box.begin.x, box.end.z, box.end.y, box.end.x};
}
Box box_of(const Json& json) {
  return {{json.at(0), json.at(1), json.at(2)}, {json.at(3), json.at(4), json.at(5)}};
}

// The key of a block's partial where its id is another; nothing where the key is of something else.
std::optional<std::int64_t> key_in(std::int64_t key, std::int64_t before, std::int64_t now) {
  if (before == now) return key;
  if (key == before) return now;
  for (const int kind : {0, 1})
    if (key == further_key(before, kind)) return further_key(now, kind);
  return std::nullopt;
}

bool has_same_rows(const Shape3& a, const Shape3& b) { return a.y == b.y && a.x == b.x; }

// A step of the finished run. Of what cannot be read, nothing is kept.
struct PreviousStep {
  std::size_t index = 0;
  Json reuse;
};

std::optional<PreviousStep> find_previous_step(const RunFolder& run, const std::string& name) {
  for (std::size_t i = 0;; ++i) {
    auto record = read_step_record(previous_step(run, i));
    if (!record) return std::nullopt;
    if (record->name == name) return PreviousStep{i, std::move(record->reuse)};
  }
}

using PartialHashes = std::map<std::int64_t, Hash128>;

PartialHashes partial_hashes(const std::filesystem::path& step_folder) {
  PartialHashes hashes;
  std::set<std::int64_t> blocks;
  JournalReader(step_folder).poll([&](const JournalRecord& record) {
    if (record.kind != JournalRecord::Kind::kCompleted || !blocks.insert(record.block).second) return;
    for (const PartialRecord& partial : record.partials) hashes[partial.key] = partial.hash;
  });
  return hashes;
}

// The last step of `plans`, and what it may keep of the finished run.
class Keeper {
 public:
  Keeper(const StageDescription& description, const RunFolder& run, const std::vector<std::string>& names,
         const std::vector<StepPlan>& plans)
      : run_(run), names_(names), plans_(plans), plan_(plans.back()), step_(plans.size() - 1) {
    if (plan_.reuse == Reuse::kNone) return;
    try {
      look(description);
    } catch (const Json::exception&) {
      can_keep_ = false;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kCorruptData) throw;
      can_keep_ = false;
    }
  }

  /// Of the finished run's blocks.
  std::int64_t num_blocks() const { return can_keep_ ? previous_blocks_->count() : 0; }

  std::int64_t keep(Fsync fsync, int threads, Progress& progress) {
    if (!can_keep_) return 0;
    std::vector<std::shared_ptr<storage::Dataset>> datasets;
    std::vector<std::filesystem::path> folders = {run_.path()};
    for (const OutputDataset& output : plan_.outputs) {
      datasets.push_back(storage::open_dataset(output.address));
      std::filesystem::path folder = datasets.back()->path();
      while (!std::filesystem::exists(folder)) folder = folder.parent_path();
      folders.push_back(std::move(folder));
    }
    JournalWriter journal(run_.step(step_), kKeptJournal, fsync, std::move(folders));
    std::set<std::int64_t> seen;
    std::vector<JournalRecord> records;
    std::int64_t num_kept = 0;
    const auto keep_records = [&] {
      num_kept += keep_together(records, datasets, journal, threads);
      records.clear();
      progress.update(static_cast<std::int64_t>(seen.size()));
    };
    JournalReader(previous_step(run_, previous_)).poll([&](const JournalRecord& record) {
      if (record.kind != JournalRecord::Kind::kCompleted || !seen.insert(record.block).second) return;
      if (!holds(record)) return;
      records.push_back(record);
      if (records.size() == kBlocksAtOnce) keep_records();
    });
    keep_records();
    journal.commit();
    return num_kept;
  }

 private:
  void look(const StageDescription& description) {
    const auto previous = find_previous_step(run_, names_.at(step_));
    if (!previous || previous->reuse.is_null()) return;
    previous_ = previous->index;
    const Json& before = previous->reuse;
    const Shape3 block_shape =
        storage::shape_of(before.at("block_shape"), storage::AxisOrder::kZyx, "plan.json");
    if (block_shape != plan_.block_shape) return;
    previous_blocks_.emplace(box_of(before.at("domain")), block_shape);
    const Box& domain = previous_blocks_->domain();
    // Part of a volume: whether the domain's end is the box's or the volume's is not looked into.
    can_keep_ = before.at("kind") == to_string(plan_.reuse) && before.at("depends_on") == plan_.depends_on &&
                (description.box_nm.empty() || domain == plan_.domain) &&
                before.at("outputs").size() == plan_.outputs.size();
    if (plan_.reuse == Reuse::kSameRows)
      can_keep_ = can_keep_ && has_same_rows(domain.shape(), plan_.domain.shape());
    for (std::size_t i = 0; can_keep_ && i < plan_.outputs.size(); ++i) {
      const Json& output = before.at("outputs").at(i);
      can_keep_ =
          output.at("address") == plan_.outputs[i].address &&
          output.at("kind") == kind_of(plan_.outputs[i].spec) &&
          has_rows_for_reuse(storage::shape_of(output.at("shape"), storage::AxisOrder::kZyx, "plan.json"),
                             plan_.outputs[i].spec.shape);
    }
    if (can_keep_) read_contents();
    if (can_keep_) read_partials();
  }

  struct Read {
    std::function<Box(const Box&)> box_read_by;
    ChunkContent before;
    ChunkContent now;
  };
  struct ReadPartials {
    std::function<std::vector<std::int64_t>(const Block&)> keys_read_by;
    PartialHashes before;
    PartialHashes now;
  };

  bool has_rows_for_reuse(const Shape3& before, const Shape3& now) const {
    return plan_.reuse != Reuse::kSameRows || has_same_rows(before, now);
  }

  // The output of an earlier step that lies at `address`, of this run and of the finished one.
  std::optional<Read> read_of_earlier_step(const InputDataset& input) const {
    for (std::size_t maker = 0; maker < step_; ++maker) {
      for (std::size_t i = 0; i < plans_[maker].outputs.size(); ++i) {
        const OutputDataset& output = plans_[maker].outputs[i];
        if (output.address != input.address) continue;
        ChunkContent now =
            ChunkContent::of(output.spec.shape, storage::stored_shape(output.spec), kind_of(output.spec));
        fill_from_journals(run_.step(maker), i, now);
        ChunkContent before;
        if (const auto previous = find_previous_step(run_, names_[maker]);
            previous && !previous->reuse.is_null()) {
          const Json& outputs = previous->reuse.at("outputs");
          if (i < outputs.size() && outputs[i].at("address") == output.address) {
            const Shape3 shape =
                storage::shape_of(outputs[i].at("shape"), storage::AxisOrder::kZyx, "plan.json");
            if (outputs[i].at("kind") == now.kind) {
              before = ChunkContent::of(shape, now.chunk_shape, now.kind);
              fill_from_journals(previous_step(run_, previous->index), i, before);
            }
          }
        }
        return Read{input.box_read_by, std::move(before), std::move(now)};
      }
    }
    return std::nullopt;
  }

  void read_contents() {
    for (const InputDataset& input : plan_.inputs) {
      std::optional<Read> read = read_of_earlier_step(input);
      if (!read) {
        auto before = read_content(input_file(previous_run(run_).path(), input.address));
        auto now = read_content(input_file(run_.path(), input.address));
        if (before && now) read = Read{input.box_read_by, std::move(*before), std::move(*now)};
      }
      can_keep_ = can_keep_ && read && read->before.kind == read->now.kind &&
                  has_rows_for_reuse(read->before.shape, read->now.shape);
      if (!can_keep_) return;
      reads_.push_back(std::move(*read));
    }
  }

  void read_partials() {
    for (const PartialInput& partials : plan_.partials) {
      std::optional<ReadPartials> read;
      for (std::size_t maker = 0; maker < step_ && !read; ++maker) {
        if (run_.step(maker) != partials.step_folder) continue;
        const auto previous = find_previous_step(run_, names_[maker]);
        if (!previous) break;
        read = ReadPartials{partials.keys_read_by, partial_hashes(previous_step(run_, previous->index)),
                            partial_hashes(run_.step(maker))};
      }
      can_keep_ = can_keep_ && read.has_value();
      if (!can_keep_) return;
      partials_.push_back(std::move(*read));
    }
  }

  // The block of the new grid at the place of block `id` of the old one; nothing where it has another box.
  std::optional<Block> block_now(std::int64_t id) const {
    if (id < 0 || id >= previous_blocks_->count()) return std::nullopt;
    const Box box = previous_blocks_->box_of(id);
    const BlockGrid blocks = plan_.blocks();
    if (box.empty() || !plan_.domain.contains(box)) return std::nullopt;
    const Index3 position = blocks.position_containing(box.begin);
    if (blocks.box_of(position) != box) return std::nullopt;
    return Block{blocks.id_of(position), position, box};
  }

  // By rules 1 to 3 of the header.
  bool holds(const JournalRecord& record) const {
    const auto now = block_now(record.block);
    if (!now || !record.files.empty()) return false;
    for (const PartialRecord& partial : record.partials)
      if (!key_in(partial.key, record.block, now->id)) return false;
    for (const OutputChunk& chunk : record.chunks)
      if (chunk.output >= plan_.outputs.size()) return false;
    for (const Read& read : reads_)
      if (!has_same_content(read.before, read.now, read.box_read_by(now->write_box))) return false;
    const Block before{record.block, previous_blocks_->position_of(record.block), now->write_box};
    for (const ReadPartials& read : partials_) {
      const auto keys_before = read.keys_read_by(before);
      const auto keys = read.keys_read_by(*now);
      if (keys.size() != keys_before.size()) return false;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto one = read.before.find(keys_before[i]);
        const auto other = read.now.find(keys[i]);
        const bool is_left = one != read.before.end();
        if (is_left != (other != read.now.end())) return false;
        if (is_left && one->second != other->second) return false;
      }
    }
    return true;
  }

  std::filesystem::path old_file(const storage::Dataset& dataset, const OutputChunk& chunk) const {
    return previous_data(run_, previous_, chunk.output) /
           dataset.chunk_file(chunk.chunk.position)->lexically_relative(dataset.path());
  }

  // Rule 4: nothing is kept that was damaged or lost since.
  bool has_sound_chunks(const JournalRecord& record,
                        const std::vector<std::shared_ptr<storage::Dataset>>& datasets) const {
    return std::all_of(record.chunks.begin(), record.chunks.end(), [&](const OutputChunk& chunk) {
      const auto file = read_file_if_exists(old_file(*datasets[chunk.output], chunk));
      return chunk.chunk.is_absent ? !file : file && hash_bytes(*file) == chunk.chunk.file;
    });
  }

  void link_chunks(const JournalRecord& record,
                   const std::vector<std::shared_ptr<storage::Dataset>>& datasets) const {
    for (const OutputChunk& chunk : record.chunks) {
      if (chunk.chunk.is_absent) continue;
      const storage::Dataset& dataset = *datasets[chunk.output];
      const std::filesystem::path from = old_file(dataset, chunk);
      const std::filesystem::path to = dataset.chunk_file(chunk.chunk.position).value();
      std::filesystem::create_directories(to.parent_path());
      std::error_code no_links;
      std::filesystem::create_hard_link(from, to, no_links);
      if (no_links) std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
    }
  }

  // Records of blocks that hold. Returns how many were kept.
  std::int64_t keep_together(std::vector<JournalRecord>& records,
                             const std::vector<std::shared_ptr<storage::Dataset>>& datasets,
                             JournalWriter& journal, int threads) const {
    std::vector<char> is_sound(records.size(), 0);
    SilentProgress silent;
    for_each_in_parallel(
        static_cast<std::int64_t>(records.size()),
        [&](std::int64_t i) {
          const auto at = static_cast<std::size_t>(i);
          if (!has_sound_chunks(records[at], datasets)) return;
          link_chunks(records[at], datasets);
          is_sound[at] = 1;
        },
        silent, "", "", threads);
    std::int64_t num_kept = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      fault_point("keep");
      if (is_sound[i] == 0) continue;
      JournalRecord kept = records[i];
      const std::int64_t id = block_now(kept.block)->id;
      kept.partials.clear();
      try {
        for (const PartialRecord& partial : records[i].partials) {
          const auto bytes = read_partial(previous_step(run_, previous_), records[i].worker, partial);
          kept.partials.push_back(journal.append_partial(key_in(partial.key, kept.block, id).value(), bytes));
        }
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kCorruptData) throw;
        unlink_chunks(kept, datasets);
        continue;
      }
      kept.block = id;
      journal.completed(kept);
      ++num_kept;
    }
    return num_kept;
  }

  static void unlink_chunks(const JournalRecord& record,
                            const std::vector<std::shared_ptr<storage::Dataset>>& datasets) {
    for (const OutputChunk& chunk : record.chunks)
      std::filesystem::remove(datasets[chunk.output]->chunk_file(chunk.chunk.position).value());
  }

  const RunFolder& run_;
  const std::vector<std::string>& names_;
  const std::vector<StepPlan>& plans_;
  const StepPlan& plan_;
  const std::size_t step_;
  bool can_keep_ = false;
  std::size_t previous_ = 0;
  std::optional<BlockGrid> previous_blocks_;
  std::vector<Read> reads_;
  std::vector<ReadPartials> partials_;
};

// Datasets and groups whose content blocks read by parts: what else changed, every block would read.
bool reads_by_parts(const std::string& input, const std::set<std::string>& addresses) {
  const std::string path = storage::absolute_place(input);
  return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    const std::string read = storage::absolute_place(address);
    return read == path || read.starts_with(path.ends_with('/') ? path : path + "/");
  });
}

bool is_sealed_by(const std::string& address, const std::string& identity) {
  const storage::Address parsed = storage::parse_address(address);
  // What lies in other stores cannot be renamed and linked.
  if (!parsed.is_local() || !std::filesystem::is_directory(parsed.path)) return false;
  try {
    const Json attributes = storage::open_dataset(address)->attributes();
    return attributes.contains("organon") && attributes["organon"].is_object() &&
           attributes["organon"].value("identity", "") == identity;
  } catch (const Error&) {
    return false;
  }
}

// Whether `finished` (the run itself, or what lies in its previous/) is of the same stage, whatever the
// content of the inputs, and some step may keep blocks of it.
bool holds_what_can_be_kept(const StageDescription& description, int algorithm_version, const RunFolder& run,
                            const RunFolder& finished) {
  const auto completion = finished.read_completion();
  // Of another layout nothing can be read.
  if (!completion || !finished.read_identity()) return false;
  const StageDescription before = finished.read_description();
  if (before.inputs != description.inputs || before.outputs != description.outputs) return false;
  // With the inputs of then it has the identity of then: nothing else differs.
  const std::vector<std::string> identities = finished.read_input_identities();
  if (identity_of_stage(description, algorithm_version, identities) != completion->identity) return false;

  const bool lies_in_place = finished.path() == run.path();
  bool can_keep = false;
  std::set<std::string> read_by_parts;
  for (std::size_t step = 0; std::filesystem::exists(finished.step(step)); ++step) {
    const auto record = read_step_record(finished.step(step));
    if (!record || record->reuse.is_null()) return false;
    const Json& reuse = record->reuse;
    can_keep = can_keep || reuse.at("kind") != to_string(Reuse::kNone);
    for (const std::string address : reuse.at("inputs")) read_by_parts.insert(address);
    for (const Json& output : reuse.at("outputs")) {
      const std::string address = output.at("address");
      if (lies_in_place && !run.is_scratch(address) && !is_sealed_by(address, completion->identity))
        return false;
    }
  }
  if (!can_keep) return false;
  for (std::size_t i = 0; i < description.inputs.size(); ++i) {
    const std::string& input = description.inputs[i];
    if (!reads_by_parts(input, read_by_parts) && identity_of_input(input) != identities.at(i)) return false;
  }
  return true;
}

}  // namespace

Json reuse_record(const StepPlan& plan) {
  Json inputs = Json::array();
  for (const InputDataset& input : plan.inputs) inputs.push_back(input.address);
  Json outputs = Json::array();
  for (const OutputDataset& output : plan.outputs) {
    outputs.push_back({{"address", output.address},
                       {"shape", storage::to_json(output.spec.shape, storage::AxisOrder::kZyx)},
                       {"kind", kind_of(output.spec)}});
  }
  return {{"kind", to_string(plan.reuse)},
          {"domain", to_json(plan.domain)},
          {"block_shape", storage::to_json(plan.block_shape, storage::AxisOrder::kZyx)},
          {"depends_on", plan.depends_on},
          {"inputs", inputs},
          {"outputs", outputs}};
}

std::optional<RunFolder> find_finished_run(const StageDescription& description, int algorithm_version,
                                           const RunFolder& run) {
  const RunFolder finished = run.read_completion() ? run : previous_run(run);
  try {
    if (holds_what_can_be_kept(description, algorithm_version, run, finished)) return finished;
  } catch (const Json::exception&) {
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCorruptData) throw;
  }
  return std::nullopt;
}

void set_aside(const RunFolder& run) {
  if (!run.read_completion()) return;
  forget_finished_run(run);
  const std::filesystem::path to = previous_run(run).path();
  std::filesystem::create_directories(to / "data");
  fault_point("set aside");
  std::filesystem::rename(run.path() / "complete.json", to / "complete.json");
  sync_folder(to);
  end_setting_aside(run);
}

void end_setting_aside(const RunFolder& run) {
  const RunFolder previous = previous_run(run);
  const std::filesystem::path& to = previous.path();
  if (!has_finished_run_aside(run) || std::filesystem::exists(to / "stage.json")) return;
  fault_point("set aside");
  for (const char* name : {"steps", "inputs", "device.json"}) {
    if (std::filesystem::exists(run.path() / name)) std::filesystem::rename(run.path() / name, to / name);
    fault_point("set aside");
  }
  for (std::size_t step = 0;; ++step) {
    const auto record = read_step_record(previous.step(step));
    if (!record) break;
    for (std::size_t i = 0; i < record->reuse.at("outputs").size(); ++i) {
      const std::string address = record->reuse["outputs"][i].at("address");
      const std::filesystem::path from = storage::parse_address(address).path;
      if (!std::filesystem::exists(from)) continue;
      std::error_code error;
      std::filesystem::rename(from, previous_data(run, step, i), error);
      if (error == std::errc::cross_device_link) {
        std::filesystem::remove_all(sibling_of(from));
        std::filesystem::remove(previous_data(run, step, i));
        std::filesystem::create_directory_symlink(std::filesystem::absolute(sibling_of(from)),
                                                  previous_data(run, step, i));
        std::filesystem::rename(from, sibling_of(from));
      } else if (error) {
        throw Error(ErrorKind::kIo, fmt::format("cannot move {} to {}: {}", from.string(),
                                                previous_data(run, step, i).string(), error.message()));
      }
      fault_point("set aside");
    }
  }
  std::filesystem::remove_all(run.path() / "scratch.n5");
  sync_folder(to);
  fault_point("set aside");
  if (std::filesystem::exists(run.path() / "stage.json"))
    std::filesystem::rename(run.path() / "stage.json", to / "stage.json");
  sync_folder(run.path());
  fault_point("set aside");
}

bool has_finished_run_aside(const RunFolder& run) {
  return std::filesystem::exists(previous_run(run).path() / "complete.json");
}

void note_inputs(const RunFolder& run, const std::vector<StepPlan>& plans) {
  if (plans.back().reuse == Reuse::kNone) return;
  for (const InputDataset& input : plans.back().inputs) {
    const bool is_own = std::any_of(plans.begin(), plans.end(), [&](const StepPlan& plan) {
      return std::any_of(plan.outputs.begin(), plan.outputs.end(),
                         [&](const OutputDataset& output) { return output.address == input.address; });
    });
    const std::filesystem::path file = input_file(run.path(), input.address);
    // Of other stores it is not known which chunks changed.
    if (is_own || std::filesystem::exists(file) || !storage::parse_address(input.address).is_local())
      continue;
    write_content(file, content_of_input(input.address));
  }
}

std::int64_t keep_blocks(const StageDescription& description, const RunFolder& run,
                         const std::vector<std::string>& names, const std::vector<StepPlan>& plans,
                         Fsync fsync, int threads, Progress& progress) {
  if (!has_finished_run_aside(run)) return 0;
  // Of a supervisor that died here.
  const std::filesystem::path step_folder = run.step(plans.size() - 1);
  for (const char* name : {"journals", "partials"}) std::filesystem::remove_all(step_folder / name);
  Keeper keeper(description, run, names, plans);
  if (keeper.num_blocks() == 0) return 0;
  progress.start(fmt::format("{}: {}: look for what still holds", title_of(description), names.back()),
                 keeper.num_blocks(), "blocks");
  const std::int64_t num_kept = keeper.keep(fsync, threads, progress);
  progress.finish(fmt::format("{} of {} blocks hold", num_kept, keeper.num_blocks()));
  return num_kept;
}

void forget_finished_run(const RunFolder& run) {
  const std::filesystem::path folder = previous_run(run).path();
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "data", missing))
    if (entry.is_symlink()) std::filesystem::remove_all(std::filesystem::read_symlink(entry.path()));
  std::filesystem::remove_all(folder);
}

void clear_after_run(const RunFolder& run) {
  forget_finished_run(run);
  if (!std::filesystem::exists(run.path() / "scratch.n5")) return;
  bool is_any_kept = false;
  for (std::size_t step = 0;; ++step) {
    const auto record = read_step_record(run.step(step));
    if (!record) break;
    if (record->reuse.is_null()) continue;
    const bool is_kept = record->reuse.at("kind") != to_string(Reuse::kNone);
    for (const Json& output : record->reuse.at("outputs")) {
      const std::string address = output.at("address");
      if (!run.is_scratch(address)) continue;
      if (is_kept)
        is_any_kept = true;
      else
        std::filesystem::remove_all(storage::parse_address(address).path);
    }
  }
  if (!is_any_kept) std::filesystem::remove_all(run.path() / "scratch.n5");
}

}  // namespace organon::blockwise
