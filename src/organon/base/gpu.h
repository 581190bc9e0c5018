#pragma once

#include <optional>
#include <string>

namespace organon {

/// Which GPU the process `number` of a machine takes, as CUDA names it: they take turns. `offered` lists
/// those that it may see ("0,2", as CUDA_VISIBLE_DEVICES); nothing: all `num_present`. None where there is no
/// choice.
std::optional<std::string> gpu_of_process(int number, const std::optional<std::string>& offered,
                                          int num_present);

/// Lets this process, and those that it starts, see that GPU alone; where one of those asks again, it has the
/// same choice. Call before anything looks for GPUs, while no other thread reads the environment.
void choose_gpu(int number);

}  // namespace organon
