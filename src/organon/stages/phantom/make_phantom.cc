#include "organon/stages/phantom/make_phantom.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/run_folder.h"
#include "organon/phantom/form_image.h"
#include "organon/phantom/label_voxels.h"
#include "organon/phantom/truth_tables.h"
#include "organon/tables/histogram.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::RunFolder;
using blockwise::StageDescription;
using blockwise::Step;
using blockwise::StepPlan;

// Scene, code and libraries of a worker.
constexpr std::int64_t kSpareBytes = 64 << 20;
constexpr std::size_t kNumOrganelles = phantom::kOrganelles.size();

std::filesystem::path container_of(const std::string& folder) {
  return storage::parse_address(folder).path / "phantom.n5";
}

std::string instances_address(const std::string& folder, phantom::Organelle organelle) {
  return "n5://" + (container_of(folder) / "instances" / phantom::to_string(organelle)).string();
}

SizeNm size_from(const std::vector<double>& values) {
  if (values.empty() || (values.size() != 1 && values.size() != 3)) {
    throw Error(ErrorKind::kInvalidArgument,
                "option voxel_size_nm: expected one number or three (z,y,x), in nm");
  }
  const SizeNm size{values.front(), values[values.size() / 2], values.back()};
  if (!(size.smallest() > 0)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("option voxel_size_nm: expected numbers above 0, found {}", to_string(size)));
  }
  return size;
}

struct Set {
  PhantomOptions options;
  std::string folder;
  phantom::Contrast contrast;
  storage::DatasetSpec raw_spec;
  storage::DatasetSpec labels_spec;
  Box raw_domain;
  Box labels_domain;
  Shape3 raw_block;
  Shape3 labels_block;

  explicit Set(const StageDescription& description) {
    options = options_from_json<PhantomOptions>(description.options_json);
    folder = description.outputs.at(0);
    contrast = phantom::contrast_named(options.contrast);
    const SizeNm size = size_from(options.voxel_size_nm);
    raw_spec.shape = blockwise::shape_from(options.shape, "shape");
    raw_spec.chunk_shape = blockwise::shape_from(options.chunk_shape, "chunk_shape");
    raw_spec.level = 1;
    raw_spec.grid = {size, PointNm(size) * 0.5};
    labels_spec = raw_spec;
    labels_spec.shape = raw_spec.shape * 2;
    labels_spec.grid = phantom::label_grid_of(raw_spec.grid);
    const auto domain_of = [&](const storage::DatasetSpec& spec) {
      return blockwise::domain_in(description.box_nm, spec.grid, spec.shape, spec.chunk_shape);
    };
    const auto block_of = [&](const storage::DatasetSpec& spec, std::int64_t standard) {
      return blockwise::block_shape_or(description.block_shape, Shape3::cube(standard), spec.shape,
                                       spec.chunk_shape);
    };
    raw_domain = domain_of(raw_spec);
    labels_domain = domain_of(labels_spec);
    raw_block = block_of(raw_spec, 64);
    labels_block = block_of(labels_spec, 128);
  }

  // Placed when first needed: a stage is also made to be asked for its version.
  const phantom::Cell& cell() const {
    std::call_once(once_, [&] {
      const Shape3& shape = raw_spec.shape;
      const SizeNm& size = raw_spec.grid.voxel_size_nm;
      cell_.emplace(
          phantom::make_cell({static_cast<double>(shape.z) * size.z, static_cast<double>(shape.y) * size.y,
                              static_cast<double>(shape.x) * size.x},
                             static_cast<std::uint64_t>(options.seed)));
    });
    return *cell_;
  }

 private:
  mutable std::once_flag once_;
  mutable std::optional<phantom::Cell> cell_;
};

class Label : public Step {
 public:
  explicit Label(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.labels_domain, set_.labels_block);
    const Json attributes = {{"role", "labels"}};
    plan.outputs = {{phantom_addresses(set_.folder)[1], set_.labels_spec, attributes}};
    std::uint64_t largest_id[kNumOrganelles] = {};
    for (const phantom::Object& object : set_.cell().objects) {
      largest_id[static_cast<std::size_t>(object.organelle)] = object.id;
    }
    std::int64_t voxel_bytes = 1;
    for (const phantom::Organelle organelle : phantom::kOrganelles) {
      storage::DatasetSpec spec = set_.labels_spec;
      spec.data_type = smallest_unsigned_type(largest_id[static_cast<std::size_t>(organelle)]);
      voxel_bytes += static_cast<std::int64_t>(size_of(spec.data_type));
      plan.outputs.push_back({instances_address(set_.folder, organelle), spec, attributes});
    }
    plan.bytes_per_worker = 24 * set_.labels_block.product() + kSpareBytes;
    plan.bytes_written = voxel_bytes * plan.domain.volume();
    plan.voxels_per_second = 5e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const phantom::LabelledVoxels voxels =
        phantom::label_voxels(set_.cell(), set_.labels_spec.grid, block.write_box);
    output.write<std::uint8_t>(0, block.write_box, voxels.labels.view());
    const StepPlan stated = plan();
    for (std::size_t i = 0; i < kNumOrganelles; ++i) {
      AnyArray instances(stated.outputs[1 + i].spec.data_type, block.write_box.shape());
      dispatch(instances.type(), [&](auto zero) {
        using Id = decltype(zero);
        if constexpr (std::is_unsigned_v<Id>) select(voxels, phantom::kOrganelles[i], instances.view<Id>());
      });
      output.write(1 + i, block.write_box, instances);
    }
  }

 private:
  template <class Id>
  void select(const phantom::LabelledVoxels& voxels, phantom::Organelle organelle,
              ArrayView<Id> instances) const {
    const phantom::Cell& cell = set_.cell();
    std::vector<bool> is_wanted(cell.objects.size() + 1, false);
    for (const phantom::Object& object : cell.objects) is_wanted[object.id] = object.organelle == organelle;
    const phantom::Object* const whole = cell.first_object(organelle);
    const bool is_nucleus = organelle == phantom::Organelle::kNucleus;
    const bool is_er = organelle == phantom::Organelle::kEr;
    for (std::int64_t i = 0; i < voxels.objects.size(); ++i) {
      const std::uint8_t label = voxels.labels.data()[i];
      // Of the smaller thing where two share a voxel: the envelope is the nucleus's too, exit sites the ER's.
      const bool is_shared =
          (is_nucleus && phantom::is_in_nucleus(label)) || (is_er && phantom::is_in_er(label));
      const std::uint64_t id = is_shared                             ? whole->id
                               : is_wanted[voxels.objects.data()[i]] ? voxels.objects.data()[i]
                                                                     : 0;
      instances.data()[i] = static_cast<Id>(id);
    }
  }

  const Set& set_;
};

