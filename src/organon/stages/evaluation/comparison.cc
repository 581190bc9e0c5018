#include "organon/stages/evaluation/comparison.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/storage/json_fields.h"

namespace organon::stages {
namespace {

constexpr const char* kRecordFile = "comparison.json";
constexpr const char* kTableFile = "comparison.csv";
// Each reads a box of both candidates; where one in a hundred boxes holds the class, one in 10^8 trials
// fails.
constexpr std::int64_t kMaxAttempts = 2000;
constexpr double kMostSeconds = 1e9;

Json describe(const storage::Dataset& dataset, const char* kind) {
  const storage::DatasetSpec& spec = dataset.spec();
  return {{"address", dataset.address()},
          {"kind", kind},
          {"shape", storage::to_json(spec.shape, storage::AxisOrder::kZyx)},
          {"type", std::string(to_string(spec.data_type))},
          {"voxel_size_nm", storage::to_json(spec.grid.voxel_size_nm, storage::AxisOrder::kZyx)},
          {"offset_nm", storage::to_json(spec.grid.offset_nm, storage::AxisOrder::kZyx)}};
}

const char* kind_of(const CandidateVolume& candidate) {
  return candidate.is_prediction ? "prediction" : "labels";
}

int lock_folder(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_system_error("cannot open folder", folder.string());
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor);
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{}: another organon compare is under way there", folder.string()));
  }
  return descriptor;
}

std::string hash_of(const TrialVoxels& voxels) {
  std::string hashes;
  for (const Array<std::uint8_t>* array : {&voxels.raw, &voxels.a, &voxels.b}) {
    const auto* bytes = reinterpret_cast<const std::byte*>(array->data());
    hashes += to_hex(hash_bytes({bytes, static_cast<std::size_t>(array->size())}));
  }
  return to_hex(hash_text(hashes));
}

}  // namespace

Comparison::Comparison(const ComparedAddresses& addresses, const ComparisonOptions& options,
                       const std::filesystem::path& folder)
    : volumes_(addresses, options), options_(options), folder_(folder) {
  if (options_.label.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "option label: expected the class that is judged, such as --label mito; choose ranks by it");
  if (options_.name_a.empty()) options_.name_a = addresses.a;
  if (options_.name_b.empty()) options_.name_b = addresses.b;
  if (options_.name_a == options_.name_b) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("both candidates are called '{}'; tell them apart with --name-a and --name-b",
                            options_.name_a));
  }
  record_.options = options_;
  const CandidateVolume& a = volumes_.candidate(Contender::kA);
  const CandidateVolume& b = volumes_.candidate(Contender::kB);
  record_.inputs = {{"a", describe(*a.fitted.dataset, kind_of(a))},
                    {"b", describe(*b.fitted.dataset, kind_of(b))},
                    {"raw", describe(volumes_.raw(), "raw")}};
  if (const storage::Dataset* mask = volumes_.mask()) record_.inputs["mask"] = describe(*mask, "mask");
  record_.grid = volumes_.grid();
  box_shape_ = cube_shape(options.edge_voxels, record_.grid.voxel_size_nm);

  lock_ = lock_folder(folder);
  try {
    const std::filesystem::path file = folder / kRecordFile;
    if (const auto bytes = read_file_if_exists(file)) {
      const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
      ComparisonRecord kept = ComparisonRecord::parse(text, file.string());
      // Without an answer there is nothing to go on with.
      if (!kept.answered.empty()) require_same_as(kept, file);
      record_.answered = std::move(kept.answered);
      record_.is_ended = kept.is_ended;
    }
    // What cannot be drawn is told before anybody sits down.
    if (!record_.is_ended) pictures(record_.answered.size());
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

Comparison::~Comparison() { ::close(lock_); }

// The last answer stands for all voxels: its box depends on mask and candidates, its hash on what was seen.
void Comparison::require_same_as(const ComparisonRecord& kept, const std::filesystem::path& file) const {
  const auto refuse = [&](const std::string& what, const std::string& found, const std::string& expected) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{} is of a comparison with another {}: {}, not {}; go on with that, or name another "
                    "folder",
                    file.string(), what, found, expected));
  };
  const Json old_options = Json::parse(options_to_json(kept.options));
  const Json new_options = Json::parse(options_to_json(options_));
  for (const auto& [name, value] : new_options.items())
    if (old_options[name] != value) refuse("option " + name, old_options[name].dump(), value.dump());
  for (const char* name : {"a", "b", "raw", "mask"}) {
    const Json before = kept.inputs.value(name, Json());
    const Json now = record_.inputs.value(name, Json());
    if (before != now) refuse(std::string("volume ") + name, before.dump(), now.dump());
  }
  const std::uint64_t last = kept.answered.size() - 1;
  const Box box = draw(last);
  if (box != kept.answered.back().box) {
    refuse(fmt::format("box of trial {} (voxels of the mask or of a candidate changed)", last + 1),
           to_string(kept.answered.back().box), to_string(box));
  }
  const std::string shown = hash_of(volumes_.read(box));
  if (shown != kept.answered.back().shown)
    refuse(fmt::format("hash of the voxels of trial {} (a volume changed)", last + 1),
           kept.answered.back().shown, shown);
}

