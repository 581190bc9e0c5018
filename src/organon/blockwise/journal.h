#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
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

/// One line of a journal.
struct JournalRecord {
  enum class Kind { kStarted, kCompleted, kFailed };
  Kind kind = Kind::kStarted;
  std::int64_t block = 0;
  std::string message;                  ///< of kFailed
  double seconds = 0;                   ///< of kCompleted
  std::int64_t peak_bytes = 0;          ///< of kCompleted: largest resident memory of the worker so far
  std::vector<OutputChunk> chunks;      ///< of kCompleted
  std::vector<PartialRecord> partials;  ///< of kCompleted
  std::string worker;                   ///< whose journal it stands in; set when read
};

/// Appends to one worker's journal, `<step>/journals/<worker>`, and its partial file beside it.
///
/// A record is a line: hash of the rest, blank, JSON. A torn last line is ignored when read. Completed
/// records are committed in groups: at most every second all files are made durable with one sync of the file
/// system, then the records are appended and synced, so that a record never stands before what it speaks of.
class JournalWriter {
 public:
  /// `sync_folders`: folders on whose file systems the outputs lie.
  JournalWriter(const std::filesystem::path& step_folder, const std::string& worker, Fsync fsync,
                std::vector<std::filesystem::path> sync_folders);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  /// Written at once, not synced.
  void started(std::int64_t block);
  void failed(std::int64_t block, const std::string& message);
  /// Written with the next group.
  void completed(const JournalRecord& record);
  /// Appends to the partial file; the returned record belongs into completed().
  PartialRecord append_partial(std::int64_t key, std::span<const std::byte> bytes);
  /// Commits now. Errors: kIo, kResourceExhausted.
  void commit();

 private:
  void append_line(const std::string& line);

  std::string path_;
  int journal_ = -1;
  int partials_ = -1;
  std::int64_t partials_bytes_ = 0;
  Fsync fsync_;
  std::vector<std::filesystem::path> sync_folders_;
  std::vector<std::string> waiting_;
  std::chrono::steady_clock::time_point last_commit_;
};

/// The union of all journals of a step, read piece by piece as they grow.
class JournalReader {
 public:
  explicit JournalReader(std::filesystem::path step_folder) : step_folder_(std::move(step_folder)) {}

  /// Reads what was appended since; returns the new records, journal by journal in order of name.
  std::vector<JournalRecord> poll();

 private:
  std::filesystem::path step_folder_;
  std::map<std::string, std::uintmax_t> offsets_;
};

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

 private:
  struct Place {
    std::size_t file = 0;  ///< index into files_
    PartialRecord record;
  };
  std::vector<std::filesystem::path> files_;
  std::map<std::int64_t, Place> places_;
};

}  // namespace organon::blockwise
