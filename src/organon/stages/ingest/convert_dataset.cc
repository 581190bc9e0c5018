#include "organon/stages/ingest/convert_dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/array/cast.h"
#include "organon/base/error.h"
#include "organon/blockwise/reading.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// Blocks below this many bytes grow to whole chunks of the source.
constexpr std::int64_t kBlockBytes = 8 << 20;
constexpr std::int64_t kSpareBytes = 32 << 20;  // compressed bytes of a few chunks

// Attributes that speak of the source's place, files or making.
constexpr const char* kKeysThatStay[] = {
    "organon",         "multiscales",         "ome",    "n5",        "transform",
    "pixelResolution", "resolution",          "offset", "units",     "axes",
    "scales",          "downsamplingFactors", "mesh",   "skeletons", "segment_properties"};

DataType type_named(const std::string& name) {
  if (const auto type = data_type_from_string(name)) return *type;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("option data_type: unknown type '{}'", name));
}

storage::Codec codec_named(const std::string& name, storage::Format format, DataType type) {
  std::vector<std::string_view> names;
  for (const storage::Codec codec : storage::codecs_of(format, type)) {
    if (to_string(codec) == name) return codec;
    names.push_back(to_string(codec));
  }
  throw Error(ErrorKind::kInvalidArgument, fmt::format("option codec: {} has {}, not '{}'", to_string(format),
                                                       fmt::join(names, ", "), name));
}

// One level of the source and where it goes.
struct Level {
  std::shared_ptr<storage::Dataset> source;
  std::vector<std::shared_ptr<storage::Dataset>> channels;  // of the source, each as a dataset
  std::string output;
  Box box;  // of the source
  storage::DatasetSpec spec;
  Json attributes;
  Shape3 block_shape;
};

struct Set {
  ConvertOptions options;
  std::string output;
  bool is_pyramid = false;
  storage::GroupDisplay display;  // of the source's group
  std::vector<Level> levels;

  explicit Set(const StageDescription& description) : output(description.outputs.at(0)) {
    options = options_from_json<ConvertOptions>(description.options_json);
    const storage::Multiscale source = storage::open_multiscale(description.inputs.at(0));
    is_pyramid = source.levels.size() > 1 || storage::absolute_place(source.levels[0]->address()) !=
                                                 storage::absolute_place(description.inputs.at(0));
    if (is_pyramid) display = storage::read_group_display(description.inputs.at(0));
    keep_channel(source.levels[0]->spec().channels, display.omero);
    const auto contrast = storage::contrast_of(source);
    const storage::Format format = storage::format_for_new(output);
    for (std::size_t i = 0; i < source.levels.size(); ++i) {
      Level level;
      level.source = source.levels[i];
      level.channels = channels_of(level.source);
      level.output = is_pyramid ? fmt::format("{}/s{}", output, i) : output;
      const storage::DatasetSpec& from = level.source->spec();
      level.box = box_of(description.box_nm, source.levels[0]->spec(), from);
      level.spec = from;
      if (!options.data_type.empty()) level.spec.data_type = type_named(options.data_type);
      // Floats hold their fill value otherwise than whole numbers do, and it may not be one.
      const bool is_same_kind = level.spec.data_type == from.data_type ||
                                (!is_floating(level.spec.data_type) && !is_floating(from.data_type));
      if (!is_same_kind) level.spec.fill_value = 0;
      level.spec = storage::fitted_to(format, level.spec);
      level.spec.shape = level.box.shape();
      level.spec.grid.offset_nm = from.grid.to_nm(level.box.begin);
      if (!options.chunk_shape.empty())
        level.spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
      level.spec.shard_shape = {};
      if (!options.shard_shape.empty()) {
        level.spec.shard_shape = blockwise::shape_from(options.shard_shape, "shard_shape");
        if (const std::string problem = storage::find_spec_problem(level.spec); !problem.empty())
          throw Error(ErrorKind::kInvalidArgument, "option shard_shape: " + problem);
        level.spec.shard_shape = storage::shards_in(format, level.spec);
      }
      if (!options.codec.empty()) {
        level.spec.codec = codec_named(options.codec, format, level.spec.data_type);
        level.spec.level = -1;
      }
      refuse_with_channels(level.spec, format);
      if (options.level >= 0) level.spec.level = static_cast<int>(options.level);
      level.attributes = level.source->attributes();
      for (const char* key : kKeysThatStay) level.attributes.erase(key);
      // What a group of OME-NGFF states, other formats and single datasets keep in the attributes.
      if (display.is_label_image() && !level.attributes.contains("role")) level.attributes["role"] = "labels";
      if (contrast && !level.attributes.contains(storage::kContrastLimitsKey))
        level.attributes[storage::kContrastLimitsKey] = {contrast->low, contrast->high};
      level.block_shape = block_shape_for(description.block_shape, level);
      levels.push_back(std::move(level));
    }
  }

