#include "organon/stages/ingest/mask_sample.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/ingest/mask_report.h"
#include "organon/stages/ingest/two_modes.h"
#include "organon/storage/images/slice_stack.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/cell_texture.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

// A textured ellipsoid with a smooth hollow in resin; black on the left, further in some slices than in
// others, white below. Noise that runs on along scan lines, brightness that jumps from slice to slice,
// stripes along y.
struct Scene {
  Shape3 shape{120, 200, 240};
  SizeNm voxel_size_nm{8, 8, 8};
  PointNm centre_nm{480, 800, 1040};
  SizeNm radius_nm{400, 640, 700};
  double texture = 25;
  double noise = 14;
  double stripes = 3;

  PointNm to_nm(const Index3& i) const {
    return {static_cast<double>(i.z) * voxel_size_nm.z, static_cast<double>(i.y) * voxel_size_nm.y,
            static_cast<double>(i.x) * voxel_size_nm.x};
  }
  double depth(const PointNm& p, double scale) const {
    const double z = (p.z - centre_nm.z) / (radius_nm.z * scale);
    const double y = (p.y - centre_nm.y) / (radius_nm.y * scale);
    const double x = (p.x - centre_nm.x) / (radius_nm.x * scale);
    return z * z + y * y + x * x;
  }
  bool is_sample(const PointNm& p) const { return depth(p, 1) <= 1; }
  bool is_filled_up(const Index3& i) const { return i.x < 9 + i.z % 7 || i.y >= shape.y - 11; }

  Array<std::uint8_t> draw() const {
    Array<std::uint8_t> raw(shape);
    Random random(3);
    for (std::int64_t z = 0; z < shape.z; ++z) {
      const double brightness = 12 * random.normal();
      for (std::int64_t y = 0; y < shape.y; ++y) {
        double trace = 0;
        for (std::int64_t x = 0; x < shape.x; ++x) {
          const PointNm p = to_nm({z, y, x});
          trace = 0.6 * trace + 0.8 * random.normal();
          double grey =
              150 + brightness + noise * trace + stripes * std::sin(static_cast<double>(x * x % 97));
          // Waves in all directions, about 50 nm long.
          if (depth(p, 1) <= 1 && depth(p, 0.3) > 1) {
            grey += texture * (std::sin(p.y / 7 + std::sin(p.x / 31)) + std::sin(p.x / 9 + p.z / 11) +
                               std::sin(p.z / 8 - p.y / 13)) -
                    20;
          }
          raw(z, y, x) = static_cast<std::uint8_t>(std::clamp(std::lround(grey), 1L, 254L));
          if (is_filled_up({z, y, x})) raw(z, y, x) = y >= shape.y - 11 ? 255 : 0;
        }
      }
    }
    return raw;
  }
};

std::string store(const std::filesystem::path& folder, const std::string& name, const AnyArray& voxels,
                  const VoxelGrid& grid) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.data_type = voxels.type();
  spec.chunk_shape = {32, 32, 32};
  spec.grid = grid;
  const std::string address = "n5://" + (folder / "in.n5" / name).string();
  storage::create_dataset(address, spec)->write(spec.domain(), voxels, Fsync::kNo);
  return address;
}

std::string store(const std::filesystem::path& folder, const std::string& name,
                  const Array<std::uint8_t>& voxels, const VoxelGrid& grid) {
  AnyArray copy(DataType::kUint8, voxels.shape());
  copy_voxels<std::uint8_t>(voxels, copy.view<std::uint8_t>());
  return store(folder, name, copy, grid);
}

blockwise::StageDescription describe(std::vector<std::string> inputs, const std::filesystem::path& folder,
                                     const std::string& options, const Shape3& block_shape = {}) {
  blockwise::StageDescription description;
  description.verb = "mask";
  description.inputs = std::move(inputs);
  description.outputs = {"n5://" + (folder / "out.n5" / "mask").string()};
  description.options_json = options;
  description.block_shape = block_shape;
  return description;
}

