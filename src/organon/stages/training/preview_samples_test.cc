#include "organon/stages/training/preview_samples.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;
using storage::Rgb8;

// Of class 0 the right half is inside, of class 1 nothing is known but in the first row, outside.
TrainingSample sample_of(const Shape3& patch, const Shape3& output) {
  TrainingSample sample;
  sample.raw = Array<float>(patch, -1);
  for (int c = 0; c < 2; ++c) {
    sample.targets.emplace_back(output, -1.0F);
    sample.masks.emplace_back(output, static_cast<std::uint8_t>(c == 0));
  }
  for (std::int64_t z = 0; z < output.z; ++z) {
    for (std::int64_t y = 0; y < output.y; ++y) {
      for (std::int64_t x = 0; x < output.x; ++x) {
        if (2 * x >= output.x) sample.targets[0](z, y, x) = 1;
        if (y == 0) sample.masks[1](z, y, x) = 1;
      }
    }
  }
  return sample;
}

SampleOptions options_of(const Shape3& patch, const Shape3& output, std::int64_t scale) {
  SampleOptions options;
  options.shape = patch;
  options.output_shape = output;
  options.target_scale = scale;
  return options;
}

constexpr Rgb8 kRed{178, 24, 43};
constexpr Rgb8 kBlue{33, 102, 172};
constexpr Rgb8 kBlack{0, 0, 0};
constexpr Rgb8 kWhite{255, 255, 255};

TEST(PreviewSamples, ShowsTheMiddleSliceOfRawAndTargetsWhereTheyLie) {
  const Shape3 patch{8, 60, 100};
  const Shape3 output{4, 40, 80};
  TrainingSample sample = sample_of(patch, output);
  sample.raw(4, 7, 9) = 1;         // the slice in the middle
  sample.raw(3, 7, 11) = 1;        // another
  sample.targets[0](2, 5, 6) = 0;  // slice 4 of the patch
  sample.targets[0](1, 5, 8) = 0;  // another
  sample.targets[0](2, 5, 7) = -0.5F;
  sample.targets[0](2, 5, 9) = 1e-6F;  // just inside
  const SampleOptions options = options_of(patch, output, 1);
  const SheetLayout layout(options, 2, 2);
  EXPECT_EQ(layout.zoom, 2);
  EXPECT_EQ(layout.tile, (Shape3{1, 120, 200}));
  EXPECT_EQ(layout.picture_shape(), (Shape3{1, 6 + 2 * (6 + 120 + 6), 6 + 4 * (200 + 6)}));
  Array<Rgb8> sheet(layout.picture_shape(), Rgb8{1, 2, 3});
  draw_sample(sample, options, layout, 1, sheet);
  const auto at = [&](std::int64_t column, std::int64_t y, std::int64_t x) {
    const Index3 corner = layout.tile_at(1, column);
    return sheet(0, corner.y + y, corner.x + x);
  };
  for (std::int64_t y = 0; y < patch.y; ++y) {
    for (std::int64_t x = 0; x < patch.x; ++x) {
      for (const auto& [dy, dx] : {std::pair<std::int64_t, std::int64_t>{0, 0}, {1, 1}}) {
        EXPECT_EQ(at(0, 2 * y + dy, 2 * x + dx), y == 7 && x == 9 ? kWhite : kBlack) << y << " " << x;
        const std::int64_t ty = y - 10;
        const std::int64_t tx = x - 10;
        const bool is_predicted = ty >= 0 && ty < output.y && tx >= 0 && tx < output.x;
        const Rgb8 first = at(2, 2 * y + dy, 2 * x + dx);
        const Rgb8 second = at(3, 2 * y + dy, 2 * x + dx);
        if (!is_predicted) {
          EXPECT_EQ(first, y == 7 && x == 9 ? (Rgb8{89, 89, 89}) : kBlack);
          EXPECT_EQ(second, first);
          continue;
        }
        if (ty == 5 && tx == 6) {
          EXPECT_EQ(first, kWhite);
        } else if (ty == 5 && tx == 7) {
          EXPECT_EQ(first, (Rgb8{144, 179, 214}));  // half of the way to blue
        } else if (ty == 5 && tx == 9) {
          EXPECT_EQ(first, (Rgb8{232, 186, 191}));  // 0.3 of the way to red
        } else {
          EXPECT_EQ(first, tx >= 40 ? kRed : kBlue) << ty << " " << tx;
        }
        if (ty == 0) {
          EXPECT_EQ(second, kBlue);
        } else {
          EXPECT_TRUE(second == (Rgb8{88, 88, 88}) || second == (Rgb8{136, 136, 136}));
        }
      }
    }
  }
  // Outlines: the first inside pixel of class 0; the frame; raw beyond what is known.
  EXPECT_EQ(at(1, 2 * 30, 2 * 50), outline_color(0));
  EXPECT_EQ(at(1, 2 * 30, 2 * 50 - 1), kBlack);
  EXPECT_EQ(at(1, 2 * 30, 2 * 50 + 1), kBlack);
  EXPECT_EQ(at(1, 19, 60), kWhite);
  EXPECT_EQ(at(1, 20, 60), kBlack);
  EXPECT_EQ(at(1, 60, 2 * 90), kWhite);
  EXPECT_EQ(at(1, 60, 2 * 90 - 1), kBlack);
  // Bands, and the other row untouched.
  EXPECT_EQ(at(2, -2, 0), outline_color(0));
  EXPECT_EQ(at(3, -2, 0), outline_color(1));
  EXPECT_EQ(at(1, -2, 99), outline_color(0));
  EXPECT_EQ(at(1, -2, 100), outline_color(1));
  EXPECT_EQ(sheet(0, layout.tile_at(0, 0).y, layout.tile_at(0, 0).x), (Rgb8{1, 2, 3}));
}

