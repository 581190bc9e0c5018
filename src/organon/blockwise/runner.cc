#include "organon/blockwise/runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <map>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/blockwise/growth.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/outputs.h"
#include "organon/blockwise/step_runner.h"
#include "organon/blockwise/worker_pool.h"

namespace organon::blockwise {
namespace {

// Of a worker that holds no voxels: program and libraries.
constexpr std::int64_t kProgramBytes = std::int64_t{128} << 20;
constexpr std::int64_t kFewestBatches = 256;
constexpr std::int64_t kBatchesPerWorker = 16;

// What a worker of a cluster has is its job's affair.
constexpr std::int64_t kUnknownMemory = std::numeric_limits<std::int64_t>::max();

// Every block of the step is computed again: what it wrote was removed.
void void_all(const RunFolder& run, std::size_t step, std::int64_t num_blocks, int session) {
  std::map<std::int64_t, int> voids;
  for (std::int64_t block = 0; block < num_blocks; ++block) voids[block] = session;
  write_voids(run.step(step), voids);
}

int next_session(const RunFolder& run) {
  const int session = run.session() + 1;
  run.write_session(session);
  return session;
}

int workers_that_fit(const StepPlan& plan, int wanted, std::int64_t available) {
  const std::int64_t per_worker = plan.bytes_per_worker + kProgramBytes;
  const std::int64_t fitting = available / per_worker;
  if (fitting < 1) {
    const bool has_shards = std::ranges::any_of(
        plan.outputs, [](const OutputDataset& output) { return storage::has_shards(output.spec); });
    throw Error(
        ErrorKind::kResourceExhausted,
        fmt::format("a worker needs up to {} MiB, {} MiB may be taken; choose a smaller --block-shape{}",
                    per_worker >> 20, available >> 20,
                    has_shards ? ", or smaller shards, which blocks write whole" : ""));
  }
  return static_cast<int>(std::min<std::int64_t>({wanted, fitting, plan.max_workers, plan.blocks().count()}));
}

// Voxels of two kinds of device never meet in one run; `decided` is that of the run whose voxels it takes.
void check_device(const Stage& stage, const std::optional<RunFolder::Device>& decided,
                  const std::string& asked) {
  const std::vector<std::string> types = stage.device_types();
  if (asked.empty() || types.empty()) return;
  if (std::find(types.begin(), types.end(), asked) == types.end()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--device: expected one of {}, found '{}'", fmt::join(types, ", "), asked));
  }
  if (decided && decided->type != asked) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--device {0}: this run began on {1} (on {2}), and voxels of different kinds of "
                            "device do not go together; go on with --device {1}, or begin anew with --force "
                            "--device {0}",
                            asked, decided->type, decided->host));
  }
}

}  // namespace

std::int64_t available_memory_bytes() {
  std::int64_t available = std::int64_t{1} << 40;
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  while (meminfo >> word) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && meminfo >> kib) available = kib * 1024;
  }
  std::ifstream limit_file("/sys/fs/cgroup/memory.max");
  std::int64_t limit = 0;
  std::int64_t used = 0;
  std::ifstream used_file("/sys/fs/cgroup/memory.current");
  if (limit_file >> limit && used_file >> used) {
    // Pages of files that were read count as used, and go when memory is asked for.
    std::ifstream statistics("/sys/fs/cgroup/memory.stat");
    std::int64_t bytes = 0;
    while (statistics >> word >> bytes)
      if (word == "inactive_file") used -= bytes;
    available = std::clamp<std::int64_t>(limit - used, 0, available);
  }
  return available;
}