struct Result {
  Array<std::uint8_t> mask;
  VoxelGrid grid;
  Json report;
};

Result run(const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make_mask_stage, {}, {}}, description, 2);
  if (!result.failures.empty()) throw Error(ErrorKind::kInternal, result.failures.front().message);
  const auto dataset = storage::open_dataset(description.outputs[0]);
  EXPECT_EQ(dataset->attributes()["role"], "mask");
  EXPECT_EQ(dataset->spec().data_type, DataType::kUint8);
  return {dataset->read_as<std::uint8_t>(dataset->spec().domain()), dataset->spec().grid,
          parse_json(read_text(mask_file(description.outputs[0], ".json")), "report")};
}

// Intersection over union with the voxels of the mask whose centres lie in the sample.
template <class IsSample>
double overlap(const Result& result, IsSample&& is_sample) {
  std::int64_t both = 0;
  std::int64_t any = 0;
  const Shape3 shape = result.mask.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const bool truth = is_sample(result.grid.to_nm({z, y, x}));
        const bool found = result.mask(z, y, x) != 0;
        both += truth && found;
        any += truth || found;
      }
    }
  }
  return static_cast<double>(both) / static_cast<double>(any);
}

constexpr char kSmall[] =
    R"({"voxel_size_nm": 32, "window_nm": 160, "margin_nm": 0, "min_volume_nm3": 1e7, "chunk_shape": [8]})";

TEST(MaskSample, FindsASampleInNoisyResinWithPadding) {
  const TemporaryFolder folder;
  const Scene scene;
  const VoxelGrid grid{scene.voxel_size_nm, {0, 0, 0}};
  const std::string raw = store(folder.path(), "raw", scene.draw(), grid);
  const Result result = run(describe({raw}, folder.path(), kSmall));
  EXPECT_EQ(result.grid, grid.downsampled({4, 4, 4}));
  EXPECT_EQ(result.report["decided_by"], "valley");
  EXPECT_EQ(result.report["pieces"], 1);
  EXPECT_GT(overlap(result, [&](const PointNm& p) { return scene.is_sample(p); }), 0.95);
  // The picture holds all six slices and the histogram.
  const std::string picture = read_text(mask_file((folder.path() / "out.n5/mask").string(), ".svg"));
  EXPECT_EQ(picture.rfind("<svg", 0), 0U);
  std::size_t images = 0;
  for (std::size_t at = 0; (at = picture.find("<image", at)) != std::string::npos; ++at) ++images;
  EXPECT_EQ(images, 6U);
}

TEST(MaskSample, FindsItInAnisotropicVoxels) {
  const TemporaryFolder folder;
  Scene scene;
  scene.shape = {48, 200, 240};
  scene.voxel_size_nm = {20, 8, 8};
  const VoxelGrid grid{scene.voxel_size_nm, {100, 0, 0}};
  const std::string raw = store(folder.path(), "raw", scene.draw(), grid);
  const Result result = run(describe({raw}, folder.path(), kSmall));
  EXPECT_EQ(result.grid, grid.downsampled({2, 4, 4}));
  EXPECT_GT(overlap(result, [&](PointNm p) { return scene.is_sample({p.z - 100, p.y, p.x}); }), 0.95);
}

TEST(MaskSample, TakesTheLevelOfAPyramidThatIsAskedFor) {
  const TemporaryFolder folder;
  const Scene scene;
  // s0 is noise alone: only s1 shows the sample.
  Array<std::uint8_t> fine({240, 400, 480}, 90);
  const std::string group = "n5://" + (folder.path() / "in.n5" / "raw").string();
  store(folder.path(), "raw/s0", fine, {{4, 4, 4}, {-2, -2, -2}});
  store(folder.path(), "raw/s1", scene.draw(), {{8, 8, 8}, {0, 0, 0}});
  const Result result = run(describe({group}, folder.path(), kSmall));
  EXPECT_EQ(result.report["raw"], "s1");
  EXPECT_GT(overlap(result, [&](const PointNm& p) { return scene.is_sample(p); }), 0.95);
}