TEST(PreviewSamples, FinerTargetsAreDrawnInTheirOwnVoxels) {
  const Shape3 patch{4, 8, 8};
  const Shape3 output{8, 16, 16};
  TrainingSample sample = sample_of(patch, output);
  sample.raw(2, 3, 5) = 1;
  sample.targets[0](4, 7, 3) = 1;
  const SampleOptions options = options_of(patch, output, 2);
  const SheetLayout layout(options, 2, 1);
  EXPECT_EQ(layout.tile, (Shape3{1, 16 * layout.zoom, 16 * layout.zoom}));
  Array<Rgb8> sheet(layout.picture_shape());
  draw_sample(sample, options, layout, 0, sheet);
  for (std::int64_t y = 0; y < 16; ++y) {
    for (std::int64_t x = 0; x < 16; ++x) {
      const Index3 raw = layout.tile_at(0, 0) + Index3{0, y * layout.zoom, x * layout.zoom};
      const Index3 target = layout.tile_at(0, 2) + Index3{0, y * layout.zoom, x * layout.zoom};
      EXPECT_EQ(sheet(0, raw.y, raw.x), y / 2 == 3 && x / 2 == 5 ? kWhite : kBlack);
      EXPECT_EQ(sheet(0, target.y, target.x), x >= 8 || (y == 7 && x == 3) ? kRed : kBlue);
    }
  }
}

TEST(PreviewSamples, OutlinesThatCoincideAlternate) {
  const Shape3 patch{2, 16, 16};
  TrainingSample sample = sample_of(patch, patch);
  for (std::int64_t i = 0; i < sample.raw.size(); ++i) {
    sample.targets[1].data()[i] = sample.targets[0].data()[i];
    sample.masks[1].data()[i] = 1;
  }
  const SampleOptions options = options_of(patch, patch, 1);
  const SheetLayout layout(options, 2, 1);
  Array<Rgb8> sheet(layout.picture_shape());
  draw_sample(sample, options, layout, 0, sheet);
  const Index3 corner = layout.tile_at(0, 1);
  std::int64_t of_first = 0;
  std::int64_t of_second = 0;
  for (std::int64_t y = 0; y < layout.tile.y; ++y) {
    const Rgb8 pixel = sheet(0, corner.y + y, corner.x + layout.tile.x / 2);
    of_first += pixel == outline_color(0);
    of_second += pixel == outline_color(1);
  }
  EXPECT_EQ(of_first + of_second, layout.tile.y);
  EXPECT_EQ(of_first, of_second);
}

