#pragma once

#include <string>

#include "organon/nn/network_file.h"
#include "organon/nn/unet.h"

namespace organon::nn {

/// What predicts, from a file: the running mean of the weights, its outputs less the boundary levels, on the
/// processor, not frozen. `where` begins messages. Errors: kCorruptData where the weights do not fit the
/// network that the file's options make.
UNet load_unet(const NetworkFile& file, const std::string& where);

}  // namespace organon::nn
