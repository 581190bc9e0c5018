#include "organon/blockwise/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/storage/multiscale.h"
#include "organon/storage/volumes/volume_source.h"

namespace organon::blockwise {
namespace {

// Raised when partials or scratch of any stage mean something else than before: what another organon left in
// an unfinished run is then begun anew, and complete outputs stay as they are.
constexpr int kScratchLayout = 3;

constexpr const char* kStageFile = "stage.json";
constexpr const char* kCompletionFile = "complete.json";
constexpr const char* kDeviceFile = "device.json";

Json to_json(const StageDescription& description) {
  return {{"verb", description.verb},
          {"options", parse_json(description.options_json, "options")},
          {"inputs", description.inputs},
          {"outputs", description.outputs},
          {"block_shape", {description.block_shape.z, description.block_shape.y, description.block_shape.x}},
          {"box_nm", description.box_nm}};
}

std::string text_of(const RunFolder::Device& device) {
  return to_text({{"type", device.type}, {"is_asked_for", device.is_asked_for}, {"host", device.host}});
}

bool has_container_extension(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension == ".n5" || extension == ".zarr" || extension == ".precomputed";
}

// Path, size and time of every file, so that any change of foreign data is seen without reading it. What
// stages put into a folder of slices is no part of the slices.
std::string identity_of_folder(const std::filesystem::path& folder) {
  std::vector<std::string> lines;
  for (auto at = std::filesystem::recursive_directory_iterator(folder); at != end(at); ++at) {
    const std::filesystem::directory_entry& entry = *at;
    if (entry.is_directory() &&
        (has_container_extension(entry.path()) || entry.path().filename() == ".organon"))
      at.disable_recursion_pending();
    if (!entry.is_regular_file()) continue;
    lines.push_back(fmt::format("{} {} {}", entry.path().lexically_relative(folder).string(),
                                entry.file_size(), entry.last_write_time().time_since_epoch().count()));
  }
  std::sort(lines.begin(), lines.end());
  return to_hex(hash_text(fmt::format("{}", fmt::join(lines, "\n"))));
}

// Tables and lists count by what they hold, wherever they were copied from. Volumes are too large for that;
// beside them may lie the file with their voxels.
std::string identity_of_file(const std::filesystem::path& file) {
  constexpr std::uintmax_t kMostBytesRead = 64 << 20;
  if (!storage::is_volume_file_name(file.string()) && std::filesystem::file_size(file) <= kMostBytesRead)
    return to_hex(hash_file(file).value());
  std::string lines;
  for (const auto& part : storage::volume_files(file))
    lines += fmt::format("{} {} {}\n", part.filename().string(), std::filesystem::file_size(part),
                         std::filesystem::last_write_time(part).time_since_epoch().count());
  return to_hex(hash_text(lines));
}

// What the provenance of a dataset says of its voxels; nothing where it is not ours, or not sealed.
std::optional<std::string> sealed_result(const Json& attributes) {
  const auto organon = attributes.find("organon");
  if (organon == attributes.end() || !organon->is_object()) return std::nullopt;
  const auto result = organon->find("result");
  if (result == organon->end() || !result->is_string()) return std::nullopt;
  return result->get<std::string>();
}

// Of a pyramid whose levels organon made.
std::optional<std::string> identity_of_levels(const std::string& address) {
  std::string identities;
  try {
    for (const auto& level : storage::open_multiscale(address).levels) {
      const auto result = sealed_result(level->attributes());
      if (!result) return std::nullopt;
      identities += *result;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    return std::nullopt;
  }
  return to_hex(hash_text(identities));
}

// Of datasets in other stores that organon did not make, metadata alone are looked at: asking for millions of
// chunks would take longer than many stages.
std::string identity_of_remote(const std::string& address) {
  if (const auto identity = identity_of_levels(address)) return *identity;
  std::string text = storage::absolute_place(address);
  for (const auto& level : storage::open_multiscale(address).levels) {
    const storage::DatasetSpec& spec = level->spec();
    text += fmt::format("\n{} {} {} {} {}", fmt::join(spec.channels.shape, ","), to_string(spec.shape),
                        to_string(spec.chunk_shape), to_string(spec.data_type), level->attributes().dump());
  }
  return to_hex(hash_text(text));
}

bool is_dataset_folder(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "attributes.json") || std::filesystem::exists(folder / ".zarray") ||
         std::filesystem::exists(folder.parent_path() / "info");
}

}  // namespace

std::optional<Json> RunFolder::find_record(const std::string& name) const {
  const std::filesystem::path file = path_ / name;
  // In one go: a supervisor may remove it at any moment.
  const auto bytes = read_file_if_exists(file);
  if (!bytes) return std::nullopt;
  return parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, file.string());
}