class Image : public Step {
 public:
  explicit Image(const Set& set) : set_(set) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::over(set_.raw_domain, set_.raw_block);
    plan.outputs = {{phantom_addresses(set_.folder)[0], set_.raw_spec, {{"role", "raw"}}}};
    const Shape3 halo = phantom::blur_halo(set_.contrast, set_.raw_spec.grid.voxel_size_nm);
    plan.bytes_per_worker = 120 * (set_.raw_block + halo * 2).product() + kSpareBytes;
    plan.bytes_written = plan.domain.volume();
    plan.voxels_per_second = 0.5e6;
    return plan;
  }

  void process(const Block& block, BlockOutput& output) const override {
    const Array<std::uint8_t> image =
        phantom::form_image(set_.cell(), set_.contrast, set_.raw_spec.grid, block.write_box);
    output.write<std::uint8_t>(0, block.write_box, image.view());
    tables::Histogram histogram = tables::Histogram::of_integers(0, 255);
    histogram.add_voxels<std::uint8_t>(image.view());
    output.emit(block.id, histogram.encode());
  }

 private:
  const Set& set_;
};

class Describe : public Step {
 public:
  Describe(const Set& set, std::filesystem::path histograms)
      : set_(set), histograms_(std::move(histograms)) {}

  StepPlan plan() const override {
    StepPlan plan = StepPlan::solve();
    plan.bytes_per_worker = kSpareBytes;
    plan.voxels_per_second = 1;
    return plan;
  }

  void process(const Block&, BlockOutput& output) const override {
    const std::filesystem::path tables = storage::parse_address(set_.folder).path / "tables";
    const phantom::Cell& cell = set_.cell();
    std::int64_t key = 0;
    for (const auto& [name, table] : {std::pair{"objects", phantom::object_table(cell)},
                                      {"microtubules", phantom::microtubule_table(cell)},
                                      {"close_pairs", phantom::close_pair_table(cell)}}) {
      tables::write_csv(tables / (std::string(name) + ".csv"), table);
      // What is left behind enters the stage's result, as the tables should.
      const std::string text = tables::to_csv(table);
      output.emit(key++, std::as_bytes(std::span(text)));
    }
    // 0.1 % and 99.9 % quantiles, as for imported stacks.
    tables::Histogram histogram = tables::Histogram::of_integers(0, 255);
    const blockwise::PartialReader reader(histograms_);
    for (const std::int64_t block : reader.keys())
      histogram.merge(tables::Histogram::decode(reader.read(block).value()));
    if (histogram.total() == 0) return;
    const auto low = static_cast<double>(histogram.quantile_bin(0.001));
    const auto high = std::max(low + 1, static_cast<double>(histogram.quantile_bin(0.999)));
    storage::open_dataset(phantom_addresses(set_.folder)[0])
        ->set_attributes({{"contrast_limits", {low, high}}});
    const std::string limits = fmt::format("{} {}", low, high);
    output.emit(key, std::as_bytes(std::span(limits)));
  }

 private:
  const Set& set_;
  std::filesystem::path histograms_;
};

class PhantomStage : public blockwise::Stage {
 public:
  explicit PhantomStage(const StageDescription& description) : set_(description) {}

  std::vector<std::string> steps() const override { return {"label", "image", "describe"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<Label>(set_);
    if (index == 1) return std::make_unique<Image>(set_);
    return std::make_unique<Describe>(set_, run.step(1));
  }
  std::vector<StepPlan> plans() const override { return {Label(set_).plan(), Image(set_).plan()}; }

 private:
  Set set_;
};

}  // namespace

std::vector<std::string> phantom_addresses(const std::string& folder) {
  const std::string container = "n5://" + container_of(folder).string();
  std::vector<std::string> addresses = {container + "/raw", container + "/labels"};
  for (const phantom::Organelle organelle : phantom::kOrganelles) {
    addresses.push_back(instances_address(folder, organelle));
  }
  return addresses;
}

void PhantomOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("shape", shape, {"voxels of raw: z,y,x, or one number for a cube", "voxels", 1, 1 << 20, {}})
      .add("voxel_size_nm", voxel_size_nm,
           {"of raw: z,y,x, or one number; labels have half of it", "nm", 0, 1000, {}})
      .add("seed", seed, {"another seed is another cell", "", 0, 1e15, {}})
      .add("contrast", contrast,
           {"staining and imaging, after cells of the paper", "", -kAny, kAny, phantom::contrast_names()})
      .add("chunk_shape", chunk_shape,
           {"chunks of the datasets: z,y,x, or one number", "voxels", 1, 4096, {}});
}

std::unique_ptr<blockwise::Stage> make_phantom_stage(const StageDescription& description) {
  return std::make_unique<PhantomStage>(description);
}

}  // namespace organon::stages
