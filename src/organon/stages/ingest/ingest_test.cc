#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/ingest/contrast.h"
#include "organon/stages/ingest/import_stack.h"
#include "organon/stages/ingest/inspect.h"
#include "organon/stages/ingest/value_sample.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {
namespace {

using blockwise::StageDescription;
using organon::testing::TemporaryFolder;

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::kInternal, "no error");
}

template <class T>
Array<T> random_volume(const Shape3& shape, std::uint64_t seed) {
  Random random(seed);
  Array<T> volume(shape);
  for (std::int64_t i = 0; i < volume.size(); ++i) volume.data()[i] = static_cast<T>(random.next());
  return volume;
}

template <class T>
std::filesystem::path write_slices(const std::filesystem::path& folder, const Array<T>& volume) {
  const Shape3 shape = volume.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    write_file_atomically(folder / ("s" + std::to_string(z) + ".png"),
                          storage::encode_png(volume.view().part({{z, 0, 0}, {z + 1, shape.y, shape.x}})),
                          Fsync::kNo);
  }
  return folder;
}

StageDescription import_of(
    const std::filesystem::path& slices, const std::filesystem::path& output,
    const std::string& options = R"({"voxel_size_nm": [8, 4, 4], "chunk_shape": [4, 8, 8]})") {
  StageDescription description;
  description.verb = "import";
  description.options_json = options;
  description.inputs = {slices.string()};
  description.outputs = {output.string()};
  return description;
}

std::shared_ptr<storage::Dataset> run(const StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  const auto result = blockwise::run_stage(
      description, [](const StageDescription& d) { return make_import_stage(d); },
      blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options, silent);
  if (!result.failures.empty()) throw Error(ErrorKind::kInternal, result.failures[0].message);
  return storage::open_dataset(description.outputs[0]);
}

// --- import ---

TEST(ImportStack, KeepsTheStageContract) {
  const TemporaryFolder slices;
  write_slices(slices.path(), random_volume<std::uint8_t>({19, 13, 21}, 1));
  blockwise::testing::expect_stage_contract({
      [](const StageDescription& d) { return make_import_stage(d); },
      [&](const std::filesystem::path& folder, const Shape3& block_shape) {
        StageDescription description = import_of(slices.path(), folder / "cell.n5" / "raw");
        description.block_shape = block_shape;
        return description;
      },
      {{4, 16, 24}, {8, 8, 8}, {20, 16, 24}},
  });
}

TEST(ImportStack, VoxelsTypeAndPlaceArePreservedInEveryFormat) {
  const auto volume = random_volume<std::uint16_t>({11, 9, 14}, 2);
  for (const char* name : {"cell.n5/raw", "cell.zarr/raw"}) {
    const TemporaryFolder folder;
    const auto slices = write_slices(folder.path(), volume);
    const auto dataset = run(import_of(
        slices, folder.path() / name,
        R"({"voxel_size_nm": [8, 4, 4], "offset_nm": [80, 0, -4], "chunk_shape": [4, 8, 8], "codec": "zstd"})"));
    const AnyArray voxels = dataset->read(dataset->spec().domain());
    ASSERT_EQ(voxels.type(), DataType::kUint16);
    ASSERT_EQ(voxels.shape(), volume.shape());
    EXPECT_EQ(std::memcmp(voxels.bytes().data(), volume.data(), voxels.bytes().size()), 0);
    EXPECT_EQ(dataset->spec().grid.voxel_size_nm, (SizeNm{8, 4, 4}));
    EXPECT_EQ(dataset->spec().grid.offset_nm, (PointNm{80, 0, -4}));
    EXPECT_EQ(dataset->spec().codec, storage::Codec::kZstd);
    EXPECT_EQ(dataset->attributes()["contrast_limits"].size(), 2u);
  }
}

