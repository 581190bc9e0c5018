#include "organon/nn/load_unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "organon/base/error.h"

namespace organon::nn {

UNet load_unet(const NetworkFile& file, const std::string& where) {
  const torch::NoGradGuard no_gradient;
  const auto num_classes = static_cast<std::int64_t>(file.info.classes.size());
  UNet network(file.info.options, num_classes);
  std::map<std::string, const std::vector<float>*> stored;
  for (const NetworkFile::Tensor& tensor : file.tensors) stored[tensor.name] = &tensor.values;
  const auto fill = [&](const std::string& name, const torch::Tensor& tensor) {
    const auto found = stored.find("mean." + name);
    if (found == stored.end() || static_cast<std::int64_t>(found->second->size()) != tensor.numel()) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: {} does not fit the network that its options make", where, name));
    }
    std::copy(found->second->begin(), found->second->end(), tensor.data_ptr<float>());
  };
  for (const auto& item : network->named_parameters()) fill(item.key(), item.value());
  for (const auto& item : network->named_buffers())
    if (item.value().is_floating_point()) fill(item.key(), item.value());
  network->lower_outputs(file.info.boundary_levels);
  return network;
}

}  // namespace organon::nn
