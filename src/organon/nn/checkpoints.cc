#include "organon/nn/checkpoints.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace organon::nn {
namespace {

constexpr std::string_view kFolder = "checkpoints";
constexpr std::string_view kBegin = "step_";
constexpr std::string_view kEnd = ".organon";

}  // namespace

std::filesystem::path checkpoint_path(const std::filesystem::path& training, std::int64_t step) {
  return training / kFolder / fmt::format("{}{:06}{}", kBegin, step, kEnd);
}

std::map<std::int64_t, std::filesystem::path> checkpoints_in(const std::filesystem::path& training) {
  std::map<std::int64_t, std::filesystem::path> found;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(training / kFolder, missing)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kBegin) && name.ends_with(kEnd))
      found[std::atoll(name.c_str() + kBegin.size())] = entry.path();
  }
  return found;
}

}  // namespace organon::nn
