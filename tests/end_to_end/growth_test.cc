// A volume that grows, or of which some chunks are written anew: the next run computes what the rule of
// blockwise/growth.h says, and what comes out is what a fresh run makes.

#include "organon/blockwise/growth.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/run_folder.h"
#include "organon/storage/dataset.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kWhole{160, 128, 128};
constexpr Shape3 kChunk{32, 32, 32};
// Of a pyramid of two levels, 8 x 8 x 8 and 16 x 16 x 16 nm: a chunk of the second in voxels of s0.
constexpr Shape3 kPyramidBlock{64, 128, 128};
// Of segment below: three sigmas of 16 nm in voxels of 8 x 4 x 4 nm.
constexpr Shape3 kHalo{6, 12, 12};

// Voxels of balls in noise; a part of the volume is a part of the same voxels.
const Array<std::uint8_t>& whole_volume() {
  static const Array<std::uint8_t> voxels = [] {
    Array<std::uint8_t> made(kWhole, 60);
    Random random(5);
    for (int ball = 0; ball < 90; ++ball) {
      const std::int64_t radius = 4 + static_cast<std::int64_t>(random.below(11));
      const Index3 centre{static_cast<std::int64_t>(random.below(160)),
                          static_cast<std::int64_t>(random.below(128)),
                          static_cast<std::int64_t>(random.below(128))};
      const Box box = Box::at(centre, {1, 1, 1}).grow(radius).intersect(Box::of_shape(kWhole));
      for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
        for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
          for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
            const Index3 d = Index3{z, y, x} - centre;
            const std::int64_t squared = d.z * d.z + d.y * d.y + d.x * d.x;
            // Every other one is hollow.
            if (squared <= radius * radius && (ball % 2 == 0 || squared >= radius * radius / 4))
              made(z, y, x) = 200;
          }
        }
      }
    }
    for (std::int64_t i = 0; i < made.size(); ++i)
      made.data()[i] = static_cast<std::uint8_t>(made.data()[i] + random.below(40));
    return made;
  }();
  return voxels;
}

Array<std::uint8_t> part_of_volume(const Box& box) {
  Array<std::uint8_t> part = Array<std::uint8_t>::uninitialized(box.shape());
  copy_voxels<std::uint8_t>(whole_volume().view().part(box), part.view());
  return part;
}

class Growth : public ::testing::Test {
 protected:
  Growth() { std::filesystem::create_directories(path()); }

  std::filesystem::path path() const { return folder_.path() / "work"; }
  Ending run(const std::vector<std::string>& arguments,
             const std::map<std::string, std::string>& environment = {}) const {
    return run_organon(arguments, {path(), environment, 0, {}});
  }
  void expect_done(const std::vector<std::string>& arguments) const {
    const Ending ending = run(arguments);
    EXPECT_EQ(ending.exit_code, 0) << ending.err << ending.out;
  }

  // As another program would: metadata first, then the chunks that are new or were cut by the old end.
  void grow_to(const Shape3& shape) {
    const std::filesystem::path dataset = path() / "p.n5/mito/s0";
    if (shape_ == Shape3{}) {
      storage::DatasetSpec spec;
      spec.shape = shape;
      spec.chunk_shape = kChunk;
      spec.grid = {{8, 4, 4}, {}};
      storage::create_dataset(dataset.string(), spec);
    } else {
      Json attributes = parse_json(read_text(dataset / "attributes.json"), "attributes");
      attributes["dimensions"] = {shape.x, shape.y, shape.z};
      write_text_atomically(dataset / "attributes.json", to_text(attributes));
    }
    const auto opened = storage::open_dataset(dataset.string());
    const BlockGrid before(Box::of_shape(shape_), kChunk);
    const BlockGrid chunks = opened->chunk_grid();
    for (std::int64_t id = 0; id < chunks.count(); ++id) {
      const Index3 position = chunks.position_of(id);
      const Box box = chunks.box_of(id);
      if (Box::of_shape(before.num_cells()).contains(position) && before.box_of(position) == box) continue;
      const Array<std::uint8_t> voxels = part_of_volume(box);
      opened->write<std::uint8_t>(box, voxels.view());
    }
    shape_ = shape;
  }
  // Writes other voxels into a chunk.
  void rewrite_chunk(const Index3& position) const {
    const auto dataset = storage::open_dataset((path() / "p.n5/mito/s0").string());
    const Box box = dataset->chunk_grid().box_of(position);
    Array<std::uint8_t> voxels = part_of_volume(box);
    for (std::int64_t i = 0; i < voxels.size(); ++i)
      voxels.data()[i] = static_cast<std::uint8_t>(255 - voxels.data()[i]);
    dataset->write<std::uint8_t>(box, std::as_const(voxels).view());
  }

