#include "organon/stages/ingest/export_volume.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/ingest/import_stack.h"
#include "organon/storage/volumes/volume_source.h"
#include "organon/storage/volumes/volume_writer.h"

namespace organon::stages {
namespace {

using blockwise::StageDescription;
using organon::testing::TemporaryFolder;

const Shape3 kShape{19, 13, 21};
const VoxelGrid kGrid{{8, 4, 5}, {80, 40, -20}};

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::kInternal, "no error");
}

AnyArray random_voxels(DataType type = DataType::kUint16) {
  Random random(7);
  AnyArray voxels(type, kShape);
  for (std::byte& byte : voxels.bytes()) byte = static_cast<std::byte>(random.below(5));
  return voxels;
}

std::string make_dataset(const std::filesystem::path& folder, const AnyArray& voxels) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {4, 8, 8};
  spec.data_type = voxels.type();
  spec.grid = kGrid;
  const std::string address = (folder / "cell.n5" / "raw").string();
  storage::create_dataset(address, spec)->write(spec.domain(), voxels, Fsync::kNo);
  return address;
}

// A gzip NRRD, as another program could have written it.
std::string make_nrrd(const std::filesystem::path& path, const AnyArray& voxels) {
  std::vector<std::byte> bytes;
  const auto writer = storage::make_nrrd_writer({voxels.shape(), voxels.type(), kGrid, true}, [&](auto more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  });
  writer->add_slices(voxels);
  writer->finish();
  write_file_atomically(path, bytes, Fsync::kNo);
  return path.string();
}

StageDescription describe(const std::string& verb, const std::string& input,
                          const std::filesystem::path& output, const std::string& options = "{}") {
  StageDescription description;
  description.verb = verb;
  description.options_json = options;
  description.inputs = {input};
  description.outputs = {output.string()};
  return description;
}

std::unique_ptr<blockwise::Stage> make(const StageDescription& description) {
  return description.verb == "import" ? make_import_stage(description) : make_export_stage(description);
}

