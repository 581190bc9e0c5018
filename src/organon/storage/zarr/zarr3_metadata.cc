#include "organon/storage/zarr/zarr3_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "organon/base/error.h"
#include "organon/storage/codec_options.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

// More codecs than any writer puts after one another.
constexpr std::size_t kMaxCodecs = 32;

[[noreturn]] void throw_corrupt(std::string_view where, std::string_view what) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, what));
}

[[noreturn]] void throw_unsupported(std::string_view where, std::string_view what) {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: {} is not supported", where, what));
}

// The name of an extension point: a text, or an object with `name`.
std::string name_of(const Json& extension, std::string_view where) {
  return extension.is_string() ? extension.get<std::string>() : string_field(extension, "name", where);
}

const Json& configuration_of(const Json& extension) {
  static const Json kNone = Json::object();
  const Json* configuration = optional_field(extension, "configuration");
  return configuration != nullptr ? *configuration : kNone;
}

char separator_of(const Json& configuration, char by_default, std::string_view where) {
  if (optional_field(configuration, "separator") == nullptr) return by_default;
  const std::string separator = string_field(configuration, "separator", where);
  if (separator != "/" && separator != ".")
    throw_corrupt(where, fmt::format("separator '{}', expected / or .", separator));
  return separator[0];
}

// The order of all axes, those of channels too.
std::vector<int> order_of(const Json& configuration, std::size_t num_axes, std::string_view where) {
  const Json& order = field(configuration, "order", where);
  std::vector<int> in_order(num_axes);
  std::iota(in_order.begin(), in_order.end(), 0);
  // Before 2023 these words were used.
  if (order == "C") return in_order;
  if (order == "F") return {in_order.rbegin(), in_order.rend()};
  const std::vector<std::int64_t> axes = integers_of(order, where);
  if (!std::ranges::is_permutation(axes, in_order))
    throw_corrupt(where, fmt::format("order {} is no permutation of {} axes", order.dump(), num_axes));
  return {axes.begin(), axes.end()};
}

bool is_big_endian(const Json& configuration, DataType type, std::string_view where) {
  if (optional_field(configuration, "endian") == nullptr) {
    if (size_of(type) > 1) throw_corrupt(where, "expected 'endian'");
    return false;
  }
  const std::string endian = string_field(configuration, "endian", where);
  if (endian != "little" && endian != "big")
    throw_corrupt(where, fmt::format("endian '{}', expected little or big", endian));
  return endian == "big";
}

// What a chain encodes.
struct CellExtents {
  Shape3 shape;
  std::vector<std::int64_t> channels;

  std::int64_t num_channels() const { return Channels{{}, channels, {}}.per_chunk(); }
};

Zarr3Chain parse_chain(const Json& codecs, const CellExtents& cell, DataType type, std::string_view where);

// Of the channels of a shard.
std::int64_t num_channel_chunks(const CellExtents& shard, const std::vector<std::int64_t>& chunk,
                                std::string_view where) {
  if (chunk.size() != shard.channels.size()) throw_corrupt(where, "chunks of other axes than the shard's");
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < chunk.size(); ++axis) {
    if (chunk[axis] <= 0 || shard.channels[axis] % chunk[axis] != 0)
      throw_corrupt(where, fmt::format("chunks of {} channels do not divide shards of {}", chunk[axis],
                                       shard.channels[axis]));
    count *= shard.channels[axis] / chunk[axis];
  }
  return count;
}