TEST(ImportStack, InvertTurnsValuesOver) {
  const TemporaryFolder folder;
  const auto volume = random_volume<std::uint8_t>({3, 4, 5}, 3);
  const auto dataset = run(import_of(write_slices(folder.path(), volume), folder.path() / "cell.n5" / "raw",
                                     R"({"voxel_size_nm": [5], "invert": true})"));
  const auto voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
  for (std::int64_t i = 0; i < volume.size(); ++i) EXPECT_EQ(voxels.data()[i], 255 - volume.data()[i]);
}

TEST(ImportStack, LabelsHaveNoContrastAndGivenLimitsAreKept) {
  const TemporaryFolder folder;
  const auto slices = write_slices(folder.path(), random_volume<std::uint8_t>({3, 4, 5}, 3));
  const auto labels = run(
      import_of(slices, folder.path() / "a.n5" / "labels", R"({"voxel_size_nm": [5], "role": "labels"})"));
  EXPECT_FALSE(labels->attributes().contains("contrast_limits"));
  const auto raw = run(import_of(slices, folder.path() / "b.n5" / "raw",
                                 R"({"voxel_size_nm": [5], "contrast_limits": [10, 200]})"));
  EXPECT_EQ(raw->attributes()["contrast_limits"], Json::array({10.0, 200.0}));
}

TEST(ImportStack, APartInNanometresIsTheSameVoxels) {
  const TemporaryFolder folder;
  const auto volume = random_volume<std::uint8_t>({19, 13, 21}, 4);
  StageDescription description =
      import_of(write_slices(folder.path(), volume), folder.path() / "cell.n5" / "raw");
  description.box_nm = "40,0,0,63,20,20";
  const auto dataset = run(description);
  const auto voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
  for (std::int64_t z = 4; z < 8; ++z) EXPECT_EQ(voxels(z, 3, 3), volume(z, 3, 3));
  EXPECT_EQ(voxels(12, 3, 3), 0);
}

TEST(ImportStack, BadInputIsRefusedBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  const auto volume = random_volume<std::uint8_t>({5, 4, 5}, 3);
  const auto slices = folder.path() / "slices";
  write_slices(slices, volume);
  const auto output = folder.path() / "cell.n5" / "raw";
  const auto message = [&](const std::string& options) {
    const Error error = error_of([&] { run(import_of(slices, output, options)); });
    EXPECT_FALSE(std::filesystem::exists(output)) << error.message();
    return error.message();
  };
  const std::string good = R"({"voxel_size_nm": [5]})";
  EXPECT_NE(message("{}").find("option voxel_size_nm"), std::string::npos);
  EXPECT_NE(message(R"({"voxel_size_nm": [5, 5]})").find("option voxel_size_nm"), std::string::npos);
  EXPECT_NE(message(R"({"voxel_size_nm": [0]})").find("option voxel_size_nm"), std::string::npos);
  EXPECT_NE(message(R"({"voxel_size_nm": [5], "contrast_limits": [9, 3]})").find("contrast_limits"),
            std::string::npos);
  EXPECT_NE(message(R"({"voxel_sise_nm": [5]})").find("did you mean 'voxel_size_nm'"), std::string::npos);
  std::filesystem::remove(slices / "s2.png");
  EXPECT_NE(message(good).find("slice s2.png is missing"), std::string::npos);
  storage::write_png_grey8(slices / "s2.png", Array<std::uint8_t>({1, 4, 6}));
  EXPECT_NE(message(good).find("s2.png: 6 x 4 pixels"), std::string::npos);
}

