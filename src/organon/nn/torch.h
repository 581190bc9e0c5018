#pragma once

/// The one includer of libtorch. ivalue.h first: clang cannot complete c10::IValue otherwise.
#include <ATen/core/ivalue.h>
#include <torch/script.h>
#include <torch/torch.h>