void run_block(const RunFolder& run, const StageFactory& factory, std::size_t step, std::int64_t block,
               Fsync fsync) {
  const RunLock lock(run.path());
  if (!std::filesystem::exists(run.step(step) / "plan.json")) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: step {} has not begun; see organon status", run.path().string(), step + 1));
  }
  const std::int64_t num_blocks =
      factory(run.read_description())->make_step(step, run)->plan().blocks().count();
  if (block < 0 || block >= num_blocks) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("no block {}: step {} has blocks 0 to {}", block, step + 1, num_blocks - 1));
  }
  WorkerOptions worker;
  worker.step = step;
  worker.session = next_session(run);
  worker.fsync = fsync;
  worker.only_block = block;
  const WorkerOutcome outcome = work(run, factory, worker);
  if (const auto refusal = refusal_of(run.step(step), name_of_worker(worker)))
    throw Error(ErrorKind::kUnsupported, *refusal);
  Ledger ledger(run.step(step), num_blocks, worker.session);
  ledger.refresh();
  const auto failure = ledger.failures().find(block);
  if (failure != ledger.failures().end()) throw Error(ErrorKind::kInternal, failure->second);
  throw_if_cancelled();
  if (outcome == WorkerOutcome::kStopped)
    throw Error(ErrorKind::kResourceExhausted,
                ledger.stop_message().empty() ? "the disk or memory is full" : ledger.stop_message());
}

bool is_complete(const StageDescription& description, const StageFactory& factory, const RunFolder& run) {
  const auto completion = run.read_completion();
  if (!completion || !outputs_exist(description)) return false;
  try {
    return completion->identity == identity_of_stage(description, factory(description)->algorithm_version());
  } catch (const Error&) {
    return false;
  }
}

std::vector<PlanLine> plan_stage(const Stage& stage, int workers) {
  std::vector<PlanLine> lines;
  const std::vector<StepPlan> plans = stage.plans();
  const std::vector<std::string> names = stage.steps();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const StepPlan& plan = plans[i];
    const double in_parallel = std::max(1, std::min(workers, plan.max_workers));
    lines.push_back({names.at(i), plan.blocks().count(), plan.bytes_read, plan.bytes_written,
                     plan.bytes_per_worker,
                     static_cast<double>(plan.domain.volume()) / plan.voxels_per_second / in_parallel});
  }
  return lines;
}