TEST(ImportStack, ADamagedSliceFailsItsBlockAloneAndARerunCompletes) {
  const TemporaryFolder folder;
  const auto volume = random_volume<std::uint8_t>({12, 9, 9}, 5);
  const auto slices = write_slices(folder.path() / "slices", volume);
  const auto bytes = *read_file_if_exists(slices / "s5.png");
  const auto time = std::filesystem::last_write_time(slices / "s5.png");
  write_file_atomically(slices / "s5.png", std::span(bytes).first(bytes.size() - 30), Fsync::kNo);
  const StageDescription description = import_of(slices, folder.path() / "cell.n5" / "raw");
  const Error error = error_of([&] { run(description); });
  EXPECT_NE(error.message().find("s5.png: damaged PNG"), std::string::npos) << error.message();
  const auto partial = storage::open_dataset(description.outputs[0]);
  EXPECT_TRUE(partial->chunk_exists({0, 0, 0}));
  EXPECT_FALSE(partial->chunk_exists({1, 0, 0}));
  EXPECT_TRUE(partial->chunk_exists({2, 0, 0}));
  write_file_atomically(slices / "s5.png", bytes, Fsync::kNo);
  std::filesystem::last_write_time(slices / "s5.png", time);
  const auto dataset = run(description);
  const auto voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
  EXPECT_EQ(std::memcmp(voxels.data(), volume.data(), static_cast<std::size_t>(volume.size())), 0);
}

TEST(ImportStack, MemoryDoesNotGrowWithTheNumberOfSlices) {
  const auto bytes_for = [](std::int64_t num_slices) {
    const TemporaryFolder folder;
    write_slices(folder.path(), Array<std::uint8_t>({num_slices, 30, 40}));
    return make_import_stage(import_of(folder.path(), folder.path() / "x.n5" / "raw"))
        ->plans()[0]
        .bytes_per_worker;
  };
  EXPECT_EQ(bytes_for(8), bytes_for(80));
}

// --- contrast ---

tables::Histogram histogram_of(const std::vector<std::uint64_t>& counts) {
  tables::Histogram histogram =
      tables::Histogram::of_integers(0, static_cast<std::int64_t>(counts.size()) - 1);
  for (std::size_t value = 0; value < counts.size(); ++value)
    histogram.add(static_cast<double>(value), counts[value]);
  return histogram;
}

// Cytoplasm around 160, a dark minority around 80.
std::vector<std::uint64_t> em_like_counts() {
  std::vector<std::uint64_t> counts(256);
  for (int value = 0; value < 256; ++value) {
    const auto bell = [&](double centre, double width, double weight) {
      return weight * std::exp(-(value - centre) * (value - centre) / (2 * width * width));
    };
    counts[static_cast<std::size_t>(value)] =
        static_cast<std::uint64_t>(bell(160, 15, 1e6) + bell(80, 20, 1e5));
  }
  return counts;
}

TEST(Contrast, LimitsAreRobustQuantiles) {
  std::vector<std::uint64_t> counts(256);
  for (int value = 50; value < 150; ++value) counts[static_cast<std::size_t>(value)] = 1000;
  counts[3] = 20;    // 0.02 %: dead pixels
  counts[254] = 20;  // and hot ones
  EXPECT_EQ(estimate_contrast(histogram_of(counts)).limits, (ContrastLimits{50, 149}));
}

TEST(Contrast, PaddingDoesNotMoveLimits) {
  const auto counts = em_like_counts();
  const ContrastEstimate plain = estimate_contrast(histogram_of(counts));
  EXPECT_EQ(plain.padding_low_fraction, 0);
  EXPECT_EQ(plain.padding_high_fraction, 0);
  for (const std::size_t padding : {std::size_t{0}, std::size_t{255}}) {
    auto padded = counts;
    const std::uint64_t total = histogram_of(counts).total();
    padded[padding] += total;
    const ContrastEstimate estimate = estimate_contrast(histogram_of(padded));
    EXPECT_NEAR(estimate.limits.low, plain.limits.low, 1);
    EXPECT_NEAR(estimate.limits.high, plain.limits.high, 1);
    EXPECT_NEAR(estimate.padding_low_fraction + estimate.padding_high_fraction, 0.5, 0.01);
    EXPECT_FALSE(estimate.looks_inverted);
  }
}