  // The stages of this test, from the prediction to what is measured.
  static std::vector<std::vector<std::string>> stages(const std::string& cell,
                                                      const std::string& block_shape = "32,32,32") {
    return {{"segment", "p.n5/mito/s0", cell + ".n5/labels", "--sigma-nm", "16", "--min-volume-nm3", "1e4",
             "--chunk-shape", "32,32,32", "--block-shape", block_shape, "--workers", "2", "--no-fsync"},
            {"refine", cell + ".n5/labels", cell + ".n5/refined", "--block-shape", block_shape, "--workers",
             "2", "--no-fsync"},
            {"distance", cell + ".n5/refined", cell + ".n5/distance", "--bound-nm", "40", "--block-shape",
             block_shape, "--workers", "2", "--no-fsync"},
            {"measure", cell + ".n5/refined", cell + "_tables/mito.csv", "--block-shape", block_shape,
             "--workers", "2", "--no-fsync"}};
  }
  static std::vector<std::string> pyramid() {
    return {"pyramid", "p.n5/mito/s0",  "p.n5/mito", "--levels",
            "2",       "--block-shape", "32,32,32",  "--no-fsync"};
  }
  void run_all(const std::string& cell, const std::string& block_shape = "32,32,32") const {
    for (const auto& stage : stages(cell, block_shape)) expect_done(stage);
  }
  // All that was made of the cell.
  std::string made(const std::string& cell) const {
    std::string text;
    for (const char* name : {"labels", "refined", "distance"})
      text += digest_of(path() / (cell + ".n5") / name) + "\n";
    return text + hash_of_files(path() / (cell + "_tables/mito.csv"));
  }
  void expect_as_fresh() {
    const std::string fresh = "fresh" + std::to_string(++num_fresh_);
    run_all(fresh, "64,64,64");
    EXPECT_EQ(made("cell"), made(fresh));
    for (const char* name : {"labels", "refined", "distance"}) {
      const Ending verified = run({"verify", std::string("cell.n5/") + name});
      EXPECT_EQ(verified.exit_code, 0) << verified.out;
    }
    const std::filesystem::path runs = path() / ".organon/runs";
    for (const auto& entry : std::filesystem::directory_iterator(runs))
      EXPECT_FALSE(std::filesystem::exists(entry.path() / "previous")) << entry.path();
  }

  struct Blocks {
    std::int64_t all = 0;
    std::int64_t kept = 0;
    std::int64_t computed = 0;
    friend bool operator==(const Blocks&, const Blocks&) = default;
    friend std::ostream& operator<<(std::ostream& stream, const Blocks& blocks) {
      return stream << blocks.all << " blocks, " << blocks.kept << " kept, " << blocks.computed
                    << " computed";
    }
  };
  Blocks blocks_of(const std::string& output, std::size_t step) const {
    const Ending status = run({"status", output, "--json"});
    const Json json = parse_json(status.out.substr(0, status.out.find('\n')), "status");
    const Json& of_step = json.at("steps").at(step);
    Blocks blocks{of_step.at("blocks"), of_step.at("kept"), 0};
    const blockwise::RunFolder folder(blockwise::run_folder_of((path() / output).string()));
    std::set<std::int64_t> computed;
    blockwise::JournalReader(folder.step(step)).poll([&](const blockwise::JournalRecord& record) {
      if (record.kind == blockwise::JournalRecord::Kind::kCompleted &&
          record.worker != blockwise::kKeptJournal)
        computed.insert(record.block);
    });
    blocks.computed = static_cast<std::int64_t>(computed.size());
    return blocks;
  }
  // What the rule says of a map: blocks whose box was there, and of whose reads neither the end nor a voxel
  // changed.
  static Blocks expected(const Shape3& before, const Shape3& now, const Shape3& halo,
                         const std::vector<Box>& rewritten, const Shape3& block_shape = kChunk) {
    Blocks blocks;
    const BlockGrid grid(Box::of_shape(now), block_shape);
    blocks.all = grid.count();
    for (std::int64_t id = 0; id < grid.count(); ++id) {
      const Box box = grid.box_of(id);
      const Box read = box.grow(halo, halo);
      const bool is_there = box.intersect(Box::of_shape(before)) == box &&
                            read.intersect(Box::of_shape(before)) == read.intersect(Box::of_shape(now));
      const bool is_kept = is_there && std::none_of(rewritten.begin(), rewritten.end(),
                                                    [&](const Box& chunk) { return chunk.intersects(read); });
      ++(is_kept ? blocks.kept : blocks.computed);
    }
    return blocks;
  }
  // Chunks that the old end cut and that grew with it: they were written anew.
  static std::vector<Box> cut_chunks(const Shape3& before, const Shape3& now) {
    std::vector<Box> boxes(3, Box::of_shape(now));
    boxes[0].begin.z = before.z != now.z && before.z % 32 != 0 ? before.z / 32 * 32 : now.z;
    boxes[1].begin.y = before.y != now.y && before.y % 32 != 0 ? before.y / 32 * 32 : now.y;
    boxes[2].begin.x = before.x != now.x && before.x % 32 != 0 ? before.x / 32 * 32 : now.x;
    return boxes;
  }
  static Box chunk_box(const Index3& position) {
    return Box::at({position.z * 32, position.y * 32, position.x * 32}, kChunk);
  }

