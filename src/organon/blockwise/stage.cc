#include "organon/blockwise/stage.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::blockwise {

void BlockOutput::write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  before_write();
  write_file_atomically(path, bytes, Fsync::kNo, [this] { before_rename(); });
  add_file(path, hash_bytes(bytes));
}

void BlockOutput::add_file(const std::filesystem::path& path) {
  before_rename();
  const auto hash = hash_file(path);
  if (!hash) throw Error(ErrorKind::kIo, fmt::format("{}: was written, and is not there", path.string()));
  add_file(path, *hash);
}

std::string title_of(const StageDescription& description) {
  const auto path = storage::parse_address(description.outputs.front()).path;
  return description.verb + " " + path.stem().string();
}

void Stage::stand_in_for_outputs() const {
  for (const StepPlan& plan : plans()) {
    for (const OutputDataset& output : plan.outputs) {
      if (!output.address.empty()) storage::create_dataset(output.address, output.spec);
    }
  }
}

}  // namespace organon::blockwise