ShardLayout parse_sharding(const Json& configuration, const CellExtents& cell, DataType type,
                           std::string_view where) {
  ShardLayout layout;
  const Shape3& shard = cell.shape;
  Extents extents = extents_field(configuration, "chunk_shape", AxisOrder::kZyx, where);
  const Shape3& chunk = layout.chunk_shape = extents.space;
  layout.channel_chunk = std::move(extents.channels);
  const std::int64_t of_channels = num_channel_chunks(cell, layout.channel_chunk, where);
  if (chunk.smallest() <= 0 || shard.z % chunk.z != 0 || shard.y % chunk.y != 0 || shard.x % chunk.x != 0)
    throw_corrupt(where,
                  fmt::format("chunks of {} do not divide shards of {}", to_string(chunk), to_string(shard)));
  const Shape3 num_chunks{shard.z / chunk.z, shard.y / chunk.y, shard.x / chunk.x};
  if (static_cast<double>(of_channels) * static_cast<double>(num_chunks.z) *
          static_cast<double>(num_chunks.y) * static_cast<double>(num_chunks.x) >
      static_cast<double>(kMaxChunksPerShard)) {
    throw_unsupported(where, fmt::format("a shard of {} chunks", to_string(num_chunks)));
  }
  layout.chunk_chain =
      parse_chain(field(configuration, "codecs", where), {chunk, layout.channel_chunk}, type, where);
  // The index is an array of one axis more. Codecs of bytes only, for its size must be known.
  const std::string place = fmt::format("{}: 'index_codecs'", where);
  const Zarr3Chain index =
      parse_chain(field(configuration, "index_codecs", where), {{1, 1, 2}, {}}, DataType::kUint64, place);
  if (index.order != Zarr3Chain().order || !index.shards.empty() || index.compression.codec != Codec::kRaw)
    throw_unsupported(place, "an index that is encoded by more than bytes and crc32c");
  layout.is_index_big_endian = index.is_big_endian;
  layout.num_index_checksums = index.num_checksums_inside + index.num_checksums_outside;
  if (optional_field(configuration, "index_location") != nullptr) {
    const std::string location = string_field(configuration, "index_location", where);
    if (location != "start" && location != "end")
      throw_corrupt(where, fmt::format("index_location '{}', expected start or end", location));
    layout.is_index_at_start = location == "start";
  }
  return layout;
}

void add_compression(Codec codec, std::string_view level_key, const Json& configuration, DataType type,
                     std::string_view where, Zarr3Chain& chain) {
  if (!chain.shards.empty()) throw_unsupported(where, fmt::format("{} of a whole shard", to_string(codec)));
  if (chain.compression.codec != Codec::kRaw)
    throw_unsupported(
        where, fmt::format("{} of what {} made", to_string(codec), to_string(chain.compression.codec)));
  chain.compression.codec = codec;
  chain.compression.level = level_of(optional_field(configuration, level_key), codec);
  chain.compression.voxel_bytes = size_of(type);
  if (codec == Codec::kBlosc)
    chain.compression.blosc_inner = blosc_inner_of(optional_field(configuration, "cname"), where);
}

Zarr3Chain parse_chain(const Json& codecs, const CellExtents& cell, DataType type, std::string_view where) {
  if (!codecs.is_array()) throw_corrupt(where, "expected a list of codecs");
  if (codecs.size() > kMaxCodecs)
    throw_unsupported(where, fmt::format("a chain of {} codecs", codecs.size()));
  Zarr3Chain chain;
  const std::size_t num_channel_axes = cell.channels.size();
  // Axis i of what is encoded is axis axes[i] of the array.
  std::vector<int> axes(num_channel_axes + 3);
  std::iota(axes.begin(), axes.end(), 0);
  bool are_channels_first = true;
  bool are_bytes = false;
  const auto require = [&](bool are_bytes_expected, const std::string& name) {
    if (are_bytes != are_bytes_expected)
      throw_corrupt(where, fmt::format("codec '{}' stands {} the codec that makes bytes", name,
                                       are_bytes ? "behind" : "before"));
  };
  for (const Json& codec : codecs) {
    const std::string name = name_of(codec, where);
    const std::string place = fmt::format("{}: codec '{}'", where, name);
    const Json& configuration = configuration_of(codec);
    if (name == "transpose") {
      require(false, name);
      std::vector<int> before = axes;
      std::ranges::transform(order_of(configuration, axes.size(), place), axes.begin(),
                             [&](int axis) { return before[static_cast<std::size_t>(axis)]; });
      are_channels_first = true;
      for (std::size_t i = 0; i < num_channel_axes; ++i)
        are_channels_first = are_channels_first && axes[i] == static_cast<int>(i);
      if (!are_channels_first && cell.num_channels() > 1)
        throw_unsupported(place, "an order that moves the channels of a chunk");
      // One channel alone lies where it lies.
      std::vector<int> in_space = axes;
      std::erase_if(in_space, [&](int axis) { return static_cast<std::size_t>(axis) < num_channel_axes; });
      for (std::size_t i = 0; i < 3; ++i) chain.order[i] = in_space[i] - static_cast<int>(num_channel_axes);
    } else if (name == "bytes") {
      require(false, name);
      chain.is_big_endian = is_big_endian(configuration, type, place);
      are_bytes = true;
    } else if (name == "sharding_indexed") {
      require(false, name);
      if (!are_channels_first) throw_unsupported(place, "a shard of arrays whose channels are not first");
      chain.shards.push_back(
          parse_sharding(configuration, {in_order(chain.order, cell.shape), cell.channels}, type, place));
      are_bytes = true;
    } else if (name == "gzip" || name == "zstd" || name == "blosc") {
      require(true, name);
      const Codec compression = name == "gzip" ? Codec::kGzip : name == "zstd" ? Codec::kZstd : Codec::kBlosc;
      add_compression(compression, name == "blosc" ? "clevel" : "level", configuration, type, place, chain);
    } else if (name == "crc32c") {
      require(true, name);
      const bool is_compressed = chain.compression.codec != Codec::kRaw;
      ++(is_compressed || !chain.shards.empty() ? chain.num_checksums_outside : chain.num_checksums_inside);
    } else {
      throw_unsupported(where, fmt::format("codec '{}'", name));
    }
  }
  if (!are_bytes) throw_corrupt(where, "expected a codec that makes bytes");
  return chain;
}

