#include "organon/blockwise/growth.h"

#include <gtest/gtest.h>

#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/blockwise/components.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/runner.h"
#include "organon/blockwise/status.h"

namespace organon::blockwise {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kChunk{4, 4, 4};

// Map with a mirrored halo and what each block left -> solve -> map that looks up what the solve left for it.
// `scale` is an attribute of the input; the second input, a file, is read by every block.
class ToyStage : public Stage {
 public:
  explicit ToyStage(const StageDescription& description)
      : input_(storage::open_dataset(description.inputs.at(0))),
        file_(description.inputs.at(1)),
        output_(description.outputs.at(0)),
        scale_(input_->attributes().value("scale", 1)) {}

  std::vector<std::string> steps() const override { return {"sum", "choose", "apply"}; }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<Sum>(*this, run.scratch("sums"));
    if (index == 1) return std::make_unique<Choose>(run.step(0));
    return std::make_unique<Apply>(*this, run.scratch("sums"), run.step(1));
  }
  std::vector<StepPlan> plans() const override { return {map_plan("")}; }

 private:
  // As far as 7 voxels beyond a volume of 5 to 30.
  static constexpr Shape3 kHalo{7, 1, 2};

  StepPlan map_plan(const std::string& output) const {
    storage::DatasetSpec spec = input_->spec();
    spec.data_type = DataType::kUint32;
    StepPlan plan = StepPlan::over(spec.domain(), {4, 8, 4});
    plan.block_shape = {4, std::min<std::int64_t>(8, 4 * ((spec.shape.y + 3) / 4)), 4};
    plan.outputs = {{output, spec}};
    plan.reuse = Reuse::kAnywhere;
    plan.depends_on = {{"scale", scale_}};
    return plan;
  }
  class Sum : public Step {
   public:
    Sum(const ToyStage& stage, std::string scratch) : stage_(stage), scratch_(std::move(scratch)) {}
    StepPlan plan() const override {
      StepPlan plan = stage_.map_plan(scratch_);
      plan.reads(stage_.input_->address(), kHalo);
      return plan;
    }
    void process(const Block& block, BlockOutput& output) const override {
      const std::uint32_t offset = static_cast<std::uint32_t>(read_text(stage_.file_).size());
      const Box box = block.write_box;
      const Array<std::uint8_t> in =
          read_with_border<std::uint8_t>(*stage_.input_, box.grow(kHalo, kHalo), Border::kReflect);
      Array<std::uint32_t> out(box.shape(), 0);
      std::uint32_t highest = 0;
      for (std::int64_t z = 0; z < out.shape().z; ++z) {
        for (std::int64_t y = 0; y < out.shape().y; ++y) {
          for (std::int64_t x = 0; x < out.shape().x; ++x) {
            const std::uint32_t value =
                offset + stage_.scale_ * (in(z, y + 1, x + 2) + 3 * in(z + 14, y, x) +
                                          5 * in(z + 7, y + 2, x + 4) + 7 * in(z + 1, y, x + 1));
            out(z, y, x) = value % 5 == 0 ? 0 : value;
            highest = std::max(highest, value);
          }
        }
      }
      // Some blocks write nothing.
      if (highest % 3 == 0) return;
      output.write<std::uint32_t>(0, box, std::as_const(out).view());
      output.emit(block.id, bytes_of(std::vector<std::uint32_t>{highest}));
    }

   private:
    const ToyStage& stage_;
    std::string scratch_;
  };
  class Choose : public Step {
   public:
    explicit Choose(const std::filesystem::path& sums) : sums_(sums) {}
    StepPlan plan() const override { return StepPlan::solve(); }
    void process(const Block&, BlockOutput& output) const override {
      // At times what is chosen for a block changes, though the block did not.
      std::uint32_t turn = 0;
      for (const std::int64_t key : sums_.keys()) turn = (turn + value_of(key)) % 2;
      for (const std::int64_t key : sums_.keys()) {
        const std::uint32_t value = value_of(key);
        if (value % 4 != 0) output.emit(key, bytes_of(std::vector<std::uint32_t>{value / 100 + turn}));
      }
    }