TEST(MaskSample, MarginIsEuclideanInNm) {
  const TemporaryFolder folder;
  Scene scene;
  scene.shape = {48, 200, 240};
  scene.voxel_size_nm = {20, 8, 8};
  const std::string raw = store(folder.path(), "raw", scene.draw(), {scene.voxel_size_nm, {0, 0, 0}});
  Json options = parse_json(kSmall, "options");
  const Result bare = run(describe({raw}, folder.path() / "bare", options.dump()));
  options["margin_nm"] = 90;
  const Result wide = run(describe({raw}, folder.path() / "wide", options.dump()));
  const Shape3 shape = bare.mask.shape();
  const Box domain = Box::of_shape(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        bool near = false;  // voxels of 40 x 32 x 32 nm
        for (std::int64_t dz = -2; dz <= 2; ++dz)
          for (std::int64_t dy = -2; dy <= 2; ++dy)
            for (std::int64_t dx = -2; dx <= 2; ++dx) {
              const Index3 at{z + dz, y + dy, x + dx};
              near = near || (1600 * dz * dz + 1024 * (dy * dy + dx * dx) <= 8100 && domain.contains(at) &&
                              bare.mask(at) != 0);
            }
        // What is filled up stays outside.
        const bool is_white = 4 * y >= scene.shape.y - 11;
        ASSERT_EQ(wide.mask(z, y, x) != 0, near && !is_white) << z << " " << y << " " << x;
      }
    }
  }
}

TEST(MaskSample, OneKindOfTextureIsAllSample) {
  const TemporaryFolder folder;
  Scene scene;
  scene.shape = {40, 120, 120};
  scene.radius_nm = {1e5, 1e5, 1e5};
  scene.centre_nm = {0, -5e4, 0};  // the hollow lies elsewhere
  const std::string raw = store(folder.path(), "raw", scene.draw(), {{8, 8, 8}, {0, 0, 0}});
  const Result result = run(describe({raw}, folder.path(), kSmall));
  EXPECT_EQ(result.report["decided_by"], "nothing");
  EXPECT_TRUE(result.report["threshold"].is_null());
  EXPECT_EQ(result.report["voxels"]["mask"].get<std::int64_t>() +
                result.report["voxels"]["filled_up"].get<std::int64_t>(),
            result.mask.size());
  // A threshold that is given holds.
  Json options = parse_json(kSmall, "options");
  options["threshold"] = 200;
  EXPECT_EQ(run(describe({raw}, folder.path() / "given", options.dump())).report["voxels"]["mask"], 0);
}

TEST(MaskSample, PolygonsAreAppliedLast) {
  const TemporaryFolder folder;
  const Scene scene;
  const std::string raw = store(folder.path(), "raw", scene.draw(), {{8, 8, 8}, {0, 0, 0}});
  const std::string file = (folder.path() / "polygons.json").string();
  // All of the first 300 nm, also what is black; nothing from 600 nm on.
  write_text_atomically(file, R"([
    {"action": "include", "z_nm": [-1e6, 300], "polygon_yx_nm": [[-1e6, -1e6], [-1e6, 1e6], [1e6, 1e6], [1e6, -1e6]]},
    {"action": "exclude", "z_nm": [600, 1e6], "polygon_yx_nm": [[-1e6, -1e6], [-1e6, 1e6], [1e6, 1e6], [1e6, -1e6]]}])");
  const Result result = run(describe({raw, file}, folder.path(), kSmall));
  const double found =
      overlap(result, [&](const PointNm& p) { return p.z < 300 || (p.z < 600 && scene.is_sample(p)); });
  EXPECT_GT(found, 0.98);
  EXPECT_EQ(result.report["polygons"], 2);
  for (std::int64_t x = 0; x < result.mask.shape().x; ++x) EXPECT_EQ(result.mask(0, 0, x), 1);
}

