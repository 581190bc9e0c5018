#include "organon/blockwise/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/journal.h"
#include "organon/storage/multiscale.h"

namespace organon::blockwise {
namespace {

// The dataset itself at `address`; nothing where there is none, or a group.
std::shared_ptr<storage::Dataset> find_dataset(const std::string& address) {
  const storage::Address parsed = storage::parse_address(address);
  if (parsed.is_local() && !std::filesystem::is_directory(parsed.path)) return nullptr;
  if (storage::is_volume_of_scales(address)) return nullptr;
  try {
    return storage::open_dataset(address);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return nullptr;
    throw;
  }
}

[[noreturn]] void refuse_foreign(const std::string& address) {
  throw Error(ErrorKind::kAlreadyExists,
              fmt::format("output {} exists and was not made here by organon; move it away or choose another",
                          address));
}

std::vector<std::string> addresses_of(const StepPlan& plan) {
  std::vector<std::string> addresses;
  for (const OutputDataset& output : plan.outputs) addresses.push_back(output.address);
  return addresses;
}

// Datasets that a run was about to make when it died: organon's, though they may not say so yet.
std::set<std::string> half_made_datasets(const RunFolder& run) {
  std::set<std::string> addresses;
  for (std::size_t i = 0; std::filesystem::exists(run.step(i)); ++i) {
    const std::filesystem::path file = run.step(i) / "outputs.json";
    if (!std::filesystem::exists(file) || std::filesystem::exists(run.step(i) / "plan.json")) continue;
    for (const Json& address : parse_json(read_text(file), file.string())) addresses.insert(address);
  }
  return addresses;
}

// Removes a dataset that organon made: out of sight in one moment, so that no half of it is ever opened.
void remove_own_dataset(const std::string& address, const std::set<std::string>& half_made) {
  const auto dataset = find_dataset(address);
  if (dataset == nullptr) return;
  if (!dataset->attributes().contains("organon") && !half_made.contains(address)) refuse_foreign(address);
  storage::remove_dataset(address);
}

void create_output(const OutputDataset& output, const StepPlan& plan, const std::string& verb) {
  const auto dataset = storage::create_dataset(output.address, output.spec);
  const BlockGrid chunks = dataset->chunk_grid();
  const BlockGrid blocks = plan.blocks();
  // Cells are all anchored at voxel 0: blocks are unions of chunks where the shapes divide, or a block is
  // the domain.
  const Box whole = output.spec.domain();
  for (std::int64_t id : {std::int64_t{0}, blocks.count() - 1}) {
    const Box box = output.box_made_by(blocks.box_of(id)).intersect(whole);
    if (!chunks.is_union_of_cells(box)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("block {} cuts chunks of shape {} of {}; choose a block shape of whole chunks",
                              to_string(box), to_string(storage::stored_shape(output.spec)), output.address));
    }
  }
  Json attributes = output.attributes;
  attributes["organon"] = {{"verb", verb}, {"state", "incomplete"}};
  dataset->set_attributes(attributes);
}

std::string hash_of_lines(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return to_hex(hash_text(fmt::format("{}", fmt::join(lines, "\n"))));
}

// Told before the first block: no retry would help.
void require_one_channel(const std::string& address) {
  if (address.empty()) return;
  const auto dataset = find_dataset(address);
  const std::int64_t count = dataset ? dataset->spec().channels.in_stack() : 1;
  if (count == 1) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("input {}: it has {} channels; choose one by #0 to #{} behind the address", address,
                          count, count - 1));
}

}  // namespace

// Also: each dataset that is read must be one of three axes. An output that is an input, or a dataset that
// contains the other, would be destroyed or read while written.
void check_apart(const StageDescription& description, const std::vector<StepPlan>& plans) {
  for (const StepPlan& plan : plans)
    for (const InputDataset& input : plan.inputs) require_one_channel(input.address);
  std::vector<std::string> outputs = description.outputs;
  for (const StepPlan& plan : plans)
    for (const OutputDataset& output : plan.outputs)
      if (!output.address.empty()) outputs.push_back(output.address);  // scratch has no place yet
  const auto holds = [](const std::string& outer, const std::filesystem::path& inner) {
    const std::filesystem::path folder = storage::absolute_place(outer);
    const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), inner.begin(), inner.end());
    return end == folder.end() && find_dataset(outer) != nullptr;
  };
  for (const std::string& output : outputs) {
    const std::filesystem::path output_path = storage::absolute_place(output);
    for (const std::string& input : description.inputs) {
      const std::filesystem::path input_path = storage::absolute_place(input);
      if (output_path != input_path && !holds(output, input_path) && !holds(input, output_path)) continue;
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("output {} and input {} are one dataset or lie in one another; choose another output",
                      output, input));
    }
  }
}

