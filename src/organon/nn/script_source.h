#pragma once

#include <string>

#include "organon/nn/network_options.h"

namespace organon::nn {

/// The methods of a TorchScript module that computes what the network of `options` predicts, N 1 D H W raw in
/// [-1, 1] to N classes D' H' W', for every input that fits (shapes_of()). A tensor of the network, such as
/// `down0.convolution0.weight`, is the module's own `down0_convolution0_weight`.
///
/// Padded networks yield their whole output, "valid" ones what tile_of() takes of it. Only operations that
/// libtorch has from 1.13 on are used.
std::string script_source(const NetworkOptions& options, std::int64_t num_classes);

}  // namespace organon::nn