TEST(Contrast, TurningValuesOverTurnsTheHintOver) {
  auto counts = em_like_counts();
  EXPECT_FALSE(estimate_contrast(histogram_of(counts)).looks_inverted);
  std::reverse(counts.begin(), counts.end());
  EXPECT_TRUE(estimate_contrast(histogram_of(counts)).looks_inverted);
}

TEST(Contrast, MasksAndConstantsHaveTheirOwnLimits) {
  EXPECT_EQ(estimate_contrast(histogram_of({0, 7})).limits, (ContrastLimits{1, 2}));
  const ContrastEstimate mask = estimate_contrast(histogram_of({900, 0, 0, 0, 100}));
  EXPECT_EQ(mask.limits, (ContrastLimits{0, 4}));
  EXPECT_EQ(mask.padding_low_fraction, 0);
  EXPECT_FALSE(mask.looks_inverted);
}

TEST(Contrast, InvertingTwiceIsTheIdentityAndKeepsTheRange) {
  Array<std::int16_t> volume = random_volume<std::int16_t>({2, 3, 4}, 1);
  volume(0, 0, 0) = -32768;
  const Array<std::int16_t> before = volume.clone();
  invert_contrast<std::int16_t>(volume.view());
  EXPECT_EQ(volume(0, 0, 0), 32767);
  invert_contrast<std::int16_t>(volume.view());
  EXPECT_EQ(std::memcmp(volume.data(), before.data(), 48), 0);
}

// --- inspect ---

TEST(Histogram, IsDrawnInEighths) {
  EXPECT_EQ(draw_histogram({0, 1, 8, 16}, 2), (std::vector<std::string>{"   █", " ▁██"}));
  EXPECT_EQ(draw_histogram({0, 1, 1000}, 1), (std::vector<std::string>{" ▁█"}));
  EXPECT_EQ(draw_histogram({}, 1), (std::vector<std::string>{""}));
}