  organon::testing::TemporaryFolder folder_;
  Shape3 shape_{};
  int num_fresh_ = 0;
};

TEST_F(Growth, AppendedSlicesAreAllThatIsComputed) {
  // Ends with a chunk, within a chunk, and again.
  const std::vector<Shape3> shapes = {{96, 96, 96}, {120, 96, 96}, {160, 96, 96}};
  grow_to(shapes[0]);
  run_all("cell");
  expect_done(pyramid());
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    SCOPED_TRACE(i);
    grow_to(shapes[i]);
    run_all("cell");
    EXPECT_EQ(blocks_of("cell.n5/labels", 0),
              expected(shapes[i - 1], shapes[i], kHalo, cut_chunks(shapes[i - 1], shapes[i])));
    // What a changed block touches is looked at again, and only that can change.
    const std::int64_t num_old = BlockGrid(Box::of_shape(shapes[i - 1]), kChunk).count();
    EXPECT_GE(blocks_of("cell.n5/labels", 1).kept, num_old - 2 * 9);
    EXPECT_GE(blocks_of("cell.n5/labels", 3).kept, num_old - 2 * 9);
    EXPECT_EQ(blocks_of("cell.n5/labels", 2).kept, 0);  // a solve
    EXPECT_GE(blocks_of("cell.n5/refined", 0).kept, num_old - 2 * 9);
    EXPECT_GE(blocks_of("cell.n5/refined", 3).kept, num_old - 2 * 9);
    EXPECT_GE(blocks_of("cell.n5/distance", 0).kept, num_old - 3 * 9);
    EXPECT_GE(blocks_of("cell_tables/mito.csv", 0).kept, num_old - 2 * 9);
    expect_as_fresh();

    expect_done(pyramid());
    const std::string grown = digest_of(path() / "p.n5/mito/s1") + digest_of(path() / "p.n5/mito/s2");
    EXPECT_EQ(blocks_of("p.n5/mito", 1), expected(shapes[i - 1], shapes[i], {0, 0, 0},
                                                  cut_chunks(shapes[i - 1], shapes[i]), kPyramidBlock));
    EXPECT_EQ(run({"verify", "p.n5/mito/s1"}).exit_code, 0);
    std::vector<std::string> again = pyramid();
    again.emplace_back("--force");
    expect_done(again);
    EXPECT_EQ(blocks_of("p.n5/mito", 1).kept, 0) << "--force computes everything";
    EXPECT_EQ(digest_of(path() / "p.n5/mito/s1") + digest_of(path() / "p.n5/mito/s2"), grown);
  }
}

TEST_F(Growth, AlongYAndXIdsOfBlocksChange) {
  grow_to({96, 96, 96});
  run_all("cell");
  expect_done(pyramid());
  for (const Shape3& shape : {Shape3{96, 128, 96}, Shape3{96, 128, 120}, Shape3{128, 128, 128}}) {
    SCOPED_TRACE(to_string(shape));
    const Shape3 before = shape_;
    grow_to(shape);
    run_all("cell");
    EXPECT_EQ(blocks_of("cell.n5/labels", 0), expected(before, shape, kHalo, cut_chunks(before, shape)));
    EXPECT_EQ(blocks_of("cell.n5/labels", 1).kept, 0) << "joins name blocks";
    expect_as_fresh();
    expect_done(pyramid());
    EXPECT_EQ(blocks_of("p.n5/mito", 1),
              expected(before, shape, {0, 0, 0}, cut_chunks(before, shape), kPyramidBlock));
    EXPECT_EQ(run({"verify", "p.n5/mito/s1"}).exit_code, 0);
  }
}