  // What would be refused when the dataset is made, before anything is planned.
  static void refuse_with_channels(const storage::DatasetSpec& spec, storage::Format format) {
    if (spec.channels.count() == 1) return;
    if (storage::has_shards(spec))
      throw Error(ErrorKind::kInvalidArgument,
                  "option shard_shape: shards are made of one channel; choose one by #0, ...");
    if (format == storage::Format::kPrecomputed && spec.codec == storage::Codec::kPng)
      throw Error(ErrorKind::kInvalidArgument,
                  "option codec: png is made of one channel; choose one by #0, ...");
  }

  // Of several channels the one that is converted.
  static void keep_channel(const storage::Channels& channels, Json& omero) {
    if (channels.count() == 1 || channels.in_stack() > 1 || !omero.is_object() || !omero.contains("channels"))
      return;
    Json& all = omero["channels"];
    const auto chosen = static_cast<std::size_t>(channels.chosen_color());
    all = chosen < all.size() ? Json::array({all[chosen]}) : Json::array();
  }

  static std::vector<std::shared_ptr<storage::Dataset>> channels_of(
      const std::shared_ptr<storage::Dataset>& source) {
    const std::int64_t count = source->spec().channels.in_stack();
    if (count == 1) return {source};
    std::vector<std::shared_ptr<storage::Dataset>> channels;
    for (std::int64_t channel = 0; channel < count; ++channel)
      channels.push_back(storage::open_dataset(fmt::format("{}#{}", source->address(), channel)));
    return channels;
  }

  // The voxels of a level that lie in what is asked for.
  Box box_of(const std::string& box_nm, const storage::DatasetSpec& finest,
             const storage::DatasetSpec& of) const {
    if (options.box.empty()) return blockwise::domain_in(box_nm, of.grid, of.shape, {1, 1, 1});
    const auto& b = options.box;
    if (!box_nm.empty())
      throw Error(ErrorKind::kInvalidArgument, "give the part either by --box or by --box-nm");
    const Box box = b.size() == 6 ? Box{{b[0], b[1], b[2]}, {b[3], b[4], b[5]}} : Box{};
    if (box.empty() || !finest.domain().contains(box)) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("option box: expected z0,y0,x0,z1,y1,x1 in voxels, below the shape {}, found {}",
                      to_string(finest.shape), fmt::join(b, ",")));
    }
    if (&finest == &of) return box;
    const Box part = of.grid
                         .voxels_with_centres_in(finest.grid.to_nm(box.begin),
                                                 finest.grid.to_nm(box.end - Index3{1, 1, 1}))
                         .intersect(of.domain());
    if (part.empty()) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("option box: level of {} nm has no voxel in it; convert the level that is wanted",
                      to_string(of.grid.voxel_size_nm)));
    }
    return part;
  }

  static Shape3 block_shape_for(const Shape3& wanted, const Level& level) {
    const Shape3 chunk = storage::stored_shape(level.spec);
    const Shape3& from = level.source->spec().chunk_shape;
    const auto grown = [](std::int64_t unit, std::int64_t size) { return round_up_to_multiple(size, unit); };
    Shape3 standard{grown(chunk.z, from.z), grown(chunk.y, from.y), grown(chunk.x, from.x)};
    const auto bytes = std::ssize(level.channels) *
                       static_cast<std::int64_t>(
                           std::max(size_of(level.spec.data_type), size_of(level.source->spec().data_type)));
    if (standard.product() * bytes > kBlockBytes) standard = chunk;
    return blockwise::block_shape_or(wanted, standard, level.spec.shape, chunk);
  }
};

class CopyLevel : public Step {
 public:
  CopyLevel(const Set& set, std::size_t index) : options_(set.options), level_(set.levels.at(index)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(level_.spec.domain(), level_.block_shape);
    plan.outputs = {{level_.output, level_.spec, level_.attributes}};
    for (const auto& channel : level_.channels) {
      plan.inputs.push_back({channel->address(), [begin = level_.box.begin](const Box& write_box) {
                               return write_box.translate(begin);
                             }});
    }
    // A part that is cut out ends where it ends, whatever its source does.
    plan.reuse = blockwise::Reuse::kAnywhere;
    plan.depends_on = {{"attributes", level_.attributes}};
    const storage::DatasetSpec& from = level_.source->spec();
    const auto bytes_of = [&](const storage::DatasetSpec& spec, const Shape3& shape) {
      return shape.product() * std::ssize(level_.channels) *
             static_cast<std::int64_t>(size_of(spec.data_type));
    };
    const Shape3& shape = level_.spec.shape;
    const Shape3& block = level_.block_shape;
    const Shape3 clipped{std::min(block.z, shape.z), std::min(block.y, shape.y), std::min(block.x, shape.x)};
    plan.bytes_per_worker = bytes_of(from, clipped) + 2 * storage::chunk_bytes(from) +
                            bytes_of(level_.spec, clipped) + 2 * storage::chunk_bytes(level_.spec) +
                            kSpareBytes;
    plan.bytes_read = bytes_of(from, level_.spec.shape);
    plan.bytes_written = bytes_of(level_.spec, level_.spec.shape);
    plan.voxels_per_second = 100e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Box box = block.write_box.translate(level_.box.begin);
    if (level_.channels.size() == 1) return output.write(0, block.write_box, voxels_of(*level_.source, box));
    AnyArray stack(level_.spec.data_type, storage::stack_of(box.shape(), std::ssize(level_.channels)));
    for (std::size_t i = 0; i < level_.channels.size(); ++i) {
      const AnyArray voxels = voxels_of(*level_.channels[i], box);
      std::ranges::copy(voxels.bytes(), stack.bytes().subspan(i * voxels.bytes().size()).begin());
    }
    output.write(0, block.write_box, stack);
  }