   private:
    std::uint32_t value_of(std::int64_t key) const {
      return values_of<std::uint32_t>(sums_.read(key).value()).at(0);
    }
    PartialReader sums_;
  };
  class Apply : public Step {
   public:
    Apply(const ToyStage& stage, const std::string& scratch, std::filesystem::path chosen)
        : stage_(stage),
          scratch_(storage::open_dataset(scratch)),
          folder_(std::move(chosen)),
          chosen_(folder_) {}
    StepPlan plan() const override {
      StepPlan plan = stage_.map_plan(stage_.output_);
      plan.reads(scratch_->address(), Shape3::cube(1));
      plan.partials.push_back({folder_, [](const Block& block) { return std::vector{block.id}; }});
      return plan;
    }
    void process(const Block& block, BlockOutput& output) const override {
      const Box box = block.write_box;
      Array<std::uint32_t> out(box.shape(), 0);
      const Array<std::uint32_t> in =
          read_with_border<std::uint32_t>(*scratch_, box.grow(1), Border::kConstant, 9);
      const auto bytes = chosen_.read(block.id);
      const std::uint32_t add = bytes ? values_of<std::uint32_t>(*bytes).at(0) : 0;
      for (std::int64_t z = 0; z < out.shape().z; ++z)
        for (std::int64_t y = 0; y < out.shape().y; ++y)
          for (std::int64_t x = 0; x < out.shape().x; ++x)
            out(z, y, x) = in(z, y, x) + 11 * in(z + 2, y + 2, x + 2) + add;
      output.write<std::uint32_t>(0, box, std::as_const(out).view());
    }

   private:
    const ToyStage& stage_;
    std::shared_ptr<storage::Dataset> scratch_;
    std::filesystem::path folder_;
    PartialReader chosen_;
  };

  std::shared_ptr<storage::Dataset> input_;
  std::filesystem::path file_;
  std::string output_;
  std::uint32_t scale_;
};

class Toy {
 public:
  explicit Toy(std::filesystem::path folder) : folder_(std::move(folder)) {
    write_text_atomically(folder_ / "file", "x");
    grow({5, 6, 9});
  }
  const Shape3& shape() const { return shape_; }
  std::string input() const { return "n5://" + (folder_ / "in.n5/raw").string(); }

  void grow(const Shape3& shape) {
    const std::filesystem::path file = folder_ / "in.n5/raw/attributes.json";
    if (std::filesystem::exists(file)) {
      Json attributes = parse_json(read_text(file), "attributes");
      attributes["dimensions"] = {shape.x, shape.y, shape.z};
      write_text_atomically(file, to_text(attributes));
    } else {
      storage::DatasetSpec spec;
      spec.shape = shape;
      spec.chunk_shape = kChunk;
      storage::create_dataset(input(), spec);
    }
    const BlockGrid before(Box::of_shape(shape_), kChunk);
    const BlockGrid chunks(Box::of_shape(shape), kChunk);
    for (std::int64_t id = 0; id < chunks.count(); ++id) {
      const Index3 at = chunks.position_of(id);
      const bool was_there = Box::of_shape(before.num_cells()).contains(at);
      if (!was_there || before.box_of(at) != chunks.box_of(at)) write(at);
    }
    shape_ = shape;
  }
  void write(const Index3& chunk) {
    const auto dataset = storage::open_dataset(input());
    Array<std::uint8_t> voxels(dataset->chunk_grid().box_of(chunk).shape(), 0);
    if (random_.below(5) > 0)
      for (std::int64_t i = 0; i < voxels.size(); ++i)
        voxels.data()[i] = static_cast<std::uint8_t>(random_.below(256));
    dataset->write<std::uint8_t>(dataset->chunk_grid().box_of(chunk), std::as_const(voxels).view());
  }
  Index3 any_chunk() {
    const Shape3 count = BlockGrid(Box::of_shape(shape_), kChunk).num_cells();
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(n)));
    };
    return {below(count.z), below(count.y), below(count.x)};
  }
  void set_scale(int scale) { storage::open_dataset(input())->set_attributes({{"scale", scale}}); }
  void write_file(const std::string& text) { write_text_atomically(folder_ / "file", text); }
  Random& random() { return random_; }

  RunResult run(const std::string& name, bool force = false) {
    StageDescription description;
    description.verb = "toy";
    description.inputs = {input(), (folder_ / "file").string()};
    description.outputs = {"n5://" + (folder_ / (name + ".n5/out")).string()};
    SilentProgress silent;
    RunOptions options;
    options.workers = 2;
    options.fsync = Fsync::kNo;
    options.force = force;
    return run_stage(
        description, [](const StageDescription& of) { return std::make_unique<ToyStage>(of); },
        RunFolder(run_folder_of(description.outputs[0])), options, silent);
  }
  AnyArray made(const std::string& name) const {
    const auto dataset = storage::open_dataset((folder_ / (name + ".n5/out")).string());
    return dataset->read(dataset->spec().domain());
  }
  void expect_as_fresh(int round) {
    const RunResult fresh = run("fresh" + std::to_string(round));
    EXPECT_EQ(fresh.num_kept, 0);
    const AnyArray a = made("grown");
    const AnyArray b = made("fresh" + std::to_string(round));
    ASSERT_EQ(a.shape(), b.shape());
    ASSERT_TRUE(std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin()));
    // And so does what the next stage knows it by.
    EXPECT_EQ(run("grown").result, fresh.result);
  }

 private:
  std::filesystem::path folder_;
  Shape3 shape_{};
  Random random_{17};
};