template <class Use>
auto RunFolder::use_record(const std::string& name, const Json& json, const Use& use) const {
  try {
    return use(json);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}; delete the run folder to start anew",
                                                     (path_ / name).string(), error.what()));
  }
}

StageDescription RunFolder::read_description() const {
  const auto found = find_record(kStageFile);
  if (!found) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no run of organon is kept here", path_.string()));
  }
  return use_record(kStageFile, *found, [](const Json& json) {
    StageDescription description;
    description.verb = json.at("verb");
    description.options_json = json.at("options").dump();
    description.inputs = json.at("inputs");
    description.outputs = json.at("outputs");
    const Json& shape = json.at("block_shape");
    description.block_shape = {shape.at(0), shape.at(1), shape.at(2)};
    description.box_nm = json.at("box_nm");
    return description;
  });
}

std::optional<std::string> RunFolder::read_identity() const {
  const auto found = find_record(kStageFile);
  if (!found) return std::nullopt;
  return use_record(kStageFile, *found, [](const Json& json) -> std::optional<std::string> {
    if (json.value("layout", 0) != kScratchLayout) return std::nullopt;
    return json.at("identity").get<std::string>();
  });
}

void RunFolder::write_description(const StageDescription& description, const std::string& identity,
                                  const std::vector<std::string>& input_identities) const {
  Json json = to_json(description);
  json["identity"] = identity;
  json["layout"] = kScratchLayout;
  json["input_identities"] = input_identities;
  write_text_atomically(path_ / kStageFile, to_text(json));
}

std::vector<std::string> RunFolder::read_input_identities() const {
  const auto found = find_record(kStageFile);
  if (!found) return {};
  return use_record(kStageFile, *found, [](const Json& json) {
    return json.value("input_identities", std::vector<std::string>{});
  });
}

std::optional<StepRecord> read_step_record(const std::filesystem::path& step_folder) {
  const std::filesystem::path file = step_folder / "plan.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const Json json = parse_json(read_text(file), file.string());
  StepRecord record;
  bool is_sound = json.is_object();
  try {
    record.name = json.at("step");
    record.num_steps = json.value("num_steps", std::size_t{0});
    record.num_blocks = json.at("num_blocks");
    record.num_kept = json.value("num_kept", std::int64_t{0});
    record.batch = json.at("batch");
    record.reuse = json.value("reuse", Json());
  } catch (const Json::exception&) {
    is_sound = false;
  }
  if (!is_sound || record.num_blocks < 0 || record.batch < 1) {
    throw Error(
        ErrorKind::kCorruptData,
        fmt::format("{}: is not as it was written; delete the run folder to start anew", file.string()));
  }
  return record;
}

int RunFolder::session() const {
  const std::filesystem::path file = path_ / "session";
  return std::filesystem::exists(file) ? std::atoi(read_text(file).c_str()) : 0;
}

void RunFolder::write_session(int session) const {
  write_text_atomically(path_ / "session", std::to_string(session));
}

std::optional<RunFolder::Completion> RunFolder::read_completion() const {
  const auto found = find_record(kCompletionFile);
  if (!found) return std::nullopt;
  return use_record(kCompletionFile, *found, [](const Json& json) {
    return std::optional(Completion{json.at("identity"), json.at("result"), json.at("seconds")});
  });
}

void RunFolder::write_completion(const Completion& completion) const {
  write_text_atomically(path_ / kCompletionFile, to_text({{"identity", completion.identity},
                                                          {"result", completion.result},
                                                          {"seconds", completion.seconds}}));
}

std::optional<RunFolder::Device> RunFolder::read_device() const {
  const auto found = find_record(kDeviceFile);
  if (!found) return std::nullopt;
  return use_record(kDeviceFile, *found, [](const Json& json) {
    return std::optional(Device{json.at("type"), json.at("is_asked_for"), json.at("host")});
  });
}

void RunFolder::write_device(const Device& device) const {
  write_text_atomically(path_ / kDeviceFile, text_of(device));
}

RunFolder::Device RunFolder::decide_device(const Device& device, const std::string& worker) const {
  if (const auto decided = read_device()) return *decided;
  // Written first and then linked into place: link() fails where another was faster, on network file systems
  // too, and nobody ever reads half a file.
  const std::filesystem::path own = path_ / fmt::format(".device-{}.partial", worker);
  write_text_atomically(own, text_of(device));
  const int error = ::link(own.c_str(), (path_ / kDeviceFile).c_str()) == 0 ? 0 : errno;
  std::filesystem::remove(own);
  if (error != 0 && error != EEXIST) {
    errno = error;
    throw_system_error("cannot write", (path_ / kDeviceFile).string());
  }
  return read_device().value();
}