blockwise::RunResult run(const StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  const auto result = blockwise::run_stage(
      description, make, blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options,
      silent);
  if (!result.failures.empty()) throw Error(ErrorKind::kInternal, result.failures[0].message);
  return result;
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

std::string files_of(const StageDescription& description) {
  if (std::filesystem::is_regular_file(description.outputs[0])) return read_text(description.outputs[0]);
  std::string text;
  for (const std::string& name : names_in(description.outputs[0]))
    text += name + to_hex(*hash_file(std::filesystem::path(description.outputs[0]) / name));
  return text;
}

void expect_equal(const AnyArray& read, const AnyArray& expected) {
  ASSERT_EQ(read.type(), expected.type());
  ASSERT_EQ(read.shape(), expected.shape());
  EXPECT_TRUE(std::ranges::equal(read.bytes(), expected.bytes()));
}

// --- export ---

TEST(Export, EveryKindKeepsTheStageContract) {
  const TemporaryFolder input;
  const std::string dataset = make_dataset(input.path(), random_voxels());
  for (const char* name : {"slices", "volume.tif", "volume.nrrd"}) {
    SCOPED_TRACE(name);
    blockwise::testing::expect_stage_contract({
        make,
        [&](const std::filesystem::path& folder, const Shape3& block_shape) {
          StageDescription description = describe("export", dataset, folder / "out" / name);
          description.block_shape = block_shape;
          return description;
        },
        {{4, 16, 24}, {8, 8, 8}, {20, 16, 24}},
        files_of,
    });
  }
}

TEST(Export, ImportBringsBackVoxelsAndPlace) {
  for (const DataType type : {DataType::kUint8, DataType::kInt16, DataType::kUint64, DataType::kFloat32}) {
    const TemporaryFolder folder;
    const AnyArray voxels = random_voxels(type);
    const std::string dataset = make_dataset(folder.path(), voxels);
    for (const char* name : {"slices", "volume.tif", "volume.nrrd"}) {
      for (const char* compression : {"deflate", "none"}) {
        SCOPED_TRACE(std::string(name) + " " + compression);
        const auto out = folder.path() / compression / name;
        run(describe("export", dataset, out, std::string(R"({"compression": ")") + compression + R"("})"));
        const auto back = out.parent_path() / (std::string(name) + ".zarr") / "raw";
        run(describe("import", out.string(), back, R"({"chunk_shape": [8]})"));
        const auto read = storage::open_dataset(back.string());
        expect_equal(read->read(read->spec().domain()), voxels);
        EXPECT_EQ(read->spec().grid, kGrid);
      }
    }
  }
}

TEST(Export, ABoxCutsExactlyTheVoxelsWhoseCentresLieInIt) {
  const TemporaryFolder folder;
  const AnyArray voxels = random_voxels();
  const std::string dataset = make_dataset(folder.path(), voxels);
  for (const char* name : {"slices", "volume.tif", "volume.nrrd"}) {
    SCOPED_TRACE(name);
    StageDescription description = describe("export", dataset, folder.path() / "out" / name);
    description.box_nm = "104,44,-10,144,60,20";
    run(description);
    const auto volume = storage::open_volume(description.outputs[0]);
    ASSERT_EQ(volume->info().shape, Shape3(6, 5, 7));
    const storage::KnownGrid known = storage::known_grid(volume->info().stated, "");
    EXPECT_EQ(known.voxel_size_nm, kGrid.voxel_size_nm);
    EXPECT_EQ(known.offset_nm, PointNm(104, 44, -10));
    const AnyArray part = volume->read_slices(0, 6);
    for (std::int64_t z = 0; z < 6; ++z)
      for (std::int64_t y = 0; y < 5; ++y)
        for (std::int64_t x = 0; x < 7; ++x)
          ASSERT_EQ(part.view<std::uint16_t>()(z, y, x), voxels.view<std::uint16_t>()(z + 3, y + 1, x + 2));
  }
}

TEST(Export, SlicesOfAnEarlierPartGoAndOtherFilesStay) {
  const TemporaryFolder folder;
  const std::string dataset = make_dataset(folder.path(), random_voxels());
  StageDescription description = describe("export", dataset, folder.path() / "slices");
  run(description);
  const auto slices = folder.path() / "slices";
  EXPECT_EQ(names_in(slices).size(), 19u);
  EXPECT_TRUE(names_in(slices).contains("slice_0018.tif"));
  write_text_atomically(slices / "notes.txt", "mine", Fsync::kNo);
  write_text_atomically(slices / "slice_mask.tif", "mine too", Fsync::kNo);
  description.box_nm = "104,0,-1000,119,1000,1000";
  run(description);
  EXPECT_EQ(names_in(slices),
            (std::set<std::string>{"notes.txt", "slice_0003.tif", "slice_0004.tif", "slice_mask.tif"}));
}

TEST(Export, WhatIsNotOursIsNotWrittenOver) {
  const TemporaryFolder folder;
  const std::string dataset = make_dataset(folder.path(), random_voxels());
  write_text_atomically(folder.path() / "photos" / "slice_0000.tif", "mine", Fsync::kNo);
  write_text_atomically(folder.path() / "mine.nrrd", "mine", Fsync::kNo);
  for (const char* name : {"photos", "mine.nrrd"}) {
    EXPECT_EQ(error_of([&] { run(describe("export", dataset, folder.path() / name)); }).kind(),
              ErrorKind::kAlreadyExists);
  }
  EXPECT_EQ(read_text(folder.path() / "mine.nrrd"), "mine");
  EXPECT_EQ(error_of([&] {
              run(describe("export", dataset, folder.path() / "x", R"({"prefix": "../a"})"));
            }).kind(),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_of([&] { make(describe("export", dataset, "s3://bucket/slices")); }).kind(),
            ErrorKind::kUnsupported);
  StageDescription outside = describe("export", dataset, folder.path() / "x");
  outside.box_nm = "9000,0,0,9999,1,1";
  EXPECT_EQ(error_of([&] { run(outside); }).kind(), ErrorKind::kInvalidArgument);
}

// --- import of files of other programs ---

TEST(ImportVolume, ACompressedStreamKeepsTheStageContract) {
  const TemporaryFolder input;
  const std::string file = make_nrrd(input.path() / "v.nrrd", random_voxels());
  blockwise::testing::expect_stage_contract({
      make,
      [&](const std::filesystem::path& folder, const Shape3& block_shape) {
        StageDescription description =
            describe("import", file, folder / "cell.n5" / "raw", R"({"chunk_shape": [4, 8, 8]})");
        description.block_shape = block_shape;
        return description;
      },
      {{4, 16, 24}, {8, 8, 8}, {20, 16, 24}},
  });
}

TEST(ImportVolume, AStreamHasOneWorkerAndSlicesHaveMany) {
  const TemporaryFolder folder;
  const std::string file = make_nrrd(folder.path() / "v.nrrd", random_voxels());
  const auto plan = make(describe("import", file, folder.path() / "a.n5" / "raw"))->plans()[0];
  EXPECT_EQ(plan.max_workers, 1);
  run(describe("export", make_dataset(folder.path(), random_voxels()), folder.path() / "slices"));
  const auto slices =
      make(describe("import", (folder.path() / "slices").string(), folder.path() / "b.n5" / "raw"))
          ->plans()[0];
  EXPECT_GT(slices.max_workers, 1000);
}

TEST(ImportVolume, TheFileStatesTheGridUnlessOptionsDo) {
  const TemporaryFolder folder;
  const std::string file = make_nrrd(folder.path() / "v.nrrd", random_voxels());
  int number = 0;
  const auto grid = [&](const std::string& input, const std::string& options) {
    const auto out = folder.path() / (std::to_string(number++) + ".n5") / "raw";
    run(describe("import", input, out, options));
    return storage::open_dataset(out.string())->spec().grid;
  };
  EXPECT_EQ(grid(file, "{}"), kGrid);
  EXPECT_EQ(grid(file, R"({"voxel_size_nm": [2]})"), (VoxelGrid{{2, 2, 2}, kGrid.offset_nm}));
  EXPECT_EQ(grid(file, R"({"offset_nm": [0, 0, 7]})"), (VoxelGrid{kGrid.voxel_size_nm, {0, 0, 7}}));
  // The same file, but without units.
  std::string text = read_text(file);
  text.erase(text.find("space units"), text.find("space origin") - text.find("space units"));
  const std::string bare = (folder.path() / "bare.nrrd").string();
  write_text_atomically(bare, text, Fsync::kNo);
  const Error error = error_of([&] { grid(bare, "{}"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
  EXPECT_NE(error.message().find("states voxels of 8, 4, 5 (z, y, x; the 'space directions' of its header) "
                                 "without a unit; give option voxel_size_nm"),
            std::string::npos)
      << error.message();
  EXPECT_EQ(grid(bare, R"({"length_unit": "um"})"), (VoxelGrid{{8000, 4000, 5000}, {80000, 40000, -20000}}));
}

TEST(ImportVolume, FilesLieOnThisMachine) {
  EXPECT_EQ(error_of([&] { make(describe("import", "s3://bucket/v.nrrd", "/tmp/x.n5/raw")); }).kind(),
            ErrorKind::kUnsupported);
}

TEST(ImportVolume, AChangedFileIsImportedAnew) {
  const TemporaryFolder folder;
  const std::string file = make_nrrd(folder.path() / "v.nrrd", random_voxels());
  const StageDescription description = describe("import", file, folder.path() / "a.n5" / "raw");
  EXPECT_FALSE(run(description).was_unchanged);
  EXPECT_TRUE(run(description).was_unchanged);
  AnyArray other = random_voxels();
  other.bytes()[0] ^= std::byte{1};
  make_nrrd(file, other);
  EXPECT_FALSE(run(description).was_unchanged);
  const auto read = storage::open_dataset(description.outputs[0]);
  expect_equal(read->read(read->spec().domain()), other);
}

TEST(ImportVolume, ADamagedStreamFailsTheRun) {
  const TemporaryFolder folder;
  const std::string file = make_nrrd(folder.path() / "v.nrrd", random_voxels());
  std::string text = read_text(file);
  text[text.size() - 6] ^= 1;  // the checksum
  write_text_atomically(file, text, Fsync::kNo);
  const Error error = error_of([&] { run(describe("import", file, folder.path() / "a.n5" / "raw")); });
  EXPECT_NE(error.message().find("v.nrrd: its compressed stream is damaged"), std::string::npos)
      << error.message();
}

}  // namespace
}  // namespace organon::stages
