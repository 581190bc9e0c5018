#include "organon/nn/export_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/nn/network_shapes.h"
#include "organon/nn/script_source.h"
#include "organon/nn/torch.h"
#include "organon/nn/unet.h"

namespace organon::nn {
namespace {

ScriptInfo facts_of(const NetworkInfo& network, const Shape3& tile) {
  const auto found = smallest_tile(network.options, tile);
  if (!found) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("no input of this network yields a tile of {} voxels", to_string(tile)));
  }
  ScriptInfo info;
  info.classes = network.classes;
  info.voxel_size_nm = network.voxel_size_nm;
  info.input_shape = found->input;
  info.output_shape = found->shape;
  info.output_scale = network.options.output_scale;
  for (std::size_t c = 0; c < info.classes.size(); ++c) info.channels.push_back(static_cast<std::int64_t>(c));
  const Shape3 covered = info.output_shape + found->halo * (2 * info.output_scale);
  if (info.input_shape * info.output_scale != covered) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format(
            "of an input of {} this network yields voxels {} after its first, {} of them, which is not "
            "its middle; another tile may have one",
            to_string(found->input), to_string(found->halo), to_string(found->shape)));
  }
  return info;
}

// The tensors of the network under the names that its source uses.
void add_tensors(const UNet& network, torch::jit::Module& module) {
  const auto own_name = [](std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  };
  for (const auto& item : network->named_parameters())
    module.register_parameter(own_name(item.key()), item.value().detach(), false);
  for (const auto& item : network->named_buffers())
    if (item.value().is_floating_point()) module.register_buffer(own_name(item.key()), item.value());
}

}  // namespace

ScriptInfo export_script(const NetworkFile& file, const std::filesystem::path& path, const Shape3& tile) {
  if (!is_script(path)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected a name that ends in .pt or .pth", path.string()));
  }
  for (const std::filesystem::path& written : {path, script_info_path(path)}) {
    if (!std::filesystem::exists(written)) continue;
    throw Error(ErrorKind::kAlreadyExists,
                fmt::format("{} is there already; choose another name, or remove it", written.string()));
  }
  ScriptInfo info = facts_of(file.info, tile);
  torch::jit::Module module("organon_network");
  add_tensors(load_unet(file, "the network"), module);
  module.define(script_source(file.info.options, static_cast<std::int64_t>(file.info.classes.size())));
  module.eval();
  std::ostringstream bytes;
  module.save(bytes);
  write_text_atomically(script_info_path(path), to_json(info));
  write_text_atomically(path, bytes.str());
  return info;
}

}  // namespace organon::nn
