#pragma once

#include <cstdint>
#include <vector>

#include "organon/nn/network.h"
#include "organon/stages/training/sample_source.h"

namespace organon::stages {

/// Per class the boundary level of a network (nn::NetworkInfo), whose own must not be set:
/// BoundaryLevel::best() on so many patches. They are drawn and varied as those that it learns from, but are
/// others: a cell that is predicted later differs from the crops as they do. The same patches each time. Made
/// in `num_makers` threads.
std::vector<double> find_boundary_levels(const nn::Network& network, const std::vector<TrainingCrop>& crops,
                                         SampleOptions options, std::int64_t num_patches,
                                         std::size_t num_makers);

/// Per class F1 of what is predicted inside, on so many patches that are evenly drawn and not varied, the
/// same each time. 1 where neither truth nor prediction has the class.
std::vector<double> f1_on_samples(const nn::Network& network, const std::vector<TrainingCrop>& crops,
                                  SampleOptions options, std::int64_t num_patches, std::size_t num_makers);

}  // namespace organon::stages