TEST(PreviewSamples, SharesCountAllVoxelsOfTargets) {
  const SampleShares shares = shares_of(sample_of({4, 8, 8}, {2, 4, 4}));
  EXPECT_EQ(shares.known, (std::vector<double>{1, 0.25}));
  EXPECT_EQ(shares.positive, (std::vector<double>{0.5, 0}));
}

TEST(PreviewSamples, ColorsOfManyClassesDiffer) {
  for (std::size_t a = 0; a < 40; ++a)
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(outline_color(a), outline_color(b)) << a << " " << b;
}

// Raw and both targets carry the place of each voxel; class `b` has a say only in the lower half.
std::vector<std::string> store_pair(const std::filesystem::path& folder) {
  const std::string container = "n5://" + (folder / "crop.n5").string();
  storage::DatasetSpec spec;
  spec.shape = {24, 28, 32};
  spec.chunk_shape = {16, 16, 16};
  spec.data_type = DataType::kUint8;
  spec.grid = {{8, 8, 8}, {0, 0, 0}};
  const auto store = [&](const std::string& name, const auto& value_of) {
    Array<std::uint8_t> voxels(spec.shape);
    for (std::int64_t z = 0; z < spec.shape.z; ++z) {
      for (std::int64_t y = 0; y < spec.shape.y; ++y) {
        for (std::int64_t x = 0; x < spec.shape.x; ++x)
          voxels(z, y, x) = static_cast<std::uint8_t>(value_of(z, y, x));
      }
    }
    storage::create_dataset(container + name, spec)
        ->write<std::uint8_t>(spec.domain(), std::as_const(voxels).view(), Fsync::kNo);
  };
  store("/raw", [](std::int64_t z, std::int64_t y, std::int64_t x) { return 50 + 2 * z + y + x; });
  store("/targets/a", [](std::int64_t, std::int64_t, std::int64_t x) { return x < 12 ? 200 : 50; });
  store("/targets/b",
        [](std::int64_t z, std::int64_t y, std::int64_t) { return z < 12 ? 0 : (y < 14 ? 200 : 50); });
  return {container + "/raw", container + "/targets"};
}

constexpr const char* kOptions = R"({"classes": ["a", "b"], "features": [4, 8], "pooling": [2], "patch": 16,
    "contrast_limits": [0, 200], "seed": 5, "num_samples": 3})";

blockwise::StageDescription description_of(const std::vector<std::string>& inputs,
                                           const std::filesystem::path& folder,
                                           const std::string& options = kOptions,
                                           const std::string& name = "sheet.png") {
  blockwise::StageDescription description;
  description.verb = "samples";
  description.options_json = options;
  description.inputs = inputs;
  description.outputs = {(folder / name).string()};
  return description;
}

