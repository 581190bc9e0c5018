#pragma once

/// What libtorch knows of several processes; apart from torch.h, as libtorch's header of it includes gloo's.
#ifdef ORGANON_WITH_GLOO
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include "organon/nn/torch.h"
// After it:
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