// One inner chunk can be cut out where the stored unit is the shard itself.
bool is_readable_in_parts(const Zarr3Chain& chain) {
  return !chain.shards.empty() && chain.order == Zarr3Chain().order && chain.num_checksums_outside == 0;
}

void refuse_unknown_members(const Json& json, std::string_view where) {
  constexpr std::string_view kKnown[] = {
      "zarr_format",         "node_type",  "shape",  "data_type",  "chunk_grid",
      "chunk_key_encoding",  "fill_value", "codecs", "attributes", "dimension_names",
      "storage_transformers"};
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(kKnown, key) != std::end(kKnown)) continue;
    const Json* must_understand = optional_field(value, "must_understand");
    if (must_understand == nullptr || *must_understand != false)
      throw_unsupported(where, fmt::format("extension '{}'", key));
  }
  const Json* transformers = optional_field(json, "storage_transformers");
  if (transformers != nullptr && !transformers->empty()) {
    const Json& first = transformers->is_array() ? transformers->front() : *transformers;
    throw_unsupported(where, fmt::format("storage transformer '{}'", name_of(first, where)));
  }
}

Json codec_json(const std::string& name, Json configuration) {
  Json json;
  json["name"] = name;
  if (!configuration.empty()) json["configuration"] = std::move(configuration);
  return json;
}

Json bytes_json(DataType type) {
  return codec_json("bytes", size_of(type) > 1 ? Json{{"endian", "little"}} : Json::object());
}

Json codecs_of_chunk(const DatasetSpec& spec) {
  Json codecs = Json::array({bytes_json(spec.data_type)});
  const int level = spec.level == -1 ? default_level(spec.codec) : spec.level;
  switch (spec.codec) {
    case Codec::kRaw:
      break;
    case Codec::kGzip:
      codecs.push_back(codec_json("gzip", {{"level", level}}));
      break;
    case Codec::kZstd:
      codecs.push_back(codec_json("zstd", {{"level", level}, {"checksum", true}}));
      break;
    case Codec::kBlosc:
      codecs.push_back(codec_json("blosc", {{"cname", to_string(spec.blosc_inner)},
                                            {"clevel", level},
                                            {"shuffle", "shuffle"},
                                            {"typesize", size_of(spec.data_type)},
                                            {"blocksize", 0}}));
      break;
    default:
      throw Error(ErrorKind::kInvalidArgument, fmt::format("Zarr 3 has no codec {}", to_string(spec.codec)));
  }
  return codecs;
}

}  // namespace

Shape3 in_order(const std::array<int, 3>& order, const Shape3& shape) {
  const std::array<std::int64_t, 3> axes{shape.z, shape.y, shape.x};
  const auto axis = [&](std::size_t i) { return axes[static_cast<std::size_t>(order[i])]; };
  return {axis(0), axis(1), axis(2)};
}

bool is_zarr3_array(const Json& json) {
  const Json* type = optional_field(json, "node_type");
  return type != nullptr && *type == "array";
}

Zarr3Array parse_zarr3_array(std::string_view text, std::string_view where) {
  return zarr3_array_from(parse_json(text, where), where);
}

