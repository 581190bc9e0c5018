#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "organon/base/hash.h"
#include "organon/blockwise/stage.h"

namespace organon::blockwise {

/// The folder of one run of one stage, always on a POSIX file system:
///
///     stage.json          the description of what runs, its identity and those of its inputs
///     lock                held by the supervisor
///     device.json         the kind of device that the run of a tolerance stage keeps to
///     session             number of the last supervisor that ran here
///     current_step        of which session, and which step it is at
///     steps/<i>/          outputs.json plan.json claims/ journals/ partials/ reports/ dead/
///     scratch.n5/         datasets between steps; at the end those are deleted that no later run can use
///     inputs/             which content every chunk of the inputs had (growth.h)
///     previous/           a finished run whose blocks this one keeps where it can (growth.h), until the end
///     complete.json       identity and result hash: the outputs are sealed
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path step(std::size_t index) const { return path_ / "steps" / std::to_string(index); }
  /// Address of a dataset that lives between steps only.
  std::string scratch(const std::string& name) const {
    return "n5://" + (path_ / "scratch.n5" / name).string();
  }

  bool is_scratch(const std::string& address) const { return address.starts_with(scratch("")); }

  /// The folder that holds `.organon`: paths in journals begin there.
  std::filesystem::path base() const { return path_.parent_path().parent_path().parent_path(); }

  StageDescription read_description() const;
  /// None where nothing ran here, or an organon did whose scratch this one cannot read.
  std::optional<std::string> read_identity() const;
  void write_description(const StageDescription& description, const std::string& identity,
                         const std::vector<std::string>& input_identities) const;
  /// Those that the inputs had; empty where an older version of organon did not write them.
  std::vector<std::string> read_input_identities() const;

  /// Number of the last supervisor that ran here; 0 before the first.
  int session() const;
  void write_session(int session) const;
  /// The step that the supervisor of `session` is at; nothing where it has not begun one, or is another's.
  std::optional<std::size_t> current_step(int session) const;
  void write_current_step(int session, std::size_t step) const;

  /// The kind of device that a run of a tolerance stage keeps to.
  struct Device {
    std::string type;           ///< "cpu"
    bool is_asked_for = false;  ///< by the user; else it is the best that the first worker had
    std::string host;           ///< where it was decided, for people
  };
  std::optional<Device> read_device() const;
  void write_device(const Device& device) const;
  /// As write_device() where nothing is decided yet; of many `worker`s at once one alone decides. Returns
  /// what is decided.
  Device decide_device(const Device& device, const std::string& worker) const;

  struct Completion {
    std::string identity;
    std::string result;  ///< hash over the decoded voxels of all chunks, and the partials of the last step
    double seconds = 0;
  };
  std::optional<Completion> read_completion() const;
  void write_completion(const Completion& completion) const;
  /// What follows is no longer known to be complete.
  void remove_completion() const;
  /// True while a supervisor works here.
  bool is_running() const;

 private:
  /// stage.json, complete.json or device.json; nothing where it is not there.
  std::optional<Json> find_record(const std::string& name) const;
  /// use(json), whose exceptions become kCorruptData.
  template <class Use>
  auto use_record(const std::string& name, const Json& json, const Use& use) const;

  std::filesystem::path path_;
};

/// What plan.json in a step's folder says of the step.
struct StepRecord {  // NOLINT(bugprone-exception-escape): moving Json does not throw
  std::string name;
  std::size_t num_steps = 0;
  std::int64_t num_blocks = 0;
  std::int64_t num_kept = 0;  ///< of the blocks: from before (growth.h)
  std::int64_t batch = 1;     ///< blocks that a worker claims together
  Json reuse;                 ///< for growth.h; null where an older organon wrote the file
};
/// None where the step has not begun. Errors: kCorruptData.
std::optional<StepRecord> read_step_record(const std::filesystem::path& step_folder);

/// Held while a supervisor works in a run folder: is_running() is true then. The system lets go of it when
/// the process dies.
class RunLock {
 public:
  /// Makes the folder where it is missing. Errors: kAlreadyExists where another holds it; kIo. File systems
  /// without locks are let through.
  explicit RunLock(const std::filesystem::path& folder);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

 private:
  int descriptor_ = -1;
};

/// Where the run of a stage that writes `output` is kept: `.organon/runs/<name>` in the folder that holds the
/// output's container (`x.n5`, `x.zarr`, `x.precomputed`), or the output itself where it has none. The name
/// is the output's path from there, with `:` for `/`. Of outputs in other stores: in the current folder.
std::filesystem::path run_folder_of(const std::string& output_address);

/// The output that gave the run folder its name: the inverse of run_folder_of().
std::filesystem::path output_of_run_folder(const std::filesystem::path& run);

/// Stands for the content of an input: of our own datasets the result hash in their provenance, of other
/// datasets and folders the path, size and modification time of every file (but of containers and runs that
/// lie in them), of a volume in one file (or a file above 64 MiB) name, size and time of it and of the file
/// with its voxels, of another file the hash of its bytes, of others' datasets in other stores the place and
/// the metadata: chunks that change there are not seen. Errors: kNotFound.
std::string identity_of_input(const std::string& address);

std::vector<std::string> identities_of_inputs(const StageDescription& description);

/// Hash of verb, algorithm version, options, box and the inputs' identities.
std::string identity_of_stage(const StageDescription& description, int algorithm_version,
                              const std::vector<std::string>& input_identities);
std::string identity_of_stage(const StageDescription& description, int algorithm_version);

}  // namespace organon::blockwise
