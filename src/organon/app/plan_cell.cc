#include "organon/app/plan_cell.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "organon/app/cell_stages.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/json.h"

namespace organon::app {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "organon-plan-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw_system_error("cannot make a folder", pattern);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::vector<blockwise::StageDescription> all_stages(const CellStages& stages) {
  std::vector<blockwise::StageDescription> all = stages.imports();
  // Limits do not change a plan.
  for (auto& stage : stages.after_imports({0, 255})) all.push_back(std::move(stage));
  return all;
}

}  // namespace

void print_cell_plan(const CellConfig& config, const ExecutionOptions& options) {
  const TemporaryFolder temporary;
  const std::vector<blockwise::StageDescription> real = all_stages(CellStages(config, config.folder));
  const std::vector<blockwise::StageDescription> planned = all_stages(CellStages(config, temporary.path()));
  const int workers =
      options.workers > 0 ? options.workers : static_cast<int>(std::thread::hardware_concurrency());
  double seconds = 0;
  if (!options.json) print_plan_header();
  for (std::size_t i = 0; i < real.size(); ++i) {
    const std::string& output = real[i].outputs.front();
    const std::string what = blockwise::title_of(real[i]);
    const auto stage = make_stage(planned[i]);
    stage->stand_in_for_outputs();
    if (blockwise::is_complete(real[i], make_stage, blockwise::RunFolder(blockwise::run_folder_of(output)))) {
      if (!options.json) fmt::print(stderr, "{:<19} complete\n", what);
      continue;
    }
    const auto lines = blockwise::plan_stage(*stage, workers);
    print_plan(what, lines, options.json);
    for (const auto& line : lines) seconds += line.seconds;
  }
  if (!options.json) {
    fmt::print(stderr, "about {} in all, by typical rates; bytes are upper bounds of decoded voxels\n",
               clock_text(seconds));
  }
}

}  // namespace organon::app