Zarr3Array zarr3_array_from(const Json& json, std::string_view where) {
  const std::int64_t version = integer_field(json, "zarr_format", where);
  if (version != 3) throw_unsupported(where, fmt::format("Zarr version {} in a zarr.json", version));
  if (!is_zarr3_array(json)) throw_corrupt(where, "expected the node_type array");
  refuse_unknown_members(json, where);
  Zarr3Array array;
  DatasetSpec& spec = array.spec;
  Extents shape = extents_field(json, "shape", AxisOrder::kZyx, where);
  spec.shape = shape.space;
  const Json& grid = field(json, "chunk_grid", where);
  const std::string grid_place = fmt::format("{}: 'chunk_grid'", where);
  if (const std::string name = name_of(grid, grid_place); name != "regular")
    throw_unsupported(where, fmt::format("chunk grid '{}'", name));
  Extents chunk = extents_field(configuration_of(grid), "chunk_shape", AxisOrder::kZyx, grid_place);
  const Shape3 unit = chunk.space;
  spec.channels = {std::move(shape.channels), std::move(chunk.channels), std::nullopt};
  if (const std::string problem = find_channels_problem(spec.channels); !problem.empty())
    throw_corrupt(where, problem);
  const std::string type = name_of(field(json, "data_type", where), where);
  const auto data_type = type == "bool" ? DataType::kUint8 : data_type_from_string(type);
  if (!data_type) throw_unsupported(where, fmt::format("data type '{}'", type));
  spec.data_type = *data_type;
  spec.fill_value = parse_fill_value(field(json, "fill_value", where), spec.data_type, where);
  const Json& keys = field(json, "chunk_key_encoding", where);
  const std::string keys_place = fmt::format("{}: 'chunk_key_encoding'", where);
  const std::string encoding = name_of(keys, keys_place);
  if (encoding != "default" && encoding != "v2")
    throw_unsupported(where, fmt::format("chunk key encoding '{}'", encoding));
  array.has_key_prefix = encoding == "default";
  array.separator = separator_of(configuration_of(keys), array.has_key_prefix ? '/' : '.', keys_place);
  if (const Json* names = optional_field(json, "dimension_names")) {
    if (!names->is_array() || names->size() != spec.channels.shape.size() + 3)
      throw_corrupt(where, "expected as many dimension_names as axes");
    for (const Json& name : *names)
      array.dimension_names.push_back(name.is_string() ? name.get<std::string>() : "");
    refuse_other_axes(array.dimension_names, where);
  }
  array.chain = parse_chain(field(json, "codecs", where), {unit, spec.channels.chunk}, spec.data_type,
                            fmt::format("{}: 'codecs'", where));
  spec.chunk_shape = unit;
  const Zarr3Chain* innermost = &array.chain;
  if (is_readable_in_parts(array.chain)) {
    spec.shard_shape = unit;
    spec.chunk_shape = array.chain.shards.front().chunk_shape;
  }
  while (!innermost->shards.empty()) innermost = &innermost->shards.front().chunk_chain;
  spec.codec = innermost->compression.codec;
  spec.level = innermost->compression.level;
  spec.blosc_inner = innermost->compression.blosc_inner;
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) throw_corrupt(where, problem);
  return array;
}

Json zarr3_array_of(const DatasetSpec& spec) {
  Json json;
  json["zarr_format"] = 3;
  json["node_type"] = "array";
  json["shape"] = to_json(Extents{spec.shape, spec.channels.shape}, AxisOrder::kZyx);
  json["data_type"] = to_string(spec.data_type);
  json["chunk_grid"] = codec_json(
      "regular",
      {{"chunk_shape", to_json(Extents{stored_shape(spec), spec.channels.chunk}, AxisOrder::kZyx)}});
  json["chunk_key_encoding"] = codec_json("default", {{"separator", "/"}});
  json["fill_value"] = fill_value_json(spec.fill_value, spec.data_type);
  json["codecs"] = codecs_of_chunk(spec);
  if (has_shards(spec)) {
    Json sharding;
    // One channel alone, see create_dataset().
    sharding["chunk_shape"] = to_json(Extents{spec.chunk_shape, spec.channels.chunk}, AxisOrder::kZyx);
    sharding["codecs"] = codecs_of_chunk(spec);
    sharding["index_codecs"] =
        Json::array({bytes_json(DataType::kUint64), codec_json("crc32c", Json::object())});
    sharding["index_location"] = "end";
    json["codecs"] = Json::array({codec_json("sharding_indexed", sharding)});
  }
  json["attributes"] = Json::object();
  json["dimension_names"] = axis_names(spec.channels.shape.size());
  return json;
}

std::string zarr3_key(const Zarr3Array& array, const Index3& position) {
  const std::string prefix = array.has_key_prefix ? fmt::format("c{}", array.separator) : "";
  std::string key = prefix;
  for (const std::int64_t channel : array.spec.channels.chunk_position())
    key += fmt::format("{}{}", channel, array.separator);
  return key + fmt::format("{1}{0}{2}{0}{3}", array.separator, position.z, position.y, position.x);
}

}  // namespace organon::storage