RunResult run_stage(const StageDescription& given, const StageFactory& factory, const RunFolder& run,
                    const RunOptions& options, Progress& progress) {
  // Workers, and the next call from another folder, must find the same places.
  StageDescription description = given;
  for (auto* addresses : {&description.inputs, &description.outputs})
    for (std::string& address : *addresses)
      address = storage::address_in(std::filesystem::current_path(), address);
  const auto begin = std::chrono::steady_clock::now();
  RunResult result;
  const std::unique_ptr<Stage> asked = factory(description);
  for (const std::string& address : description.outputs) {
    if (!asked->makes_files() || storage::parse_address(address).is_local()) continue;
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{} makes files: its output must lie on this machine, not at {}",
                            description.verb, address));
  }
  const std::vector<std::string> input_identities = identities_of_inputs(description);
  const std::string identity = identity_of_stage(description, asked->algorithm_version(), input_identities);
  const RunLock lock(run.path());
  end_setting_aside(run);
  const auto completion = run.read_completion();
  if (completion && completion->identity == identity && !options.force && outputs_exist(description)) {
    result.was_unchanged = true;
    result.result = completion->result;
    clear_after_run(run);  // that died in its last moment
    return result;
  }
  const int wanted = options.workers > 0 ? options.workers
                                         : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const std::int64_t memory_bytes = options.memory_bytes > 0 ? options.memory_bytes
                                    : options.uses_slurm     ? kUnknownMemory
                                                             : available_memory_bytes();
  // Nothing is touched before it is known that this can run.
  const std::vector<StepPlan> first_plans = asked->plans();
  for (const StepPlan& plan : first_plans) workers_that_fit(plan, wanted, memory_bytes);
  check_apart(description, first_plans);
  // A run of the same identity that was cut short goes on, with the block shape it began with.
  const bool goes_on = !completion && run.read_identity() == identity && !options.force;
  if (!goes_on) refuse_foreign_outputs(description, run);
  const auto finished = goes_on || options.force
                            ? std::nullopt
                            : find_finished_run(description, asked->algorithm_version(), run);
  auto device = goes_on ? run.read_device() : finished ? finished->read_device() : std::nullopt;
  check_device(*asked, device, options.device);
  // From here on workers of earlier sessions write nothing more, so that nothing of theirs gets into new
  // outputs.
  const int session = next_session(run);
  StageDescription effective = description;
  if (goes_on) {
    effective = run.read_description();
    effective.outputs = description.outputs;
    effective.inputs = description.inputs;
  } else {
    if (finished)
      set_aside(run);
    else
      forget_finished_run(run);
    clear_outputs(description, run);
  }
  const std::unique_ptr<Stage> stage = factory(effective);
  if (!options.device.empty() && !stage->device_types().empty())
    device = {options.device, true, device ? device->host : host_name()};
  if (device) run.write_device(*device);
  run.write_description(effective, identity, input_identities);
  std::unique_ptr<WorkerPool> pool;
  if (options.uses_slurm) {
    std::int64_t bytes = 0;
    for (const StepPlan& plan : first_plans) bytes = std::max(bytes, plan.bytes_per_worker);
    pool = make_slurm_pool(
        run, {options.worker_program, options.worker_arguments, options.sbatch_arguments, bytes});
  } else if (!options.worker_program.empty()) {
    pool = make_local_pool(run, factory,
                           {options.worker_program, options.worker_arguments, stage->needs_fresh_workers()});
  }

  std::vector<StepPlan> plans;
  for (std::size_t i = 0;; ++i) {
    // What the last step found may ask for further rounds.
    const std::vector<std::string> names = stage->steps_of(run);
    if (i == names.size()) break;
    const std::unique_ptr<Step> step = stage->make_step(i, run);
    plans.push_back(step->plan());
    const StepPlan& plan = plans.back();
    const std::int64_t num_blocks = plan.blocks().count();
    result.num_blocks += num_blocks;
    auto record = read_step_record(run.step(i));
    if (!record) {
      create_outputs(plan, description.verb, run, i);
      note_inputs(run, plans);
      const std::int64_t num_kept =
          keep_blocks(description, run, names, plans, options.fsync, wanted, progress);
      // Many batches per worker, so that they end together; not more, so that claims are few, whatever the
      // volume.
      const std::int64_t num_batches = std::max<std::int64_t>(kFewestBatches, kBatchesPerWorker * wanted);
      const std::int64_t batch = std::max<std::int64_t>(num_blocks / num_batches, 1);
      write_text_atomically(run.step(i) / "plan.json", to_text({{"step", names[i]},
                                                                {"num_steps", names.size()},
                                                                {"num_blocks", num_blocks},
                                                                {"num_kept", num_kept},
                                                                {"batch", batch},
                                                                {"bytes_per_worker", plan.bytes_per_worker},
                                                                {"bytes_read", plan.bytes_read},
                                                                {"bytes_written", plan.bytes_written},
                                                                {"reuse", reuse_record(plan)}}));
      record = read_step_record(run.step(i));
    }
    const std::int64_t num_kept = record->num_kept;
    result.num_kept += num_kept;
    if (create_missing_outputs(plan, description.verb)) void_all(run, i, num_blocks, session);
    if (num_blocks == 0) continue;
    const bool is_long_block = num_blocks == 1;
    progress.start(title_of(description) + ": " + names[i], is_long_block ? 1000 : num_blocks,
                   is_long_block ? "permille" : "blocks");
    run.write_current_step(session, i);
    const StepRun step_run{i, session, num_blocks, workers_that_fit(plan, wanted, memory_bytes),
                           memory_bytes};
    const auto failures = run_step(step_run, run, factory, options, pool.get(), progress);
    const auto num_failed = static_cast<std::int64_t>(failures.size());
    progress.finish(fmt::format("{} of {} blocks{}", num_blocks - num_failed, num_blocks,
                                num_kept > 0 ? fmt::format(", {} kept from before", num_kept) : ""));
    for (const auto& [block, message] : failures) result.failures.push_back({i, block, message});
    if (!result.failures.empty()) return result;
  }
  const Results results = results_of(run, plans);
  result.result = results.of_all;
  seal(effective, results, identity, input_identities, run.read_device());
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  run.write_completion({identity, result.result, result.seconds});
  clear_after_run(run);
  return result;
}

}  // namespace organon::blockwise
