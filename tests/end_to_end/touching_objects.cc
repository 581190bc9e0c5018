#include "touching_objects.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/storage/dataset.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kShape{100, 140, 170};
constexpr SizeNm kVoxelNm{8, 4, 4};

void expect_done(const Ending& ending) { EXPECT_EQ(ending.exit_code, 0) << ending.err; }

// An object with the places that an edit may name.
struct Extent {
  std::int64_t num_voxels = 0;
  Index3 first;
  Index3 last;
};

std::string point_of(const Index3& voxel) {
  return fmt::format("[{},{},{}]", static_cast<double>(voxel.z) * kVoxelNm.z,
                     static_cast<double>(voxel.y) * kVoxelNm.y, static_cast<double>(voxel.x) * kVoxelNm.x);
}

// The largest object is split from end to end, the next two become one, the fourth goes, and so does
// object 1.
std::string edits_of(const std::filesystem::path& labels) {
  const auto dataset = storage::open_dataset(labels.string());
  const Box domain = dataset->spec().domain();
  const Array<std::uint64_t> voxels = dataset->read_as<std::uint64_t>(domain);
  std::map<std::uint64_t, Extent> extents;
  for (std::int64_t z = 0; z < domain.end.z; ++z) {
    for (std::int64_t y = 0; y < domain.end.y; ++y) {
      for (std::int64_t x = 0; x < domain.end.x; ++x) {
        if (voxels(z, y, x) == 0) continue;
        Extent& extent = extents[voxels(z, y, x)];
        if (extent.num_voxels++ == 0) extent.first = {z, y, x};
        extent.last = {z, y, x};
      }
    }
  }
  extents.erase(1);
  std::vector<Extent> by_size;
  for (const auto& [id, extent] : extents) by_size.push_back(extent);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Extent& a, const Extent& b) { return a.num_voxels > b.num_voxels; });
  if (by_size.size() < 6) {
    ADD_FAILURE() << by_size.size() << " objects are too few to edit";
    return "[]";
  }
  return fmt::format(R"([{{"action":"split","points_nm":[{},{}]}},{{"action":"merge","points_nm":[{},{}]}},)"
                     R"({{"action":"drop","points_nm":[{}]}},{{"action":"drop","ids":[1]}}])",
                     point_of(by_size[0].first), point_of(by_size[0].last), point_of(by_size[1].first),
                     point_of(by_size[2].first), point_of(by_size[3].first));
}

}  // namespace

void write_touching_objects(const std::filesystem::path& folder) {
  // Balls close enough to meet, brightest in their middle: 127 at the surface, as the tanh of a distance.
  struct Ball {
    Index3 centre;
    double radius;
  };
  std::vector<Ball> balls;
  Random random(11);
  const auto below = [&](std::int64_t end) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end)));
  };
  for (int i = 0; i < 110; ++i) {
    balls.push_back({{below(kShape.z), below(kShape.y), below(kShape.x)}, static_cast<double>(7 + below(9))});
  }
  Array<std::uint8_t> voxels(kShape, 0);
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        double depth = -20;
        for (const Ball& ball : balls) {
          const Index3 d = Index3{z, y, x} - ball.centre;
          depth = std::max(depth,
                           ball.radius - std::sqrt(static_cast<double>(d.z * d.z + d.y * d.y + d.x * d.x)));
        }
        const auto texture = static_cast<double>((z * 131 + y * 71 + x * 37) % 9);
        voxels(z, y, x) = static_cast<std::uint8_t>(123 + 120 * std::tanh(depth / 8) + texture);
      }
    }
  }
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {32, 32, 32};
  spec.grid = {kVoxelNm, {}};
  storage::create_dataset((folder / "p.n5/mito").string(), spec)
      ->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);

  write_prediction(folder / "p.n5/er", kShape);
  expect_done(run_organon({"segment", "p.n5/er", "other.n5/er", "--chunk-shape", "32,32,32", "--no-fsync"},
                          {folder, {}, 0, {}}));
}

std::map<std::string, std::string> make_touching_objects(const std::filesystem::path& folder,
                                                         const std::vector<std::string>& running) {
  const auto run = [&](std::vector<std::string> words) {
    words.push_back("--no-fsync");
    words.insert(words.end(), running.begin(), running.end());
    expect_done(run_organon(words, {folder, {}, 0, {}}));
  };
  const std::vector<std::string> small = {"--min-volume-nm3", "5e4"};
  run({"watershed", "p.n5/mito", "cell.n5/fragments", "--sigma-nm", "6", "--chunk-shape", "32,32,32"});
  run({"agglomerate", "cell.n5/fragments", "cell.n5/cut", "--threshold", "0.8", small[0], small[1]});
  run({"agglomerate", "cell.n5/fragments", "cell.n5/balanced", small[0], small[1]});
  run({"restrict", "cell.n5/balanced", "other.n5/er", "cell.n5/outside", "--keep", "outside", "--expand-nm",
       "20"});
  write_text_atomically(folder / "edits.json", edits_of(folder / "cell.n5/outside"), Fsync::kNo);
  run({"edit", "cell.n5/outside", "edits.json", "cell.n5/edited", small[0], small[1]});

  std::map<std::string, std::string> made;
  for (const char* dataset : {"fragments", "cut", "balanced", "outside", "edited"})
    made[dataset] = digest_of(folder / "cell.n5" / dataset);
  for (const char* file : {"fragments/region_graph", "cut/merges.csv", "cut/cuts.csv", "balanced/merges.csv",
                           "balanced/cuts.csv"})
    made[file] = hash_of_files(folder / "cell.n5" / file);
  return made;
}

}  // namespace organon::end_to_end
