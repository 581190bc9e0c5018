#include "organon/blockwise/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace organon::blockwise {
namespace {

constexpr double kLeastSeconds = 1e-6;
constexpr double kBinsPerDoubling = 4;
constexpr std::int64_t kFewestTimed = 8;

}  // namespace

Ledger::Ledger(const std::filesystem::path& step_folder, std::int64_t num_blocks, int session)
    : session_prefix_(fmt::format("s{}-", session)),
      reader_(step_folder, false),
      done_(static_cast<std::size_t>(num_blocks)) {}

void Ledger::refresh() {
  reader_.poll([&](const JournalRecord& record) { take(record); });
  last_refresh_ = Clock::now();
  for (const auto& [worker, bytes] : reader_.bytes_read()) {
    const auto [growth, is_new] = growth_.try_emplace(worker, Growth{bytes, last_refresh_});
    if (growth->second.bytes != bytes) growth->second = {bytes, last_refresh_};
  }
}

void Ledger::set_done(std::int64_t block) {
  if (is_done(block)) return;
  done_[static_cast<std::size_t>(block)] = true;
  ++num_done_;
  failures_.erase(block);
  attempts_.erase(block);
}

void Ledger::take(const JournalRecord& record) {
  using Kind = JournalRecord::Kind;
  const bool is_block = record.block >= 0 && record.block < num_blocks();
  if (record.kind == Kind::kCompleted && is_block) {
    set_done(record.block);
    peak_bytes_ = std::max(peak_bytes_, record.peak_bytes);
    const double bin = kBinsPerDoubling * std::log2(std::max(record.seconds, kLeastSeconds) / kLeastSeconds);
    ++blocks_of_seconds_[std::min(static_cast<std::size_t>(bin), blocks_of_seconds_.size() - 1)];
  }
  if (!record.worker.starts_with(session_prefix_)) return;
  // Completed blocks are recorded in groups, when the next one has begun already.
  const auto running = running_.find(record.worker);
  if (running != running_.end() && record.kind != Kind::kAlive && running->second.block == record.block)
    running_.erase(running);
  if (record.kind == Kind::kFailed && record.block < 0) stop_message_ = record.message;
  if (!is_block || is_finished(record.block)) return;
  if (record.kind == Kind::kFailed) {
    failures_[record.block] = record.message;
    attempts_.erase(record.block);
  }
  if (record.kind == Kind::kStarted) {
    ++attempts_[record.block].begun;
    running_[record.worker] = {record.block, Clock::now()};
  }
  if (record.kind == Kind::kEnded && record.cause == EndCause::kLeft) {
    // Not the block's doing.
    if (Attempts& attempts = attempts_[record.block]; attempts.begun > 0) --attempts.begun;
    return;
  }
  if (record.kind == Kind::kEnded) {
    Attempts& attempts = attempts_[record.block];
    if (record.cause == EndCause::kMemory) ++attempts.out_of_memory;
    attempts.endings.push_back(record.cause == EndCause::kError
                                   ? record.message
                                   : fmt::format("{}: {}", to_string(record.cause), record.message));
  }
}

Ledger::Attempts Ledger::attempts_at(std::int64_t block) const {
  const auto found = attempts_.find(block);
  return found == attempts_.end() ? Attempts{} : found->second;
}

bool Ledger::lacks_memory(std::int64_t block) const {
  const auto found = attempts_.find(block);
  return found != attempts_.end() && found->second.out_of_memory > 0;
}

double Ledger::silent_seconds(const std::string& worker) const {
  const auto found = growth_.find(worker);
  if (found == growth_.end()) return 0;
  return std::chrono::duration<double>(last_refresh_ - found->second.at).count();
}

std::optional<double> Ledger::seconds_quantile(double q) const {
  std::int64_t total = 0;
  for (const std::int64_t blocks : blocks_of_seconds_) total += blocks;
  if (total < kFewestTimed) return std::nullopt;
  std::int64_t sum = 0;
  for (std::size_t bin = 0; bin < blocks_of_seconds_.size(); ++bin) {
    sum += blocks_of_seconds_[bin];
    if (static_cast<double>(sum) < q * static_cast<double>(total)) continue;
    return kLeastSeconds * std::exp2(static_cast<double>(bin + 1) / kBinsPerDoubling);
  }
  return std::nullopt;
}

}  // namespace organon::blockwise
