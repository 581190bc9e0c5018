#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "organon/base/files.h"
#include "organon/storage/dataset.h"

namespace organon::blockwise {

/// Bytes that a block left for later steps: a piece of a worker's partial file.
struct PartialRecord {
  std::int64_t key = 0;
  std::int64_t offset = 0;
  std::int64_t num_bytes = 0;
  Hash128 hash;
};

struct OutputChunk {
  std::size_t output = 0;  ///< number of the output dataset
  storage::ChunkRecord chunk;
};

/// A file besides datasets: a table, a mesh, a plot.
struct FileRecord {
  std::string path;  ///< from the folder that holds `.organon`, so that a cell may be moved
  Hash128 hash;
};

/// Why an attempt at a block ended without a result of its own.
enum class EndCause : std::uint8_t {
  kError = 0,    ///< it threw; tried again
  kCrash = 1,    ///< its worker died
  kTimeout = 2,  ///< it took far longer than the other blocks
  kMemory = 3,   ///< it needed more than a worker's share; tried again alone
  kLeft = 4,     ///< its worker was asked to go, or lost its claim: not the block's doing
};
/// "error", "crash", "timeout", "out of memory", "left".
std::string_view to_string(EndCause cause);

/// One entry of a journal.
struct JournalRecord {
  enum class Kind : std::uint8_t {
    kStarted = 1,    ///< an attempt at a block begins
    kEnded = 2,      ///< an attempt was given up: cause and message
    kFailed = 3,     ///< the block is given up: message. Block -1: the worker stopped for a reason that every
                     ///< block would meet
    kCompleted = 4,  ///< seconds, peak_bytes, chunks, partials
    kAlive = 5,      ///< the worker lives, nothing else
    kWorker = 6,     ///< first in a journal; message: where the worker runs
  };
  Kind kind = Kind::kStarted;
  std::int64_t block = 0;
  double unix_time = 0;  ///< when it was written, by that machine's clock: for people, nothing depends on it
  EndCause cause = EndCause::kError;
  std::string message;
  double seconds = 0;           ///< that the block took
  std::int64_t peak_bytes = 0;  ///< largest resident memory of the worker so far
  std::vector<OutputChunk> chunks;
  std::vector<PartialRecord> partials;
  std::vector<FileRecord> files;
  std::string worker;  ///< whose journal it stands in; set when read
};

/// This machine's, for people.
std::string host_name();

/// Blocks of a step that must be computed again though journals say they are done: by block, the first
/// session whose work counts. Kept in `<step>/void.json`; whoever reads journals heeds it.
std::map<std::int64_t, int> read_voids(const std::filesystem::path& step_folder);
void write_voids(const std::filesystem::path& step_folder, const std::map<std::int64_t, int>& voids);

/// The session in a worker's name ("s12-w3" is 12); 0 where there is none.
int session_of(const std::string& worker);

/// Appends to one worker's journal, `<step>/journals/<worker>`, and its partial file beside it. Safe for
/// several threads, but for append_partial(), which only the worker's own calls.
///
/// A record is binary, little-endian: uint32 bytes of payload, uint64 low half of the payload's XXH3-128,
/// payload (journal.cc has the layout). Reading a journal ends at the first record that is cut short or
/// damaged: what stands behind it is computed again. A journal has one writer process ever, so nothing is
/// appended to a torn end.
///
/// Completed records are committed in groups: at most every second all files are made durable with one sync
/// of the file system, then the records are appended and synced, so that a record never stands before what it
/// speaks of.
class JournalWriter {
 public:
  /// Makes a journal of its own: named `worker`, or `worker`.2, .3, ... where that name is taken (a requeued
  /// task of a cluster). `sync_folders`: folders on whose file systems the outputs lie.
  JournalWriter(const std::filesystem::path& step_folder, const std::string& worker, Fsync fsync,
                std::vector<std::filesystem::path> sync_folders);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  /// Its name: a file name, unique among the workers of the step.
  const std::string& worker() const { return worker_; }

  /// Written at once, not synced.
  void started(std::int64_t block);
  void ended(std::int64_t block, EndCause cause, const std::string& message);
  void failed(std::int64_t block, const std::string& message);
  void alive();
  /// Written with the next group.
  void completed(const JournalRecord& record);
  /// The next group commit also makes the file system of `folder` durable. The worker's own thread only.
  void also_sync(const std::filesystem::path& folder);
  /// Appends to the partial file; the returned record belongs into completed().
  PartialRecord append_partial(std::int64_t key, std::span<const std::byte> bytes);
  /// Commits now. Errors: kIo, kResourceExhausted; what waits goes on waiting then.
  void commit();
  /// Commits where the last time is a second ago.
  void commit_if_due();

 private:
  void append_now(const JournalRecord& record);
  void commit_locked();

  std::mutex mutex_;
  std::string worker_;
  std::string path_;
  int journal_ = -1;
  int partials_ = -1;
  std::int64_t partials_bytes_ = 0;
  Fsync fsync_;
  std::vector<std::filesystem::path> sync_folders_;
  std::string waiting_;  ///< encoded records
  std::chrono::steady_clock::time_point last_commit_;
};

/// The union of all journals of a step, read piece by piece as they grow.
class JournalReader {
 public:
  /// `with_results` false: chunks and partials of completed records are passed over, which is several times
  /// faster.
  explicit JournalReader(std::filesystem::path step_folder, bool with_results = true);

  /// Reads what was appended since and hands it over, journal by journal in order of name; completed records
  /// that are void are left out. The record is valid during the call only.
  void poll(const std::function<void(const JournalRecord&)>& use);
  /// Bytes read so far per worker: what does not grow is silent.
  const std::map<std::string, std::int64_t>& bytes_read() const { return offsets_; }

 private:
  std::filesystem::path step_folder_;
  bool with_results_;
  std::map<std::int64_t, int> voids_;
  std::map<std::string, std::int64_t> offsets_;
};

/// The bytes of a partial. Errors: kCorruptData where they are not those that were recorded.
std::vector<std::byte> read_partial(const std::filesystem::path& step_folder, const std::string& worker,
                                    const PartialRecord& partial);

/// The partials that the blocks of a finished step left. When a block was completed twice its first record
/// counts.
class PartialReader {
 public:
  explicit PartialReader(const std::filesystem::path& step_folder);
  /// Ascending.
  std::vector<std::int64_t> keys() const;
  /// Errors: kCorruptData where the bytes are not those that were recorded.
  std::optional<std::vector<std::byte>> read(std::int64_t key) const;
  /// Of all of them: what a solve that holds them needs.
  std::int64_t num_bytes() const;
  std::int64_t num_bytes(std::int64_t key) const;  ///< 0 where there is none

 private:
  struct Place {
    std::size_t worker = 0;  ///< index into workers_
    PartialRecord record;
  };
  std::filesystem::path step_folder_;
  std::vector<std::string> workers_;
  std::map<std::int64_t, Place> places_;
};

}  // namespace organon::blockwise
