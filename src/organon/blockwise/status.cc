#include "organon/blockwise/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/growth.h"
#include "organon/blockwise/journal.h"

namespace organon::blockwise {
namespace {

constexpr double kRateSeconds = 300;  // that the rate is taken over
// Writers rename their temporary files within moments; older ones have no writer any more.
constexpr auto kForgottenAfter = std::chrono::hours(1);

StepStatus step_status(const RunFolder& run, std::size_t step, const StepRecord& recorded, int session,
                       bool is_running) {
  StepStatus status;
  status.name = recorded.name;
  status.num_blocks = recorded.num_blocks;
  const std::string prefix = fmt::format("s{}-", session);
  std::set<std::int64_t> completed;
  std::set<std::int64_t> skipped;
  std::map<std::int64_t, std::string> failed;
  std::map<std::int64_t, std::string> started;  // block -> last worker
  std::vector<double> times;
  JournalReader(run.step(step)).poll([&](const JournalRecord& record) {
    using Kind = JournalRecord::Kind;
    const bool is_current = record.worker.starts_with(prefix);
    if (record.kind == Kind::kCompleted) {
      const bool is_empty = record.partials.empty() &&
                            std::all_of(record.chunks.begin(), record.chunks.end(),
                                        [](const OutputChunk& chunk) { return chunk.chunk.is_absent; });
      completed.insert(record.block);
      if (record.worker == kKeptJournal) ++status.kept;
      if (is_empty) skipped.insert(record.block);
      status.peak_bytes = std::max(status.peak_bytes, record.peak_bytes);
      if (is_current) times.push_back(record.unix_time);
    }
    if (record.kind == Kind::kStarted) started[record.block] = record.worker;
    if (record.kind == Kind::kFailed && is_current && record.block >= 0)
      failed[record.block] = record.message;
    if (record.kind == Kind::kWorker && is_current) {
      status.workers.push_back(fmt::format("{} on {}", record.worker, record.message));
    }
  });
  status.skipped = static_cast<std::int64_t>(skipped.size());
  status.completed = static_cast<std::int64_t>(completed.size()) - status.skipped;
  for (const auto& [block, message] : failed)
    if (!completed.contains(block)) status.failures.emplace_back(block, message);
  status.failed = static_cast<std::int64_t>(status.failures.size());
  for (const auto& [block, worker] : started) {
    if (completed.contains(block) || failed.contains(block)) continue;
    const bool lives = is_running && worker.starts_with(prefix) &&
                       !std::filesystem::exists(run.step(step) / "dead" / worker);
    ++(lives ? status.processing : status.orphaned);
  }
  status.ready = status.num_blocks - status.completed - status.skipped - status.failed - status.processing -
                 status.orphaned;
  std::sort(times.begin(), times.end());
  if (times.size() >= 2) {
    const auto first = std::lower_bound(times.begin(), times.end() - 1, times.back() - kRateSeconds);
    const double seconds = times.back() - *first;
    if (seconds > 0) status.blocks_per_second = static_cast<double>(times.end() - first - 1) / seconds;
  }
  if (is_running && status.num_blocks == 1) {
    const Report report = read_report(run.step(step), session);
    status.fraction = report.fraction;
    status.note = report.note;
  }
  const std::int64_t left = status.ready + status.processing + status.orphaned;
  if (is_running && left > 0 && status.blocks_per_second > 0)
    status.seconds_left = static_cast<double>(left) / status.blocks_per_second;
  return status;
}

std::int64_t bytes_below(const std::filesystem::path& path) {
  std::error_code gone;
  if (!std::filesystem::is_directory(path))
    return static_cast<std::int64_t>(std::filesystem::file_size(path, gone));
  std::int64_t sum = 0;
  for (auto at = std::filesystem::recursive_directory_iterator(path, gone); at != end(at); at.increment(gone))
    if (at->is_regular_file(gone)) sum += static_cast<std::int64_t>(at->file_size(gone));
  return sum;
}

// Calls use(entry) for all below `folder`, into folders where it returns true. Runs make and remove folders
// meanwhile: what vanishes is passed over.
template <class Use>
void walk(const std::filesystem::path& folder, const Use& use) {
  std::error_code gone;
  for (auto at = std::filesystem::directory_iterator(folder, gone);
       at != std::filesystem::directory_iterator(); at.increment(gone)) {
    const bool is_folder = at->is_directory(gone) && !at->is_symlink(gone);
    if (use(*at) && is_folder) walk(at->path(), use);
  }
}

bool is_run(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "session") || std::filesystem::exists(folder / "stage.json");
}

bool is_temporary_file(const std::string& name) {
  return name.starts_with('.') && name.ends_with(".partial");
}

// Whose output may lie in `folder`: run folders lie beside containers.
bool is_run_working_above(const std::filesystem::path& folder) {
  for (std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
       path.has_relative_path(); path = path.parent_path()) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(path / ".organon" / "runs", missing))
      if (RunFolder(entry.path()).is_running()) return true;
  }
  return false;
}

}  // namespace