TEST(Inspect, TellsShapeTypeChunksValuesAndMissingChunks) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {10, 20, 30};
  spec.chunk_shape = {10, 10, 10};
  spec.data_type = DataType::kUint8;
  spec.grid = {{8, 4, 4}, {0, 0, 40}};
  const std::string address = (folder.path() / "cell.n5" / "raw").string();
  const auto dataset = storage::create_dataset(address, spec);
  Array<std::uint8_t> voxels({10, 20, 10}, 7);
  voxels(0, 0, 0) = 9;
  dataset->write<std::uint8_t>({{0, 0, 0}, {10, 20, 10}}, voxels.view(), Fsync::kNo);
  dataset->set_attributes({{"contrast_limits", {5, 9}}});

  const DatasetReport report = inspect(address);
  EXPECT_EQ(report.format, "n5");
  EXPECT_EQ(report.shape, spec.shape);
  EXPECT_EQ(report.num_chunks, 6);
  EXPECT_EQ(report.stored_chunks, 2);
  EXPECT_TRUE(report.are_stored_bytes_exact);
  EXPECT_GT(report.stored_bytes, 0);
  EXPECT_EQ(report.sample.min, 7);
  EXPECT_EQ(report.sample.max, 9);
  EXPECT_NEAR(report.sample.mean, 7 + 2.0 / 2000, 1e-9);
  EXPECT_TRUE(report.sample.is_whole);
  EXPECT_EQ(report.stated_contrast, (ContrastLimits{5, 9}));

  const std::string text = to_text(report);
  for (const char* expected : {"10 x 20 x 30 voxels (z, y, x) of uint8", "8 x 4 x 4 nm",
                               "0.08 x 0.08 x 0.12 µm", "0, 0, 40 nm", "10 x 10 x 10, gzip", "2 of 6 chunks",
                               "4 missing chunks read as 0", "7 to 9, mean 7.001", "5 to 9, as stated"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
  const Json json = parse_json(to_json(report), "report");
  EXPECT_EQ(json["chunks"]["missing"], 4);
  EXPECT_EQ(json["levels"][0]["voxel_size_nm"], Json::array({8.0, 4.0, 4.0}));
  EXPECT_EQ(json["values"]["histogram"]["counts"][7], 1999);
}

TEST(Inspect, TellsWhatAFileOfAnotherProgramStates) {
  const std::filesystem::path folder =
      std::filesystem::path(ORGANON_SOURCE_FOLDER) / "src/organon/storage/volumes/testdata";
  const std::string mrc = to_text(inspect((folder / "int16.mrc").string()));
  for (const char* expected :
       {"MRC", "5 x 6 x 7 voxels (z, y, x) of int16", "8 x 4 x 5 nm, by the cell dimensions of its header",
        "80, 40, -20 nm", "1 file,"})
    EXPECT_NE(mrc.find(expected), std::string::npos) << expected << "\n" << mrc;
  EXPECT_NE(to_text(inspect((folder / "layouts.h5").string() + ":/volumes/raw")).find("HDF5"),
            std::string::npos);
  const std::string meta = to_text(inspect((folder / "int64.mha").string()));
  EXPECT_NE(meta.find("not known: it states voxels of 8, 4, 5"), std::string::npos) << meta;
  const Json json = parse_json(to_json(inspect((folder / "int16.mrc").string())), "report");
  EXPECT_EQ(json["voxel_size_nm"], Json::array({8.0, 4.0, 5.0}));
}

TEST(Inspect, IdsAreCountedNotDrawn) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {4, 4, 4};
  spec.chunk_shape = {4, 4, 4};
  spec.data_type = DataType::kUint64;
  const std::string address = (folder.path() / "cell.zarr" / "labels").string();
  Array<std::uint64_t> voxels(spec.shape);
  voxels(1, 1, 1) = 5;
  voxels(2, 2, 2) = 77;
  storage::create_dataset(address, spec)->write<std::uint64_t>(spec.domain(), voxels.view(), Fsync::kNo);
  const DatasetReport report = inspect(address);
  EXPECT_TRUE(report.has_ids);
  EXPECT_NE(to_text(report).find("0 to 77; 3 distinct ids"), std::string::npos) << to_text(report);
  EXPECT_FALSE(report.contrast);
}

TEST(Inspect, ASampleIsSaidToBeOne) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {40, 40, 40};
  spec.chunk_shape = {8, 8, 8};
  const std::string address = (folder.path() / "cell.n5" / "raw").string();
  Array<std::uint8_t> voxels(spec.shape, 3);
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  const DatasetReport report = inspect(address, 10 * 512);
  EXPECT_EQ(report.sample.chunks_read, 10);
  EXPECT_FALSE(report.sample.is_whole);
  EXPECT_EQ(report.stored_chunks, 125);
  EXPECT_TRUE(report.are_stored_chunks_exact);
  EXPECT_NE(to_text(report).find("of a sample of 0.00512 million voxels"), std::string::npos)
      << to_text(report);
}

TEST(Inspect, DamagedChunksAreNamedAndTheRestIsTold) {
  const TemporaryFolder folder;
  const auto dataset =
      run(import_of(write_slices(folder.path() / "slices", random_volume<std::uint8_t>({8, 8, 8}, 3)),
                    folder.path() / "cell.n5" / "raw"));
  std::filesystem::path damaged;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dataset->path())) {
    if (entry.is_regular_file() && entry.path().filename() != "attributes.json") damaged = entry.path();
  }
  std::filesystem::resize_file(damaged, std::filesystem::file_size(damaged) / 2);
  const DatasetReport report = inspect(dataset->address());
  ASSERT_EQ(report.sample.damage.size(), 1u);
  EXPECT_EQ(report.sample.chunks_read, 1);
  EXPECT_NE(to_text(report).find("damaged"), std::string::npos);
}