// What blocks saw beyond the new end is there no more.
TEST_F(Growth, AVolumeThatShrank) {
  grow_to({160, 96, 96});
  run_all("cell");
  grow_to({96, 96, 96});
  run_all("cell");
  EXPECT_EQ(blocks_of("cell.n5/labels", 0), expected({160, 96, 96}, shape_, kHalo, {}));
  EXPECT_GE(blocks_of("cell.n5/distance", 0).kept, 9);
  expect_as_fresh();
}

TEST_F(Growth, OutputsOnAnotherFileSystem) {
  const std::filesystem::path memory = "/dev/shm/organon_growth_" + std::to_string(::getpid());
  std::error_code none;
  std::filesystem::create_directories(memory, none);
  std::error_code rename_error;
  std::filesystem::create_directories(path() / "probe");
  std::filesystem::rename(path() / "probe", memory / "probe", rename_error);
  if (none || rename_error != std::errc::cross_device_link) {
    std::filesystem::remove_all(memory);
    GTEST_SKIP() << "/dev/shm is no other file system here";
  }
  std::filesystem::create_directory_symlink(memory, path() / "cell.n5");
  grow_to({96, 96, 96});
  run_all("cell");
  grow_to({160, 96, 96});
  run_all("cell");
  EXPECT_EQ(blocks_of("cell.n5/labels", 0), expected({96, 96, 96}, shape_, kHalo, {}));
  EXPECT_GE(blocks_of("cell.n5/labels", 3).kept, 9);
  expect_as_fresh();
  for (const auto& entry : std::filesystem::directory_iterator(memory))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".previous-")) << entry.path();
  std::filesystem::remove_all(memory);
}

TEST_F(Growth, RewrittenChunksAreReadAgain) {
  grow_to({160, 96, 96});
  run_all("cell");
  const std::string before = made("cell");
  const Index3 first{1, 1, 1};
  const Index3 second{3, 0, 2};
  rewrite_chunk(first);
  rewrite_chunk(second);
  run_all("cell");
  EXPECT_NE(made("cell"), before);
  EXPECT_EQ(blocks_of("cell.n5/labels", 0),
            expected(shape_, shape_, kHalo, {chunk_box(first), chunk_box(second)}));
  expect_as_fresh();
  // Voxels that are as before are as before, whatever was computed.
  const Ending measured = run(stages("cell")[3]);
  EXPECT_NE(measured.err.find("unchanged"), std::string::npos) << measured.err;
}

TEST_F(Growth, OtherBlockShapesAndOptionsComputeEverything) {
  grow_to({96, 96, 96});
  run_all("cell");
  grow_to({128, 96, 96});
  run_all("cell", "64,64,64");
  EXPECT_EQ(blocks_of("cell.n5/labels", 0).kept, 0);
  expect_as_fresh();
  grow_to({160, 96, 96});
  std::vector<std::string> other = stages("cell", "64,64,64")[0];
  other[4] = "12";
  expect_done(other);
  EXPECT_EQ(blocks_of("cell.n5/labels", 0).kept, 0);
}

TEST_F(Growth, DamagedChunksAreNotKept) {
  grow_to({160, 96, 96});
  run_all("cell");
  // One of what is wanted, one of what was between the steps.
  std::filesystem::remove(path() / "cell.n5/labels/0/1/0");
  const std::filesystem::path scratch = path() / ".organon/runs/cell.n5:labels/scratch.n5/components/1/1/1";
  ASSERT_TRUE(std::filesystem::exists(scratch));
  std::filesystem::resize_file(scratch, std::filesystem::file_size(scratch) - 1);
  rewrite_chunk({4, 2, 2});
  run_all("cell");
  Blocks labelled = expected(shape_, shape_, kHalo, {chunk_box({4, 2, 2})});
  --labelled.kept;
  ++labelled.computed;
  EXPECT_EQ(blocks_of("cell.n5/labels", 0), labelled);
  expect_as_fresh();
}