 private:
  AnyArray voxels_of(const storage::Dataset& source, const Box& box) const {
    AnyArray voxels = source.read(box);
    if (voxels.type() != level_.spec.data_type) {
      const bool clips = options_.out_of_range == "clip";
      try {
        voxels = cast_voxels(voxels, level_.spec.data_type, clips ? OutOfRange::kClip : OutOfRange::kRefuse,
                             box.begin);
      } catch (const Error& error) {
        throw Error(error.kind(), fmt::format("{} of the source; choose another --data-type{}",
                                              error.message(), clips ? "" : " or --out-of-range clip"));
      }
    }
    return voxels;
  }

  const ConvertOptions& options_;
  const Level& level_;
};

class WriteGroup : public Step {
 public:
  explicit WriteGroup(const Set& set) : set_(set) {}
  StepPlan plan() const override { return StepPlan::solve(); }
  void process(const Block&, BlockOutput&) const override {
    // An earlier pyramid may have had more levels.
    for (std::size_t index = set_.levels.size();; ++index) {
      const std::string address = fmt::format("{}/s{}", set_.output, index);
      if (!storage::has_anything(storage::parse_address(address).place())) break;
      if (!storage::open_dataset(address)->attributes().contains("organon")) {
        throw Error(ErrorKind::kAlreadyExists,
                    fmt::format("level {} exists and was not made by organon; move it away", address));
      }
      storage::remove_dataset(address);
    }
    storage::write_multiscale_metadata(set_.output, set_.display);
  }

 private:
  const Set& set_;
};

class ConvertStage : public blockwise::Stage {
 public:
  explicit ConvertStage(const StageDescription& description) : set_(description) {}
  bool makes_files() const override { return false; }
  std::vector<std::string> steps() const override {
    if (!set_.is_pyramid) return {"copy"};
    std::vector<std::string> names;
    for (std::size_t i = 0; i < set_.levels.size(); ++i) names.push_back(fmt::format("copy level {}", i));
    names.emplace_back("write metadata");
    return names;
  }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder&) const override {
    if (index == set_.levels.size()) return std::make_unique<WriteGroup>(set_);
    return std::make_unique<CopyLevel>(set_, index);
  }
  std::vector<StepPlan> plans() const override {
    std::vector<StepPlan> plans;
    for (std::size_t i = 0; i < set_.levels.size(); ++i) plans.push_back(CopyLevel(set_, i).plan());
    return plans;
  }

 private:
  Set set_;
};

}  // namespace

void ConvertOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("chunk_shape", chunk_shape,
           {"chunks of the output: z,y,x, or one number; empty: the source's", "voxels", 1, 4096, {}})
      .add("shard_shape", shard_shape,
           {"shards of whole chunks, for zarr3, and for precomputed where they are 2^k chunks along each "
            "axis: "
            "z,y,x, or one number; empty: none",
            "voxels",
            1,
            65536,
            {}})
      .add("codec", codec,
           {"compression of chunks; empty: the source's where the format has it", "", -kAny, kAny, {}})
      .add("level", level, {"compression level; -1: the codec's default", "", -1, 22, {}})
      .add("data_type", data_type,
           {"of the output's voxels, such as uint8; empty: the source's", "", -kAny, kAny, {}})
      .add("out_of_range", out_of_range,
           {"values that the data type lacks", "", -kAny, kAny, {"refuse", "clip"}})
      .add("box", box,
           {"only this part: z0,y0,x0,z1,y1,x1 of the finest level, its end not included; empty: all",
            "voxels",
            0,
            1e15,
            {}});
}

std::unique_ptr<blockwise::Stage> make_convert_stage(const StageDescription& description) {
  return std::make_unique<ConvertStage>(description);
}

}  // namespace organon::stages