// Against samples that are drawn here, from voxels that are read here.
TEST(PreviewSamples, ThePictureAndTheSharesAreThoseOfTheSamplesThatTrainingDraws) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto run = [&](const std::filesystem::path& place) {
    const auto result =
        blockwise::testing::run_in({make_samples_stage, {}, {}}, description_of(inputs, place), 1);
    EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  };
  run(folder.path() / "one");
  run(folder.path() / "two");
  for (const char* name : {"sheet.png", "sheet.json", "sheet.txt"})
    EXPECT_EQ(read_text(folder.path() / "one" / name), read_text(folder.path() / "two" / name)) << name;

  std::vector<TrainingCrop> crops(1);
  const auto read = [&](const std::string& address) {
    const auto dataset = storage::open_dataset(address);
    return dataset->read_as<std::uint8_t>(dataset->spec().domain());
  };
  const Array<std::uint8_t> grey = read(inputs[0]);
  crops[0].raw.emplace_back(grey.shape());
  for (std::int64_t i = 0; i < grey.size(); ++i)
    crops[0].raw[0].data()[i] = static_cast<float>(grey.data()[i]) / 100 - 1;
  crops[0].targets.push_back(read(inputs[1] + "/a"));
  crops[0].targets.push_back(read(inputs[1] + "/b"));
  find_places(crops[0]);
  SampleOptions options;
  options.shape = options.output_shape = Shape3::cube(16);
  options.seed = 5;
  const SampleSource source(crops, options);
  const SheetLayout layout(options, 2, 3);
  const Json json = parse_json(read_text(folder.path() / "one" / "sheet.json"), "sheet.json");
  EXPECT_EQ(json["columns"], (Json{"raw", "outlines", "a", "b"}));
  EXPECT_EQ(json["classes"][1]["name"], "b");
  EXPECT_EQ(json["voxel_size_nm"], (Json{8, 8, 8}));
  ASSERT_EQ(json["samples"].size(), 3U);

  const std::string png = read_text(folder.path() / "one" / "sheet.png");
  const AnyArray channels = storage::decode_png_channels(std::as_bytes(std::span(png)), 3, "sheet.png");
  const auto pixels = channels.view<std::uint8_t>();
  ASSERT_EQ(pixels.shape(), (Shape3{3, layout.picture_shape().y, layout.picture_shape().x}));
  for (std::int64_t i = 0; i < 3; ++i) {
    const TrainingSample sample = source.sample(i, 0);
    const auto sample_json = json["samples"][static_cast<std::size_t>(i)];
    EXPECT_EQ(sample_json["step"], i);
    for (std::size_t c = 0; c < 2; ++c) {
      double known = 0;
      double positive = 0;
      for (std::int64_t k = 0; k < 4096; ++k) {
        known += sample.masks[c].data()[k];
        positive += sample.masks[c].data()[k] != 0 && sample.targets[c].data()[k] > 0;
      }
      EXPECT_EQ(sample_json["known"][c], known / 4096);
      EXPECT_EQ(sample_json["positive"][c], positive / 4096);
    }
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t x = 0; x < 16; ++x) {
        const Index3 raw = layout.tile_at(i, 0) + Index3{0, y * layout.zoom, x * layout.zoom};
        const Index3 target = layout.tile_at(i, 2) + Index3{0, y * layout.zoom, x * layout.zoom};
        EXPECT_NEAR(pixels(0, raw.y, raw.x), (std::clamp(sample.raw(8, y, x), -1.0F, 1.0F) + 1) * 127.5, 1);
        if (sample.masks[0](8, y, x) == 0) continue;
        const bool is_inside = sample.targets[0](8, y, x) > 0;
        EXPECT_EQ(pixels(0, target.y, target.x) > pixels(2, target.y, target.x), is_inside);
      }
    }
  }
}

TEST(PreviewSamples, RefusesWhatTrainingRefusesAndOtherPictures) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto refuses = [&](const blockwise::StageDescription& description) {
    try {
      make_samples_stage(description);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kInvalidArgument;
    }
    return false;
  };
  EXPECT_FALSE(refuses(description_of(inputs, folder.path())));
  EXPECT_TRUE(refuses(description_of({inputs[0]}, folder.path())));
  EXPECT_TRUE(refuses(description_of(inputs, folder.path(), R"({"classes": []})")));
  EXPECT_TRUE(refuses(description_of(inputs, folder.path(), R"({"classes": ["a"], "patch": 17})")));
  EXPECT_TRUE(refuses(description_of(inputs, folder.path(), R"({"classes": ["a"], "num_samples": 0})")));
  EXPECT_TRUE(refuses(description_of(inputs, folder.path(), kOptions, "sheet.jpg")));
}

TEST(PreviewSamples, ThePlanStatesCropsAndSheet) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto bytes = [&](const std::string& num_samples) {
    const std::string options =
        R"({"classes": ["a", "b"], "patch": 16, "features": [4, 8], "pooling": [2], "num_samples": )" +
        num_samples + "}";
    return make_samples_stage(description_of(inputs, folder.path(), options))->plans()[0].bytes_per_worker;
  };
  EXPECT_GT(bytes("1"), 24 * 28 * 32 * 8);
  EXPECT_GE(bytes("101") - bytes("1"), 100 * 128 * 4 * 128 * 3);
}

}  // namespace
}  // namespace organon::stages