TEST(Inspect, AGroupOfNgffTellsItsLabelsColoursAxesAndContrast) {
  const TemporaryFolder folder;
  const std::string raw = (folder.path() / "cell.zarr").string();
  const std::string labels = raw + "/labels/cell";
  storage::DatasetSpec spec;
  spec.shape = {8, 8, 8};
  for (const std::string& group : {raw, labels}) {
    const auto s0 = storage::create_dataset(group + "/s0", spec);
    if (group == raw) s0->set_attributes({{"contrast_limits", {20, 220}}});
    storage::write_multiscale_metadata(group);
    s0->set_attributes({{"contrast_limits", nullptr}});
  }
  storage::set_label_colors(labels, std::vector<storage::LabelColor>{{3, {1, 2, 3, 4}, "mito"}, {5, {}, ""}});
  const std::string of_raw = to_text(inspect(raw));
  for (const char* line : {"axes          z (space, nanometer), y", "labels        cell\n",
                           "contrast      20 to 220, as stated in its group (omero)"})
    EXPECT_NE(of_raw.find(line), std::string::npos) << line << " is not in\n" << of_raw;
  const DatasetReport report = inspect(labels);
  EXPECT_TRUE(report.has_ids);
  for (const char* line : {"label image   of ../../, 2 colours\n", "              3 mito\n"})
    EXPECT_NE(to_text(report).find(line), std::string::npos) << line << " is not in\n" << to_text(report);
  const Json json = parse_json(to_json(report), "report");
  EXPECT_EQ(json["label_image"]["colors"][0], (Json{{"value", 3}, {"rgba", {1, 2, 3, 4}}, {"name", "mito"}}));
  EXPECT_EQ(json["label_image"]["source"], "../../");
  // What is wrong there is told, and hides nothing else.
  std::ofstream(std::filesystem::path(labels) / ".zattrs") << R"({"image-label": {"colors": 3}})";
  const std::string damaged = to_text(inspect(labels));
  EXPECT_NE(damaged.find("damaged"), std::string::npos);
  EXPECT_NE(damaged.find("8 x 8 x 8 voxels"), std::string::npos);
}

TEST(Inspect, AGroupWithoutLevelsTellsItsArraysByConsolidatedMetadata) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "a.zarr");
  std::ofstream(folder.path() / "a.zarr/.zmetadata") << R"({"metadata": {"../x/.zarray": {"shape": [1]},
      "raw/s0/.zarray": {"shape": [4, 5, 6], "dtype": "|u1"}, "t/.zarray": {"shape": [9], "dtype": "<f4"}}})";
  const DatasetReport report = inspect((folder.path() / "a.zarr").string());
  EXPECT_NE(to_text(report).find("arrays        raw/s0: 4 x 5 x 6, |u1\n              t: 9, <f4\n"),
            std::string::npos)
      << to_text(report);
  EXPECT_EQ(parse_json(to_json(report), "report")["arrays"].size(), 2U);
}

TEST(Inspect, NothingThereIsNotFound) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of([&] { inspect((folder.path() / "none").string()); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(error_of([&] { inspect(folder.path().string()); }).kind(), ErrorKind::kNotFound);
}

TEST(Inspect, TheEpflSlicesHaveDarkMembranes) {
  ORGANON_REQUIRE_DATA("epfl-hippocampus-fibsem/images");
  const auto folder = organon::testing::data_folder() / "epfl-hippocampus-fibsem" / "images";
  const DatasetReport report = inspect(folder.string(), 8 * 1024 * 768);
  EXPECT_EQ(report.shape, (Shape3{165, 768, 1024}));
  EXPECT_EQ(report.format, "png slices");
  ASSERT_TRUE(report.contrast);
  EXPECT_FALSE(report.contrast->looks_inverted) << report.contrast->tail_ratio;
  EXPECT_GT(report.contrast->limits.high - report.contrast->limits.low, 100);
  EXPECT_NEAR(report.sample.mean, 140, 10);
  if (::testing::Test::HasFailure()) std::puts(to_text(report).c_str());
}

}  // namespace
}  // namespace organon::stages