void refuse_foreign_outputs(const StageDescription& description, const RunFolder& run) {
  const bool is_first_run = !std::filesystem::exists(run.path() / "session");
  const std::set<std::string> half_made = half_made_datasets(run);
  for (const std::string& address : description.outputs) {
    const auto dataset = find_dataset(address);
    const bool is_foreign = dataset != nullptr
                                ? !dataset->attributes().contains("organon") && !half_made.contains(address)
                                : is_first_run && storage::parse_address(address).is_local() &&
                                      std::filesystem::is_regular_file(storage::parse_address(address).path);
    if (is_foreign) refuse_foreign(address);
  }
}

void clear_outputs(const StageDescription& description, const RunFolder& run) {
  const std::set<std::string> half_made = half_made_datasets(run);
  for (const char* name : {"complete.json", "stage.json", "device.json"})
    std::filesystem::remove(run.path() / name);
  sync_folder(run.path());
  for (const std::string& address : description.outputs) remove_own_dataset(address, half_made);
  for (const char* name : {"steps", "scratch.n5", "inputs"}) std::filesystem::remove_all(run.path() / name);
}

// Datasets of an earlier run in a group are replaced when their turn comes; others in the group stay.
void create_outputs(const StepPlan& plan, const std::string& verb, const RunFolder& run, std::size_t step) {
  const std::set<std::string> half_made = half_made_datasets(run);
  for (const OutputDataset& output : plan.outputs) remove_own_dataset(output.address, half_made);
  write_text_atomically(run.step(step) / "outputs.json", to_text(addresses_of(plan)));
  for (const OutputDataset& output : plan.outputs) create_output(output, plan, verb);
}

bool create_missing_outputs(const StepPlan& plan, const std::string& verb) {
  bool is_any_missing = false;
  for (const OutputDataset& output : plan.outputs) {
    if (find_dataset(output.address) != nullptr) continue;
    create_output(output, plan, verb);
    is_any_missing = true;
  }
  return is_any_missing;
}

Results results_of(const RunFolder& run, const std::vector<StepPlan>& plans) {
  std::map<std::string, std::vector<std::string>> lines_of;
  std::vector<std::string> partials;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    for (const OutputDataset& output : plans[i].outputs)
      if (!run.is_scratch(output.address)) lines_of[output.address];
    JournalReader reader(run.step(i));
    std::set<std::int64_t> blocks;
    reader.poll([&](const JournalRecord& record) {
      if (record.kind != JournalRecord::Kind::kCompleted || !blocks.insert(record.block).second) return;
      for (const auto& [output, chunk] : record.chunks) {
        const auto lines = lines_of.find(plans[i].outputs.at(output).address);
        if (lines == lines_of.end()) continue;
        lines->second.push_back(fmt::format("{} {}", to_string(chunk.position),
                                            chunk.is_absent ? "absent" : to_hex(chunk.voxels)));
      }
      if (i + 1 < plans.size()) return;
      for (const PartialRecord& partial : record.partials)
        partials.push_back(fmt::format("partial {} {}", partial.key, to_hex(partial.hash)));
    });
  }
  Results results;
  const std::string left = hash_of_lines(std::move(partials));
  // In the order of the plans, not of the addresses: those may lie in any folder.
  std::string all = left;
  for (auto& [address, lines] : lines_of) {
    lines.push_back(left);
    results.of_dataset[address] = hash_of_lines(std::move(lines));
  }
  for (const StepPlan& plan : plans)
    for (const OutputDataset& output : plan.outputs)
      if (results.of_dataset.contains(output.address)) all += results.of_dataset[output.address];
  results.of_all = to_hex(hash_text(all));
  return results;
}

// Nothing of time or host, so that outputs are byte-identical from run to run.
void seal(const StageDescription& description, const Results& results, const std::string& identity,
          const std::vector<std::string>& input_identities, const std::optional<RunFolder::Device>& device) {
  Json inputs = Json::array();
  for (std::size_t i = 0; i < description.inputs.size(); ++i) {
    inputs.push_back({{"name", storage::parse_address(description.inputs[i]).path.filename().string()},
                      {"identity", input_identities.at(i)}});
  }
  Json organon = {{"version", ORGANON_VERSION},
                  {"verb", description.verb},
                  {"options", parse_json(description.options_json, "options")},
                  {"inputs", inputs},
                  {"identity", identity}};
  if (device) organon["device"] = device->type;
  for (const auto& [address, result] : results.of_dataset) {
    organon["result"] = result;
    storage::open_dataset(address)->set_attributes({{"organon", organon}});
  }
}

bool outputs_exist(const StageDescription& description) {
  return std::all_of(description.outputs.begin(), description.outputs.end(), [](const std::string& address) {
    return storage::has_anything(storage::parse_address(address).place());
  });
}

}  // namespace organon::blockwise