std::optional<std::size_t> RunFolder::current_step(int session) const {
  const auto bytes = read_file_if_exists(path_ / "current_step");
  if (!bytes) return std::nullopt;
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const std::size_t blank = text.find(' ');
  if (blank == std::string::npos || std::atoi(text.c_str()) != session) return std::nullopt;
  return static_cast<std::size_t>(std::atoll(text.c_str() + blank));
}

void RunFolder::write_current_step(int session, std::size_t step) const {
  write_text_atomically(path_ / "current_step", fmt::format("{} {}", session, step), Fsync::kNo);
}

void RunFolder::remove_completion() const {
  std::filesystem::remove(path_ / kCompletionFile);
  sync_folder(path_);
}

bool RunFolder::is_running() const {
  const int descriptor = ::open((path_ / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool is_held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return is_held;
}

RunLock::RunLock(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw_system_error("cannot open", path.string());
  // Workers of a supervisor that was killed just now may still be on their way out.
  for (int i = 0; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; ++i) {
    // Some file systems of clusters have no locks.
    if (errno != EWOULDBLOCK) break;
    if (i == 20) {
      ::close(descriptor_);
      throw Error(ErrorKind::kAlreadyExists,
                  fmt::format("another run is working in {}; wait for it or stop it", folder.string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

RunLock::~RunLock() { ::close(descriptor_); }

std::filesystem::path run_folder_of(const std::string& output_address) {
  const std::filesystem::path output = storage::absolute_place(output_address);
  std::filesystem::path container = output;
  for (auto ancestor = output; ancestor.has_relative_path(); ancestor = ancestor.parent_path()) {
    if (has_container_extension(ancestor)) container = ancestor;
  }
  const bool is_local = storage::parse_address(output_address).is_local();
  const std::filesystem::path folder = is_local ? container.parent_path() : std::filesystem::current_path();
  // Different outputs have different names.
  std::string name;
  for (const char letter : is_local ? output.lexically_relative(folder).string() : output.string()) {
    if (letter == '/') {
      name += ':';
    } else if (letter == ':' || letter == '%') {
      name += fmt::format("%{:02X}", letter);
    } else {
      name += letter;
    }
  }
  return folder / ".organon" / "runs" / name;
}

std::filesystem::path output_of_run_folder(const std::filesystem::path& run) {
  std::string path;
  const std::string name = run.filename().string();
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%' && i + 2 < name.size()) {
      path += static_cast<char>(std::strtol(name.substr(i + 1, 2).c_str(), nullptr, 16));
      i += 2;
    } else {
      path += name[i] == ':' ? '/' : name[i];
    }
  }
  return run.parent_path().parent_path().parent_path() / path;
}

std::string identity_of_input(const std::string& address) {
  const storage::Address parsed = storage::parse_address(address);
  if (parsed.channel) {
    const std::string of_all = identity_of_input(storage::without_channel(address));
    return to_hex(hash_text(fmt::format("{}#{}", of_all, *parsed.channel)));
  }
  if (!parsed.is_local()) return identity_of_remote(address);
  const std::filesystem::path& path = parsed.path;
  if (const auto file = storage::volume_path(path.string()); std::filesystem::is_regular_file(file))
    return identity_of_file(file);
  if (is_dataset_folder(path)) {
    try {
      if (const auto result = sealed_result(storage::open_dataset(address)->attributes())) return *result;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      // A group: the identities of its levels, or else its files.
      if (const auto identity = identity_of_levels(address)) return *identity;
    }
  }
  if (!std::filesystem::is_directory(path)) {
    throw Error(ErrorKind::kNotFound, fmt::format("input {}: no such file or dataset", address));
  }
  return identity_of_folder(path);
}

std::vector<std::string> identities_of_inputs(const StageDescription& description) {
  std::vector<std::string> identities;
  for (const std::string& input : description.inputs) identities.push_back(identity_of_input(input));
  return identities;
}

std::string identity_of_stage(const StageDescription& description, int algorithm_version) {
  return identity_of_stage(description, algorithm_version, identities_of_inputs(description));
}

std::string identity_of_stage(const StageDescription& description, int algorithm_version,
                              const std::vector<std::string>& input_identities) {
  Json json = {{"verb", description.verb},
               {"algorithm_version", algorithm_version},
               {"options", parse_json(description.options_json, "options")},
               {"box_nm", description.box_nm},
               {"inputs", input_identities}};
  return to_hex(hash_text(json.dump()));
}

}  // namespace organon::blockwise