TEST(MaskSample, KeepsTheLargestPieces) {
  const TemporaryFolder folder;
  Scene scene;
  Array<std::uint8_t> raw = scene.draw();
  // A second, smaller piece in the upper right corner.
  for (std::int64_t z = 0; z < 60; ++z)
    for (std::int64_t y = 0; y < 30; ++y)
      for (std::int64_t x = 200; x < 240; ++x) raw(z, y, x) = raw(z + 30, y + 60, x - 100);
  const std::string address = store(folder.path(), "raw", raw, {{8, 8, 8}, {0, 0, 0}});
  Json options = parse_json(kSmall, "options");
  EXPECT_EQ(run(describe({address}, folder.path() / "all", options.dump())).report["pieces"], 2);
  options["keep"] = 1;
  const Result one = run(describe({address}, folder.path() / "one", options.dump()));
  EXPECT_EQ(one.report["pieces"], 1);
  EXPECT_GT(overlap(one, [&](const PointNm& p) { return scene.is_sample(p); }), 0.95);
  options["keep"] = 0;
  options["min_volume_nm3"] = 1e8;
  EXPECT_EQ(run(describe({address}, folder.path() / "large", options.dump())).report["pieces"], 1);
}

TEST(MaskSample, Contract) {
  const Scene scene;
  const Array<std::uint8_t> voxels = scene.draw();
  blockwise::testing::StageUnderTest stage;
  stage.factory = make_mask_stage;
  stage.describe = [&](const std::filesystem::path& folder, const Shape3& block_shape) {
    const std::string raw = store(folder, "raw", voxels, {{8, 8, 8}, {0, 0, 0}});
    const std::string file = (folder / "polygons.json").string();
    write_text_atomically(
        file,
        R"([{"action": "exclude", "z_nm": [0, 200], "polygon_yx_nm": [[0, 0], [900, 1000], [900, 0]]}])");
    return describe({raw, file}, folder, kSmall, block_shape);
  };
  stage.block_shapes = {{8, 16, 24}, {16, 8, 8}, {32, 56, 64}};
  stage.contents = [](const blockwise::StageDescription& description) {
    return blockwise::testing::voxels_of(description) + read_text(mask_file(description.outputs[0], ".svg")) +
           read_text(mask_file(description.outputs[0], ".json"));
  };
  blockwise::testing::expect_stage_contract(stage);
}

TEST(MaskSample, RefusesWhatItCannotJudge) {
  const TemporaryFolder folder;
  const std::string wide = store(folder.path(), "wide", AnyArray(DataType::kFloat32, {8, 8, 8}), {});
  const std::string thin = store(folder.path(), "thin", AnyArray(DataType::kUint8, {8, 2, 7}), {});
  EXPECT_THROW(make_mask_stage(describe({wide}, folder.path(), "{}")), Error);
  EXPECT_THROW(make_mask_stage(describe({thin}, folder.path(), "{}")), Error);
}

TEST(MaskSample, AnEmptyMaskHasAPictureToo) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", AnyArray(DataType::kUint16, {1, 40, 40}), {});
  const Result result = run(describe({raw}, folder.path(), "{}"));
  EXPECT_EQ(result.report["voxels"]["mask"], 0);
  EXPECT_NE(read_text(mask_file((folder.path() / "out.n5/mask/").string(), ".txt")).find("empty"),
            std::string::npos);
}

