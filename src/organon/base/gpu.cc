#include "organon/base/gpu.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

namespace organon {
namespace {

constexpr char kVisible[] = "CUDA_VISIBLE_DEVICES";
// What was visible before the first choice.
constexpr char kOffered[] = "ORGANON_OFFERED_GPUS";

// /dev/nvidia0, nvidia1, ...: of a container also with gaps; CUDA counts them from 0 all the same.
int num_gpus_present() {
  const std::string prefix = "nvidia";
  int count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.size() > prefix.size() &&
        std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      ++count;
    }
  }
  return count;
}

}  // namespace

std::optional<std::string> gpu_of_process(int number, const std::optional<std::string>& offered,
                                          int num_present) {
  std::vector<std::string> names;
  if (offered) {
    std::istringstream list(*offered);
    for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  } else {
    for (int i = 0; i < num_present; ++i) names.push_back(std::to_string(i));
  }
  if (names.size() < 2) return std::nullopt;
  return names[static_cast<std::size_t>(number) % names.size()];
}

void choose_gpu(int number) {
  const char* offered = std::getenv(kOffered);
  if (offered == nullptr) offered = std::getenv(kVisible);
  const std::optional<std::string> list =
      offered == nullptr ? std::nullopt : std::optional<std::string>(offered);
  const int num_present = num_gpus_present();
  const auto chosen = gpu_of_process(number, list, num_present);
  if (!chosen) return;
  std::string all = list.value_or("");
  for (int i = 0; !list && i < num_present; ++i) all += (i == 0 ? "" : ",") + std::to_string(i);
  ::setenv(kOffered, all.c_str(), 1);
  ::setenv(kVisible, chosen->c_str(), 1);
}

}  // namespace organon