ComparisonRecord Comparison::record() const {
  const std::lock_guard lock(keeping_);
  return record_;
}

Box Comparison::draw(std::uint64_t trial) const {
  return options_.chance().draw_box(trial, volumes_.domain(), box_shape_, kMaxAttempts, [&](const Box& box) {
    throw_if_cancelled();
    return volumes_.mask_share(box) >= options_.mask_share && volumes_.has_foreground(box);
  });
}

TrialPictures Comparison::pictures(std::uint64_t trial) {
  std::optional<Box> box;
  Contender left = Contender::kA;
  {
    const std::lock_guard lock(keeping_);
    const std::uint64_t next = record_.answered.size();
    if (record_.is_ended || trial < next || trial > next + 1 ||
        trial >= static_cast<std::uint64_t>(options_.trials)) {
      throw Error(ErrorKind::kNotFound, fmt::format("trial {} is not to be judged now", trial + 1));
    }
    if (const auto at = drawn_.find(trial); at != drawn_.end()) box = at->second.box;
    left = options_.chance().left_of(trial);
  }
  if (!box) {
    const std::lock_guard lock(drawing_);
    box = draw(trial);
  }
  TrialVoxels voxels = volumes_.read(*box);
  {
    const std::lock_guard lock(keeping_);
    drawn_[trial] = {*box, hash_of(voxels)};
  }
  if (left == Contender::kB) std::swap(voxels.a, voxels.b);
  return {std::move(voxels.raw), std::move(voxels.a), std::move(voxels.b)};
}

void Comparison::answer(std::uint64_t trial, Verdict verdict, double seconds) {
  const std::lock_guard lock(keeping_);
  const std::uint64_t next = record_.answered.size();
  if (record_.is_ended || trial != next) {
    throw Error(ErrorKind::kInvalidArgument,
                record_.is_ended
                    ? std::string("the comparison has ended")
                    : fmt::format("expected the answer to trial {}, found that to {}", next + 1, trial + 1));
  }
  if (!(seconds >= 0 && seconds <= kMostSeconds))
    throw Error(ErrorKind::kInvalidArgument, fmt::format("seconds: expected a time, found {}", seconds));
  const auto seen = drawn_.find(trial);
  if (seen == drawn_.end())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("trial {} has not been looked at", trial + 1));
  ComparisonRecord changed = record_;
  changed.answered.push_back({seen->second.box, verdict, seconds, seen->second.shown});
  changed.is_ended = changed.answered.size() == static_cast<std::size_t>(options_.trials);
  keep(std::move(changed));
}

void Comparison::undo(std::uint64_t trial) {
  const std::lock_guard lock(keeping_);
  if (record_.is_ended || record_.answered.empty() || trial + 1 != record_.answered.size()) {
    throw Error(ErrorKind::kInvalidArgument,
                record_.is_ended ? std::string("the comparison has ended")
                                 : fmt::format("trial {} is not the last that was answered", trial + 1));
  }
  if (record_.num_told() == record_.answered.size()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("the probability of the first {} answers has been told; they cannot be taken "
                            "back any more",
                            record_.num_told()));
  }
  ComparisonRecord changed = record_;
  changed.answered.pop_back();
  keep(std::move(changed));
}

void Comparison::end() {
  const std::lock_guard lock(keeping_);
  if (record_.answered.empty())
    throw Error(ErrorKind::kInvalidArgument, "nothing was answered: there is no result yet");
  ComparisonRecord changed = record_;
  changed.is_ended = true;
  keep(std::move(changed));
}

// Written first: an answer that could not be kept was not given.
void Comparison::keep(ComparisonRecord changed) {
  write_text_atomically(folder_ / kTableFile, changed.to_csv());
  write_text_atomically(folder_ / kRecordFile, to_text(changed.to_json()));
  record_ = std::move(changed);
}

}  // namespace organon::stages