// Real tissue (EPFL hippocampus, 5 nm, which fills its volume; no data with real resin are at hand) in resin
// that we made: the tissue's own mean grey, and white noise as strong as its slices differ from each other.
TEST(MaskSample, FindsRealTissueInMadeResin) {
  ORGANON_REQUIRE_DATA("epfl-hippocampus-fibsem");
  const storage::SliceStack stack =
      storage::open_slice_stack(organon::testing::data_folder() / "epfl-hippocampus-fibsem" / "images");
  const std::int64_t depth = 96;
  const AnyArray slab = storage::read_slab(stack, 0, depth);
  const Shape3 shape = slab.shape();
  const auto tissue = slab.view<std::uint8_t>();
  double mean = 0;
  double squares = 0;
  for (std::int64_t i = 0; i < 100'000; ++i) {
    const Index3 at{1 + i % (depth - 1), i * 7919 % shape.y, i * 104729 % shape.x};
    const double difference = tissue(at) - tissue(at - Index3{1, 0, 0});
    mean += tissue(at) / 1e5;
    squares += difference * difference / 1e5;
  }
  const double noise = std::sqrt(squares / 2);  // more than noise: structure differs, too
  Array<std::uint8_t> raw(shape);
  Random random(8);
  const auto is_tissue = [&](double y, double x) {
    const double dy = (y - 0.45 * static_cast<double>(shape.y)) / (0.4 * static_cast<double>(shape.y));
    const double dx = (x - 0.5 * static_cast<double>(shape.x)) / (0.38 * static_cast<double>(shape.x));
    return dy * dy + dx * dx <= 1;
  };
  for (std::int64_t z = 0; z < depth; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        raw(z, y, x) =
            is_tissue(static_cast<double>(y), static_cast<double>(x))
                ? tissue(z, y, x)
                : static_cast<std::uint8_t>(std::clamp(mean + noise * random.normal(), 1.0, 254.0));
      }
    }
  }
  const TemporaryFolder folder;
  const std::string address = store(folder.path(), "raw", raw, {{5, 5, 5}, {0, 0, 0}});
  const Result result = run(describe({address}, folder.path(), R"({"margin_nm": 0, "min_volume_nm3": 1e8})"));
  EXPECT_EQ(result.report["decided_by"], "valley");
  const double found = overlap(result, [&](const PointNm& p) { return is_tissue(p.y / 5, p.x / 5); });
  RecordProperty("intersection_over_union", std::to_string(found));
  EXPECT_GT(found, 0.95);
  // Without resin all is sample.
  const std::string whole = store(folder.path(), "whole", slab, {{5, 5, 5}, {0, 0, 0}});
  EXPECT_EQ(run(describe({whole}, folder.path() / "whole", "{}")).report["decided_by"], "nothing");
}

TEST(TwoModes, NeedAValley) {
  const TwoModesOptions options{2, 16, 0.5};
  const auto bump = [](std::vector<std::uint64_t>& counts, double centre, double width, double height) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double d = (static_cast<double>(i) - centre) / width;
      counts[i] += static_cast<std::uint64_t>(height * std::exp(-d * d / 2));
    }
  };
  std::vector<std::uint64_t> counts(200);
  EXPECT_FALSE(find_two_modes(counts, options));  // nothing
  bump(counts, 120, 12, 1000);
  EXPECT_FALSE(find_two_modes(counts, options)) << "one bump";
  bump(counts, 40, 5, 200);
  const auto modes = find_two_modes(counts, options);
  ASSERT_TRUE(modes);
  EXPECT_EQ(modes->low_peak, 40U);
  EXPECT_EQ(modes->high_peak, 120U);
  EXPECT_NEAR(static_cast<double>(modes->valley), 65, 12);
  EXPECT_GT(modes->valley_depth, 0.9);
  std::vector<std::uint64_t> single(200);
  single[7] = 5;
  EXPECT_FALSE(find_two_modes(single, options)) << "one value";
  std::vector<std::uint64_t> near(200);
  bump(near, 100, 2, 100);
  bump(near, 112, 2, 100);
  EXPECT_FALSE(find_two_modes(near, options)) << "peaks too near to each other";
}

}  // namespace
}  // namespace organon::stages
