#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/gpu.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/base/options.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"

namespace organon {
namespace {

template <class Function>
std::string message_of(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

struct SampleOptions {
  double sigma_nm = 12;
  std::int64_t threshold = 127;
  std::vector<std::int64_t> shape = {64, 64, 64};
  std::string codec = "gzip";
  bool fast = false;
  OptionTable table() {
    OptionTable table;
    table.add("sigma_nm", sigma_nm, {"width", "nm", 0, 1000, {}})
        .add("threshold", threshold, {"foreground", "", 0, 255, {}})
        .add("shape", shape, {"voxels", "voxels", 1, 1e9, {}})
        .add("codec", codec, {"compression", "", -1e300, 1e300, {"gzip", "zstd"}})
        .add("fast", fast, {"hurry", "", -1e300, 1e300, {}});
    return table;
  }
};

TEST(Options, RoundTripThroughJson) {
  SampleOptions first;
  first.sigma_nm = 0.1;
  first.shape = {1, 2, 3};
  first.fast = true;
  SampleOptions second;
  OptionTable table = second.table();
  table.set_from_json(first.table().to_json());
  EXPECT_EQ(second.sigma_nm, 0.1);
  EXPECT_EQ(second.shape, first.shape);
  EXPECT_TRUE(second.fast);
}

TEST(Options, WrongValuesAreNamedAndLeaveNothingHalfSet) {
  SampleOptions options;
  OptionTable table = options.table();
  EXPECT_NE(message_of([&] { table.set("sigma", "1"); }).find("did you mean 'sigma_nm'"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("sigma_nm", "-1"); }).find("from 0"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("sigma_nm", "nan"); }).find("sigma_nm"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("threshold", "1.5"); }).find("whole number"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("shape", "1,,2"); }).find("a number"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("codec", "rar"); }).find("gzip, zstd"), std::string::npos);
  EXPECT_EQ(options.shape.size(), 3U);
}

TEST(Json, HostileTextIsRefusedWithItsPlace) {
  EXPECT_NE(
      message_of([] { parse_json("{\n \"a\": ,}", "x.json"); }).find("x.json: not valid JSON at line 2"),
      std::string::npos);
  // Found by fuzzing: the library throws another type for it.
  EXPECT_NE(message_of([] { parse_json("[3.5e10355161]", "x.json"); }).find("range of doubles"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_json(std::string(10000, '['), "x.json"); }).find("nested deeper"),
            std::string::npos);
}

TEST(Hash, HexRoundTripsAndKnownValueHolds) {
  const Hash128 hash = hash_text("");
  // XXH3-128 of nothing, seed 0, as the reference implementation prints it.
  EXPECT_EQ(to_hex(hash), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_from_hex(to_hex(hash)), hash);
  EXPECT_THROW(hash_from_hex("12"), Error);
}

TEST(Random, IsTheSameOnEveryMachine) {
  Random random(1);
  EXPECT_EQ(random.next(), mix64(mix64(1)));
  Random other(1, 5);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = other.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 10000, 0, 0.05);
  EXPECT_NEAR(squares / 10000, 1, 0.05);
}

TEST(Gpu, ProcessesTakeTurns) {
  EXPECT_EQ(gpu_of_process(0, std::nullopt, 4), "0");
  EXPECT_EQ(gpu_of_process(3, std::nullopt, 4), "3");
  EXPECT_EQ(gpu_of_process(5, std::nullopt, 4), "1");
  EXPECT_EQ(gpu_of_process(1, "2,5", 8), "5");
  EXPECT_EQ(gpu_of_process(2, "GPU-a,GPU-b", 8), "GPU-a");
  for (const int present : {0, 1}) EXPECT_EQ(gpu_of_process(1, std::nullopt, present), std::nullopt);
  // One that is given, or none: nothing to choose.
  EXPECT_EQ(gpu_of_process(1, "3", 8), std::nullopt);
  EXPECT_EQ(gpu_of_process(1, "", 8), std::nullopt);
}

TEST(Gpu, AProcessThatChoseSeesOneAndItsChildrenMayChooseAgain) {
  const auto visible = [] { return std::string(std::getenv("CUDA_VISIBLE_DEVICES")); };
  ::setenv("CUDA_VISIBLE_DEVICES", "4,5,6", 1);
  choose_gpu(1);
  EXPECT_EQ(visible(), "5");
  choose_gpu(3);
  EXPECT_EQ(visible(), "4");
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  ::unsetenv("ORGANON_OFFERED_GPUS");
}

TEST(Files, AtomicWriteReplacesWholeFilesAndLeavesNoTemporary) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "deep" / "file";
  write_text_atomically(path, "one");
  write_text_atomically(path, "two");
  EXPECT_EQ(read_text(path), "two");
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path.parent_path())) ++count;
  EXPECT_EQ(count, 1);
}

TEST(Files, AWriteThatIsCalledOffLeavesTheFileAsItWas) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "file";
  write_text_atomically(path, "one");
  const std::string two = "two";
  EXPECT_THROW(write_file_atomically(path, std::as_bytes(std::span(two)), Fsync::kNo,
                                     [] { throw Error(ErrorKind::kCancelled, "called off"); }),
               Error);
  EXPECT_EQ(read_text(path), "one");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, FullDiskGivesOneClearError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  EXPECT_FALSE(read_file_if_exists("/nowhere/at/all"));
  EXPECT_NE(message_of([] { write_text_atomically("/proc/none/file", "x"); }).find("/proc/none"),
            std::string::npos);
}

}  // namespace
}  // namespace organon