TEST(Growth, WhateverChangesTheVoxelsAreThoseOfAFreshRun) {
  const TemporaryFolder folder;
  Toy toy(folder.path());
  std::int64_t num_kept = 0;
  for (int round = 0; round < 16; ++round) {
    SCOPED_TRACE(round);
    const RunResult result = toy.run("grown");
    ASSERT_TRUE(result.failures.empty());
    num_kept += result.num_kept;
    ASSERT_NO_FATAL_FAILURE(toy.expect_as_fresh(round));
    switch (toy.random().below(5)) {
      case 0:
        toy.write(toy.any_chunk());
        toy.write(toy.any_chunk());
        break;
      case 1:
        toy.grow(toy.shape() + Shape3{0, static_cast<std::int64_t>(toy.random().below(3)), 1});
        break;
      default:
        toy.grow(toy.shape() + Shape3{static_cast<std::int64_t>(1 + toy.random().below(4)), 0, 0});
    }
  }
  EXPECT_GT(num_kept, 100);
}

TEST(Growth, WhatEveryBlockDependsOnKeepsNothing) {
  const TemporaryFolder folder;
  Toy toy(folder.path());
  toy.grow({40, 8, 8});
  toy.run("grown");
  toy.grow({44, 8, 8});
  EXPECT_GT(toy.run("grown").num_kept, 0);
  // An attribute that the plan speaks of.
  toy.set_scale(2);
  EXPECT_EQ(toy.run("grown").num_kept, 0);
  ASSERT_NO_FATAL_FAILURE(toy.expect_as_fresh(0));
  // One that nothing depends on.
  storage::open_dataset(toy.input())->set_attributes({{"remark", "none"}});
  EXPECT_GT(toy.run("grown").num_kept, 0);
  // A file.
  toy.write_file("other");
  EXPECT_EQ(toy.run("grown").num_kept, 0);
  ASSERT_NO_FATAL_FAILURE(toy.expect_as_fresh(1));
  // A volume that shrank keeps what it can, and has no chunks of then.
  toy.grow({22, 8, 8});
  toy.run("grown");
  ASSERT_NO_FATAL_FAILURE(toy.expect_as_fresh(2));
  EXPECT_TRUE(toy.run("grown").was_unchanged);
  EXPECT_EQ(toy.run("grown", /*force=*/true).num_kept, 0);
}

}  // namespace
}  // namespace organon::blockwise