TEST_F(Growth, WithoutScratchItsBlocksAreComputedAgain) {
  grow_to({128, 96, 96});
  run_all("cell");
  expect_done({"clean", ".", "--yes"});
  EXPECT_TRUE(std::filesystem::exists(path() / ".organon/runs/cell.n5:labels/scratch.n5"));
  expect_done({"clean", ".", "--yes", "--scratch"});
  EXPECT_FALSE(std::filesystem::exists(path() / ".organon/runs/cell.n5:labels/scratch.n5"));
  grow_to({160, 96, 96});
  run_all("cell");
  // Only where there was nothing to keep.
  EXPECT_LT(blocks_of("cell.n5/labels", 0).kept, expected({128, 96, 96}, shape_, kHalo, {}).kept);
  EXPECT_GT(blocks_of("cell.n5/labels", 3).kept, 0);
  expect_as_fresh();
}

TEST_F(Growth, RepairOfWhatWasKept) {
  grow_to({96, 96, 96});
  run_all("cell");
  grow_to({128, 96, 96});
  run_all("cell");
  const std::string before = made("cell");
  const std::filesystem::path file = path() / "cell.n5/labels/1/1/0";
  ASSERT_TRUE(std::filesystem::exists(file));
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_EQ(run({"verify", "cell.n5/labels"}).exit_code, 1);
  expect_done({"repair", "cell.n5/labels"});
  expect_done({"verify", "cell.n5/labels"});
  EXPECT_EQ(made("cell"), before);
  // And what was repaired grows again.
  grow_to({160, 96, 96});
  run_all("cell");
  EXPECT_EQ(blocks_of("cell.n5/labels", 0), expected({128, 96, 96}, shape_, kHalo, {}));
  expect_as_fresh();
}

TEST_F(Growth, KilledAtAnyMoment) {
  grow_to({96, 96, 96});
  const std::vector<std::string> segment = stages("cell")[0];
  expect_done(segment);
  grow_to({160, 96, 96});
  std::vector<std::string> fresh = stages("fresh", "64,64,64")[0];
  expect_done(fresh);
  const std::string wanted = digest_of(path() / "fresh.n5/labels");
  const auto save = [&](const char* from, const char* to) {
    std::filesystem::remove_all(folder_.path() / to);
    const std::string command =
        "cp -a '" + (folder_.path() / from).string() + "' '" + (folder_.path() / to).string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
  };
  save("work", "saved");
  int num_killed = 0;
  for (const char* place : {"set aside:", "keep:", "rename:", "journal:"}) {
    // At each of the first passes, then at fewer and fewer.
    for (int pass = 1; pass < 90; pass += 1 + pass / 3) {
      SCOPED_TRACE(place + std::to_string(pass));
      save("saved", "work");
      const Ending killed = run(segment, {{"ORGANON_FAULT", place + std::to_string(pass)},
                                          {"ORGANON_FAULT_ONCE", (path() / "once").string()}});
      num_killed += killed.signal == SIGKILL ? 1 : 0;
      if (!std::filesystem::exists(path() / "once")) break;  // there is no such pass
      const Ending last = run(segment);
      ASSERT_EQ(last.exit_code, 0) << last.err;
      ASSERT_EQ(digest_of(path() / "cell.n5/labels"), wanted);
      const Ending verified = run({"verify", "cell.n5/labels"});
      ASSERT_EQ(verified.exit_code, 0) << verified.out;
      ASSERT_FALSE(std::filesystem::exists(path() / ".organon/runs/cell.n5:labels/previous"));
      // A death costs no block that was kept.
      ASSERT_EQ(blocks_of("cell.n5/labels", 0), expected({96, 96, 96}, shape_, kHalo, {}));
    }
  }
  EXPECT_GT(num_killed, 20) << "too few deaths of the supervisor itself";

  // Twice: the volume grows once more before the grown run is done.
  save("saved", "work");
  const Ending killed = run(segment, {{"ORGANON_FAULT", "keep:20"}});
  EXPECT_EQ(killed.signal, SIGKILL);
  // The finished result lies in the run folder alone.
  expect_done({"clean", ".", "--yes", "--scratch"});
  rewrite_chunk({4, 1, 1});
  rewrite_chunk({0, 1, 1});
  expect_done(segment);
  EXPECT_EQ(blocks_of("cell.n5/labels", 0),
            expected({96, 96, 96}, shape_, kHalo, {chunk_box({4, 1, 1}), chunk_box({0, 1, 1})}));
  fresh[2] = "other.n5/labels";
  expect_done(fresh);
  EXPECT_EQ(digest_of(path() / "cell.n5/labels"), digest_of(path() / "other.n5/labels"));
  expect_done({"verify", "cell.n5/labels"});
}

}  // namespace
}  // namespace organon::end_to_end
