#include "organon/blockwise/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <type_traits>

#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/json.h"

namespace organon::blockwise {
namespace {

static_assert(std::endian::native == std::endian::little, "journals are little-endian");

constexpr auto kCommitInterval = std::chrono::seconds(1);
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMaxPayloadBytes = std::size_t{1} << 30;

// Layout of a payload, little-endian, without gaps:
//
//     uint8 kind, int64 block, float64 unix_time
//     kEnded      uint8 cause, uint32 n, n bytes of message
//     kFailed, kWorker  uint32 n, n bytes of message
//     kCompleted  float64 seconds, int64 peak_bytes,
//                 uint32 n, n chunks: uint16 output, int32 z, y, x, uint8 is_absent,
//                                     where stored: uint64[2] voxels, uint64[2] file, int64 file_bytes
//                 uint32 n, n partials: int64 key, offset, num_bytes, uint64[2] hash
//
// Hashes: high half, low half.

template <class T>
void put(std::string& bytes, const T& value) {
  static_assert(std::is_arithmetic_v<T>);
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}
void put(std::string& bytes, const Hash128& hash) {
  put(bytes, hash.high);
  put(bytes, hash.low);
}
void put(std::string& bytes, const std::string& text) {
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

double unix_time_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool has_message(JournalRecord::Kind kind) {
  using Kind = JournalRecord::Kind;
  return kind == Kind::kEnded || kind == Kind::kFailed || kind == Kind::kWorker;
}

std::string payload_of(const JournalRecord& record) {
  using Kind = JournalRecord::Kind;
  std::string bytes;
  put(bytes, static_cast<std::uint8_t>(record.kind));
  put(bytes, record.block);
  put(bytes, unix_time_now());
  if (record.kind == Kind::kEnded) put(bytes, static_cast<std::uint8_t>(record.cause));
  if (has_message(record.kind)) put(bytes, record.message);
  if (record.kind != Kind::kCompleted) return bytes;
  put(bytes, record.seconds);
  put(bytes, record.peak_bytes);
  put(bytes, static_cast<std::uint32_t>(record.chunks.size()));
  for (const auto& [output, chunk] : record.chunks) {
    put(bytes, static_cast<std::uint16_t>(output));
    for (const std::int64_t place : {chunk.position.z, chunk.position.y, chunk.position.x})
      put(bytes, static_cast<std::int32_t>(place));
    put(bytes, static_cast<std::uint8_t>(chunk.is_absent));
    if (chunk.is_absent) continue;
    put(bytes, chunk.voxels);
    put(bytes, chunk.file);
    put(bytes, chunk.file_bytes);
  }
  put(bytes, static_cast<std::uint32_t>(record.partials.size()));
  for (const PartialRecord& partial : record.partials) {
    for (const std::int64_t value : {partial.key, partial.offset, partial.num_bytes}) put(bytes, value);
    put(bytes, partial.hash);
  }
  put(bytes, static_cast<std::uint32_t>(record.files.size()));
  for (const FileRecord& file : record.files) {
    put(bytes, file.path);
    put(bytes, file.hash);
  }
  return bytes;
}

std::uint64_t checksum_of(std::string_view payload) {
  return hash_bytes(std::as_bytes(std::span(payload.data(), payload.size()))).low;
}

std::string encoded(const JournalRecord& record) {
  const std::string payload = payload_of(record);
  ORGANON_CHECK(payload.size() <= kMaxPayloadBytes);
  std::string bytes;
  put(bytes, static_cast<std::uint32_t>(payload.size()));
  put(bytes, checksum_of(payload));
  return bytes + payload;
}

// Takes values from a payload; is_good() tells whether it was long enough.
class Payload {
 public:
  explicit Payload(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T take() {
    T value{};
    if (bytes_.size() - at_ < sizeof(T)) {
      is_good_ = false;
    } else {
      std::memcpy(&value, bytes_.data() + at_, sizeof(T));
      at_ += sizeof(T);
    }
    return value;
  }
  Hash128 take_hash() {
    const auto high = take<std::uint64_t>();
    return {high, take<std::uint64_t>()};
  }
  std::string take_text() {
    const auto size = take<std::uint32_t>();
    if (bytes_.size() - at_ < size) {
      is_good_ = false;
      return {};
    }
    at_ += size;
    return std::string(bytes_.substr(at_ - size, size));
  }
  bool is_good() const { return is_good_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool is_good_ = true;
};

// False for what no writer writes.
bool decode(std::string_view bytes, bool with_results, JournalRecord& record) {
  using Kind = JournalRecord::Kind;
  Payload payload(bytes);
  record.kind = static_cast<Kind>(payload.take<std::uint8_t>());
  record.block = payload.take<std::int64_t>();
  record.unix_time = payload.take<double>();
  record.message.clear();
  record.chunks.clear();
  record.partials.clear();
  record.files.clear();
  if (record.kind < Kind::kStarted || record.kind > Kind::kWorker) return false;
  if (record.kind == Kind::kEnded) {
    const auto cause = payload.take<std::uint8_t>();
    if (cause > static_cast<std::uint8_t>(EndCause::kLeft)) return false;
    record.cause = static_cast<EndCause>(cause);
  }
  if (has_message(record.kind)) record.message = payload.take_text();
  if (record.kind != Kind::kCompleted) return payload.is_good();
  record.seconds = payload.take<double>();
  record.peak_bytes = payload.take<std::int64_t>();
  if (!with_results) return payload.is_good();
  const auto num_chunks = payload.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < num_chunks && payload.is_good(); ++i) {
    OutputChunk entry;
    entry.output = payload.take<std::uint16_t>();
    entry.chunk.position.z = payload.take<std::int32_t>();
    entry.chunk.position.y = payload.take<std::int32_t>();
    entry.chunk.position.x = payload.take<std::int32_t>();
    entry.chunk.is_absent = payload.take<std::uint8_t>() != 0;
    if (!entry.chunk.is_absent) {
      entry.chunk.voxels = payload.take_hash();
      entry.chunk.file = payload.take_hash();
      entry.chunk.file_bytes = payload.take<std::int64_t>();
    }
    record.chunks.push_back(entry);
  }
  const auto num_partials = payload.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < num_partials && payload.is_good(); ++i) {
    PartialRecord partial;
    partial.key = payload.take<std::int64_t>();
    partial.offset = payload.take<std::int64_t>();
    partial.num_bytes = payload.take<std::int64_t>();
    partial.hash = payload.take_hash();
    record.partials.push_back(partial);
  }
  const auto num_files = payload.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < num_files && payload.is_good(); ++i) {
    std::string path = payload.take_text();
    record.files.push_back({std::move(path), payload.take_hash()});
  }
  return payload.is_good();
}

std::filesystem::path journal_folder(const std::filesystem::path& step) { return step / "journals"; }
std::filesystem::path partial_file(const std::filesystem::path& step, const std::string& worker) {
  return step / "partials" / worker;
}

// Opens a file that did not exist; -1 where it did.
int create_for_append(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0 && errno != EEXIST) throw_system_error("cannot create", path.string());
  return descriptor;
}

// Appends all or nothing: behind half a record nothing would be read any more.
void append(int descriptor, std::string_view bytes, const std::string& path) {
  const off_t end = ::lseek(descriptor, 0, SEEK_END);
  try {
    write_all(descriptor, std::as_bytes(std::span(bytes)), path);
  } catch (const Error&) {
    if (::ftruncate(descriptor, end) != 0) throw_system_error("cannot shorten", path);
    throw;
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

void sync_file_system_of(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_system_error("cannot open folder", folder.string());
  const int result = ::syncfs(descriptor);
  ::close(descriptor);
  if (result != 0) throw_system_error("cannot sync", folder.string());
}

}  // namespace

std::string host_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

std::string_view to_string(EndCause cause) {
  switch (cause) {
    case EndCause::kError:
      return "error";
    case EndCause::kCrash:
      return "crash";
    case EndCause::kTimeout:
      return "timeout";
    case EndCause::kMemory:
      return "out of memory";
    case EndCause::kLeft:
      return "left";
  }
  return "";
}

JournalWriter::JournalWriter(const std::filesystem::path& step_folder, const std::string& worker, Fsync fsync,
                             std::vector<std::filesystem::path> sync_folders)
    : worker_(worker),
      fsync_(fsync),
      sync_folders_(std::move(sync_folders)),
      last_commit_(std::chrono::steady_clock::now()) {
  for (int i = 2; (journal_ = create_for_append(journal_folder(step_folder) / worker_)) < 0; ++i)
    worker_ = fmt::format("{}.{}", worker, i);
  path_ = (journal_folder(step_folder) / worker_).string();
  const auto partials = partial_file(step_folder, worker_);
  partials_ = create_for_append(partials);
  if (partials_ < 0) throw_system_error("cannot create", partials.string());
  JournalRecord record;
  record.kind = JournalRecord::Kind::kWorker;
  record.message = fmt::format("{}, process {}", host_name(), ::getpid());
  append_now(record);
}

JournalWriter::~JournalWriter() {
  if (journal_ >= 0) ::close(journal_);
  if (partials_ >= 0) ::close(partials_);
}

void JournalWriter::append_now(const JournalRecord& record) {
  const std::lock_guard lock(mutex_);
  append(journal_, encoded(record), path_);
}

void JournalWriter::started(std::int64_t block) {
  JournalRecord record;
  record.block = block;
  append_now(record);
}

void JournalWriter::ended(std::int64_t block, EndCause cause, const std::string& message) {
  JournalRecord record;
  record.kind = JournalRecord::Kind::kEnded;
  record.block = block;
  record.cause = cause;
  record.message = message;
  append_now(record);
}

void JournalWriter::failed(std::int64_t block, const std::string& message) {
  JournalRecord record;
  record.kind = JournalRecord::Kind::kFailed;
  record.block = block;
  record.message = message;
  append_now(record);
}

void JournalWriter::alive() {
  JournalRecord record;
  record.kind = JournalRecord::Kind::kAlive;
  append_now(record);
}

void JournalWriter::also_sync(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  if (std::find(sync_folders_.begin(), sync_folders_.end(), folder) == sync_folders_.end())
    sync_folders_.push_back(folder);
}

PartialRecord JournalWriter::append_partial(std::int64_t key, std::span<const std::byte> bytes) {
  append(partials_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path_);
  const PartialRecord record{key, partials_bytes_, static_cast<std::int64_t>(bytes.size()),
                             hash_bytes(bytes)};
  partials_bytes_ += record.num_bytes;
  return record;
}

void JournalWriter::completed(const JournalRecord& record) {
  {
    const std::lock_guard lock(mutex_);
    waiting_ += encoded(record);
  }
  commit_if_due();
}

void JournalWriter::commit_if_due() {
  const std::lock_guard lock(mutex_);
  if (std::chrono::steady_clock::now() - last_commit_ >= kCommitInterval) commit_locked();
}

void JournalWriter::commit() {
  const std::lock_guard lock(mutex_);
  commit_locked();
}

void JournalWriter::commit_locked() {
  last_commit_ = std::chrono::steady_clock::now();
  if (waiting_.empty()) return;
  if (fsync_ == Fsync::kYes) {
    if (::fdatasync(partials_) != 0) throw_system_error("cannot sync the partials of", path_);
    for (const auto& folder : sync_folders_) sync_file_system_of(folder);
  }
  // Half a record first where a test asks for a death in the middle of a journal write.
  const std::string_view bytes = waiting_;
  const off_t end = ::lseek(journal_, 0, SEEK_END);
  append(journal_, bytes.substr(0, bytes.size() / 2), path_);
  fault_point("journal");
  try {
    append(journal_, bytes.substr(bytes.size() / 2), path_);
  } catch (const Error&) {
    if (::ftruncate(journal_, end) != 0) throw_system_error("cannot shorten", path_);
    throw;
  }
  if (fsync_ == Fsync::kYes && ::fdatasync(journal_) != 0) throw_system_error("cannot sync", path_);
  waiting_.clear();
}

std::map<std::int64_t, int> read_voids(const std::filesystem::path& step_folder) {
  const std::filesystem::path file = step_folder / "void.json";
  std::map<std::int64_t, int> voids;
  if (!std::filesystem::exists(file)) return voids;
  for (const Json& entry : parse_json(read_text(file), file.string()))
    voids[entry.at(0).get<std::int64_t>()] = entry.at(1).get<int>();
  return voids;
}

void write_voids(const std::filesystem::path& step_folder, const std::map<std::int64_t, int>& voids) {
  Json json = Json::array();
  for (const auto& [block, session] : voids) json.push_back({block, session});
  write_text_atomically(step_folder / "void.json", json.dump());
}

int session_of(const std::string& worker) {
  return worker.starts_with('s') ? std::atoi(worker.c_str() + 1) : 0;
}

JournalReader::JournalReader(std::filesystem::path step_folder, bool with_results)
    : step_folder_(std::move(step_folder)), with_results_(with_results), voids_(read_voids(step_folder_)) {}

void JournalReader::poll(const std::function<void(const JournalRecord&)>& use) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 22;
  JournalRecord record;
  std::string bytes;
  for (const std::string& worker : journal_names(step_folder_)) {
    std::int64_t& offset = offsets_[worker];
    std::ifstream file(journal_folder(step_folder_) / worker, std::ios::binary);
    file.seekg(offset);
    record.worker = worker;
    bytes.clear();
    std::size_t at = 0;
    // What is missing of a record may still be in the making: it is read at a later poll.
    for (bool has_more = true; has_more;) {
      bytes.erase(0, at);
      at = 0;
      const std::size_t old_size = bytes.size();
      bytes.resize(old_size + kPieceBytes);
      file.read(bytes.data() + old_size, kPieceBytes);
      bytes.resize(old_size + static_cast<std::size_t>(file.gcount()));
      has_more = file.gcount() == static_cast<std::streamsize>(kPieceBytes);
      while (bytes.size() - at >= kHeaderBytes) {
        std::uint32_t size = 0;
        std::uint64_t checksum = 0;
        std::memcpy(&size, bytes.data() + at, sizeof size);
        std::memcpy(&checksum, bytes.data() + at + sizeof size, sizeof checksum);
        if (size > kMaxPayloadBytes) has_more = false;
        if (size > kMaxPayloadBytes || bytes.size() - at - kHeaderBytes < size) break;
        const std::string_view payload = std::string_view(bytes).substr(at + kHeaderBytes, size);
        if (checksum_of(payload) != checksum || !decode(payload, with_results_, record)) {
          has_more = false;
          break;
        }
        at += kHeaderBytes + size;
        offset += static_cast<std::int64_t>(kHeaderBytes + size);
        const auto voided = voids_.find(record.block);
        const bool is_void = record.kind == JournalRecord::Kind::kCompleted && voided != voids_.end() &&
                             session_of(worker) < voided->second;
        if (!is_void) use(record);
      }
    }
  }
}

std::vector<std::byte> read_partial(const std::filesystem::path& step_folder, const std::string& worker,
                                    const PartialRecord& partial) {
  const std::filesystem::path file = partial_file(step_folder, worker);
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const std::int64_t file_bytes = stream ? static_cast<std::int64_t>(stream.tellg()) : 0;
  std::vector<std::byte> bytes;
  const bool fits = partial.offset >= 0 && partial.num_bytes >= 0 && partial.num_bytes <= file_bytes &&
                    partial.offset <= file_bytes - partial.num_bytes;
  if (fits) {
    bytes.resize(static_cast<std::size_t>(partial.num_bytes));
    stream.seekg(partial.offset);
    stream.read(reinterpret_cast<char*>(bytes.data()), partial.num_bytes);
  }
  if (!fits || !stream || hash_bytes(bytes) != partial.hash) {
    throw Error(
        ErrorKind::kCorruptData,
        fmt::format("{}: the {} bytes at {} are not those that were recorded; `organon repair` the output "
                    "or delete the run folder to start anew",
                    file.string(), partial.num_bytes, partial.offset));
  }
  return bytes;
}

PartialReader::PartialReader(const std::filesystem::path& step_folder) : step_folder_(step_folder) {
  std::set<std::int64_t> blocks;
  std::map<std::string, std::size_t> number_of;
  JournalReader(step_folder).poll([&](const JournalRecord& record) {
    if (record.kind != JournalRecord::Kind::kCompleted || !blocks.insert(record.block).second) return;
    if (record.partials.empty()) return;
    const auto [number, is_new] = number_of.emplace(record.worker, workers_.size());
    if (is_new) workers_.push_back(record.worker);
    for (const PartialRecord& partial : record.partials) places_[partial.key] = {number->second, partial};
  });
}

std::int64_t PartialReader::num_bytes() const {
  std::int64_t sum = 0;
  for (const auto& [key, place] : places_) sum += place.record.num_bytes;
  return sum;
}

std::int64_t PartialReader::num_bytes(std::int64_t key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? 0 : static_cast<std::int64_t>(found->second.record.num_bytes);
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
  return read_partial(step_folder_, workers_[found->second.worker], found->second.record);
}

}  // namespace organon::blockwise