RunStatus read_status(const RunFolder& run) {
  if (!std::filesystem::exists(run.path() / "stage.json")) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no run of organon is kept here", run.path().string()));
  }
  RunStatus status;
  status.description = run.read_description();
  status.is_running = run.is_running();
  const auto completion = run.read_completion();
  status.is_complete = completion.has_value();
  status.session = run.session();
  if (status.is_running) {
    std::error_code not_yet;
    const auto began = std::filesystem::last_write_time(run.path() / "session", not_yet);
    const auto now = std::filesystem::file_time_type::clock::now();
    if (!not_yet) status.seconds = std::chrono::duration<double>(now - began).count();
  } else if (completion) {
    status.seconds = completion->seconds;
  }
  if (const auto device = run.read_device()) status.device = device->type;
  for (std::size_t step = 0;; ++step) {
    const auto recorded = read_step_record(run.step(step));
    if (!recorded) break;
    status.num_steps = recorded->num_steps;
    status.steps.push_back(step_status(run, step, *recorded, status.session, status.is_running));
  }
  return status;
}

Report read_report(const std::filesystem::path& step_folder, int session) {
  Report report;
  std::error_code missing;
  // Of workers before, who were killed, it says nothing.
  const std::string prefix = fmt::format("s{}-", session);
  for (const auto& entry : std::filesystem::directory_iterator(step_folder / "reports", missing)) {
    const std::string worker = entry.path().filename().string();
    if (!worker.starts_with(prefix) || std::filesystem::exists(step_folder / "dead" / worker)) continue;
    const std::string text = read_text(entry.path());
    const std::size_t blank = text.find(' ');
    const double fraction = std::atof(text.c_str());
    if (fraction < report.fraction || blank == std::string::npos) continue;
    report = {fraction, text.substr(blank + 1)};
  }
  return report;
}

std::int64_t count_blocks(const RunFolder& run) {
  std::int64_t count = 0;
  for (std::size_t step = 0;; ++step) {
    const auto recorded = read_step_record(run.step(step));
    if (!recorded) return count;
    count += recorded->num_blocks;
  }
}

std::vector<RunFolder> find_runs(const std::filesystem::path& folder) {
  if (is_run(folder)) return {RunFolder(folder)};
  std::vector<RunFolder> runs;
  for (std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
       path.has_relative_path(); path = path.parent_path()) {
    const std::filesystem::path run = run_folder_of(path.string());
    if (is_run(run)) return {RunFolder(run)};
  }
  if (!std::filesystem::is_directory(folder)) return runs;
  walk(folder, [&](const std::filesystem::directory_entry& entry) {
    std::error_code gone;
    if (!entry.is_directory(gone)) return false;
    if (entry.path().filename() == ".organon") {
      walk(entry.path() / "runs", [&](const std::filesystem::directory_entry& run) {
        if (is_run(run.path())) runs.emplace_back(run.path());
        return false;
      });
      return false;
    }
    // Millions of chunks need not be walked through.
    return !std::filesystem::exists(entry.path() / "attributes.json", gone) &&
           !std::filesystem::exists(entry.path() / ".zarray", gone);
  });
  std::sort(runs.begin(), runs.end(),
            [](const RunFolder& a, const RunFolder& b) { return a.path() < b.path(); });
  return runs;
}

std::vector<Waste> find_waste(const std::filesystem::path& folder) {
  std::vector<Waste> waste;
  std::set<std::filesystem::path> gone_runs;
  const std::vector<RunFolder> runs = find_runs(folder);
  for (const RunFolder& run : runs) {
    if (run.is_running() || !std::filesystem::exists(run.path() / "stage.json")) continue;
    // Whether an output in another store is there is not asked.
    const auto outputs = run.read_description().outputs;
    if (std::any_of(outputs.begin(), outputs.end(),
                    [](const std::string& address) { return !storage::parse_address(address).is_local(); }))
      continue;
    // It holds a finished result that lies nowhere else.
    if (has_finished_run_aside(run)) continue;
    // By its name, not by what it notes: the whole may have been moved.
    const bool is_complete = run.read_completion().has_value();
    if (!std::filesystem::exists(output_of_run_folder(run.path()))) {
      waste.push_back({run.path(), is_complete ? "run whose output is gone" : "run that was cut short",
                       bytes_below(run.path()), is_complete, run.path()});
      gone_runs.insert(run.path());
      continue;
    }
    const std::filesystem::path scratch = run.path() / "scratch.n5";
    if (!std::filesystem::exists(scratch)) continue;
    waste.push_back({scratch,
                     is_complete ? "scratch that spares work when the volume grows"
                                 : "scratch of a run that was cut short",
                     bytes_below(scratch), false, run.path()});
  }
  if (!std::filesystem::is_directory(folder)) return waste;
  // Clocks differ between machines, so age alone does not tell that a writer died.
  const bool may_writers_live =
      std::any_of(runs.begin(), runs.end(), [](const RunFolder& run) { return run.is_running(); }) ||
      is_run_working_above(folder);
  const auto now = std::filesystem::file_time_type::clock::now();
  walk(folder, [&](const std::filesystem::directory_entry& entry) {
    std::error_code gone;
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(gone)) {
      if (!name.starts_with(".deleted-")) return !gone_runs.contains(entry.path());
      waste.push_back({entry.path(), "dataset that was replaced", bytes_below(entry.path()), true, {}});
      return false;
    }
    if (may_writers_live || !is_temporary_file(name) || !entry.is_regular_file(gone)) return false;
    const auto written = entry.last_write_time(gone);
    if (gone || now - written <= kForgottenAfter) return false;
    waste.push_back({entry.path(),
                     "file of a writer that died",
                     static_cast<std::int64_t>(entry.file_size(gone)),
                     true,
                     {}});
    return false;
  });
  return waste;
}

}  // namespace organon::blockwise
