#include "organon/blockwise/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <set>

#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/json.h"

namespace organon::blockwise {
namespace {

constexpr auto kCommitInterval = std::chrono::seconds(1);
constexpr std::size_t kHashDigits = 32;

std::string line_of(const Json& json) {
  const std::string text = json.dump();
  return to_hex(hash_text(text)) + " " + text + "\n";
}

Json json_of(const JournalRecord& record) {
  Json json;
  json["completed"] = record.block;
  json["seconds"] = record.seconds;
  json["peak_bytes"] = record.peak_bytes;
  Json chunks = Json::array();
  for (const auto& [output, chunk] : record.chunks) {
    Json entry = {output, chunk.position.z, chunk.position.y, chunk.position.x};
    if (chunk.is_absent) {
      entry.push_back("absent");
    } else {
      entry.push_back(to_hex(chunk.voxels));
      entry.push_back(to_hex(chunk.file));
      entry.push_back(chunk.file_bytes);
    }
    chunks.push_back(std::move(entry));
  }
  json["chunks"] = std::move(chunks);
  Json partials = Json::array();
  for (const PartialRecord& partial : record.partials) {
    partials.push_back({partial.key, partial.offset, partial.num_bytes, to_hex(partial.hash)});
  }
  json["partials"] = std::move(partials);
  return json;
}

JournalRecord record_of(const Json& json) {
  JournalRecord record;
  if (json.contains("started")) {
    record.block = json.at("started");
    return record;
  }
  if (json.contains("failed")) {
    record.kind = JournalRecord::Kind::kFailed;
    record.block = json.at("failed");
    record.message = json.at("message");
    return record;
  }
  record.kind = JournalRecord::Kind::kCompleted;
  record.block = json.at("completed");
  record.seconds = json.at("seconds");
  record.peak_bytes = json.at("peak_bytes");
  for (const Json& entry : json.at("chunks")) {
    OutputChunk chunk;
    chunk.output = entry.at(0);
    chunk.chunk.position = {entry.at(1), entry.at(2), entry.at(3)};
    chunk.chunk.is_absent = entry.at(4) == "absent";
    if (!chunk.chunk.is_absent) {
      chunk.chunk.voxels = hash_from_hex(entry.at(4));
      chunk.chunk.file = hash_from_hex(entry.at(5));
      chunk.chunk.file_bytes = entry.at(6);
    }
    record.chunks.push_back(chunk);
  }
  for (const Json& entry : json.at("partials")) {
    record.partials.push_back({entry.at(0), entry.at(1), entry.at(2), hash_from_hex(entry.at(3))});
  }
  return record;
}

std::filesystem::path journal_folder(const std::filesystem::path& step) { return step / "journals"; }
std::filesystem::path partial_file(const std::filesystem::path& step, const std::string& worker) {
  return step / "partials" / worker;
}

int open_for_append(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw_system_error("cannot open", path.string());
  return descriptor;
}

void append(int descriptor, const char* data, std::size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_system_error("cannot append to", path);
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

std::vector<std::string> journal_names(const std::filesystem::path& step) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(journal_folder(step), missing)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

JournalWriter::JournalWriter(const std::filesystem::path& step_folder, const std::string& worker, Fsync fsync,
                             std::vector<std::filesystem::path> sync_folders)
    : path_((journal_folder(step_folder) / worker).string()),
      fsync_(fsync),
      sync_folders_(std::move(sync_folders)),
      last_commit_(std::chrono::steady_clock::now()) {
  journal_ = open_for_append(path_);
  const auto partials = partial_file(step_folder, worker);
  partials_ = open_for_append(partials);
  partials_bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(partials));
}

JournalWriter::~JournalWriter() {
  if (journal_ >= 0) ::close(journal_);
  if (partials_ >= 0) ::close(partials_);
}

void JournalWriter::append_line(const std::string& line) {
  append(journal_, line.data(), line.size(), path_);
}

void JournalWriter::started(std::int64_t block) { append_line(line_of({{"started", block}})); }

void JournalWriter::failed(std::int64_t block, const std::string& message) {
  append_line(line_of({{"failed", block}, {"message", message}}));
}

PartialRecord JournalWriter::append_partial(std::int64_t key, std::span<const std::byte> bytes) {
  append(partials_, reinterpret_cast<const char*>(bytes.data()), bytes.size(), path_);
  const PartialRecord record{key, partials_bytes_, static_cast<std::int64_t>(bytes.size()),
                             hash_bytes(bytes)};
  partials_bytes_ += record.num_bytes;
  return record;
}

void JournalWriter::completed(const JournalRecord& record) {
  waiting_.push_back(line_of(json_of(record)));
  if (std::chrono::steady_clock::now() - last_commit_ >= kCommitInterval) commit();
}

void JournalWriter::commit() {
  last_commit_ = std::chrono::steady_clock::now();
  if (waiting_.empty()) return;
  if (fsync_ == Fsync::kYes) {
    if (::fdatasync(partials_) != 0) throw_system_error("cannot sync the partials of", path_);
    for (const auto& folder : sync_folders_) {
      const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (descriptor < 0) throw_system_error("cannot open folder", folder.string());
      const int result = ::syncfs(descriptor);
      ::close(descriptor);
      if (result != 0) throw_system_error("cannot sync", folder.string());
    }
  }
  std::string lines;
  for (const std::string& line : waiting_) lines += line;
  // Half a line first where a test asks for a death in the middle of a journal write.
  append(journal_, lines.data(), lines.size() / 2, path_);
  fault_point("journal");
  append(journal_, lines.data() + lines.size() / 2, lines.size() - lines.size() / 2, path_);
  if (fsync_ == Fsync::kYes && ::fdatasync(journal_) != 0) throw_system_error("cannot sync", path_);
  waiting_.clear();
}

std::vector<JournalRecord> JournalReader::poll() {
  std::vector<JournalRecord> records;
  for (const std::string& worker : journal_names(step_folder_)) {
    std::ifstream file(journal_folder(step_folder_) / worker, std::ios::binary);
    std::uintmax_t& offset = offsets_[worker];
    file.seekg(static_cast<std::streamoff>(offset));
    std::string line;
    // A line without its newline may still be in the making: it is read at a later poll.
    while (std::getline(file, line) && !file.eof()) {
      offset += line.size() + 1;
      if (line.size() <= kHashDigits || line[kHashDigits] != ' ') continue;
      const std::string text = line.substr(kHashDigits + 1);
      if (to_hex(hash_text(text)) != line.substr(0, kHashDigits))
        continue;  // torn by a death, then appended to
      records.push_back(record_of(parse_json(text, (journal_folder(step_folder_) / worker).string())));
      records.back().worker = worker;
    }
  }
  return records;
}

PartialReader::PartialReader(const std::filesystem::path& step_folder) {
  std::set<std::int64_t> blocks;
  std::map<std::string, std::size_t> file_of;
  JournalReader reader(step_folder);
  for (const JournalRecord& record : reader.poll()) {
    if (record.kind != JournalRecord::Kind::kCompleted || !blocks.insert(record.block).second) continue;
    const auto [file, is_new] = file_of.emplace(record.worker, files_.size());
    if (is_new) files_.push_back(partial_file(step_folder, record.worker));
    for (const PartialRecord& partial : record.partials) places_[partial.key] = {file->second, partial};
  }
}

std::int64_t PartialReader::num_bytes() const {
  std::int64_t sum = 0;
  for (const auto& [key, place] : places_) sum += place.record.num_bytes;
  return sum;
}

std::vector<std::int64_t> PartialReader::keys() const {
  std::vector<std::int64_t> keys;
  keys.reserve(places_.size());
  for (const auto& [key, place] : places_) keys.push_back(key);
  return keys;
}

std::optional<std::vector<std::byte>> PartialReader::read(std::int64_t key) const {
  const auto found = places_.find(key);
  if (found == places_.end()) return std::nullopt;
  const PartialRecord& record = found->second.record;
  const std::filesystem::path& file = files_[found->second.file];
  std::vector<std::byte> bytes(static_cast<std::size_t>(record.num_bytes));
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(record.offset);
  stream.read(reinterpret_cast<char*>(bytes.data()), record.num_bytes);
  if (!stream || hash_bytes(bytes) != record.hash) {
    throw Error(
        ErrorKind::kCorruptData,
        fmt::format(
            "{}: the {} bytes at {} are not those that were recorded; delete the run folder to start anew",
            file.string(), record.num_bytes, record.offset));
  }
  return bytes;
}

}  // namespace organon::blockwise
