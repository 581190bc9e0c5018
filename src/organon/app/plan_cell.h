#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "organon/app/stage_command.h"
#include "organon/config/cell_config.h"

namespace organon::app {

/// A new folder that goes with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The address with its whole path moved below `folder`, so that its format stays.
std::string address_below(const std::filesystem::path& folder, const std::string& address);

/// True where `stage` reads what `earlier` writes, or a part of it.
bool reads_output_of(const blockwise::StageDescription& stage, const blockwise::StageDescription& earlier);

/// Prints what running `stages` one after the other would do. `stand_ins`: the same stages, but that what
/// they make lies in a folder where it may be stood in for by empty datasets. Errors: as planning raises.
void print_plans(const std::vector<blockwise::StageDescription>& stages,
                 const std::vector<blockwise::StageDescription>& stand_ins, const ExecutionOptions& options);

/// Prints what `organon run` would do: per stage and step blocks, bytes, memory, time, and which stages are
/// complete already. Nothing of the cell is written: datasets that do not exist yet are stood in for by empty
/// ones in a temporary folder. Errors: as planning the stages raises.
void print_cell_plan(const config::CellConfig& config, const ExecutionOptions& options);

}  // namespace organon::app
