// Bad input: one clear error that names file and place, an exit code that is not 0, and a next run that goes
// on.

#include <gtest/gtest.h>

#include <fstream>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/images/png_codec.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

class BadInputTest : public ::testing::Test {
 protected:
  // Expects a refusal that says every one of `words`, in one line.
  void expect_refused(const std::vector<std::string>& arguments, const std::vector<std::string>& words) {
    const Ending ending = run_organon(arguments, {path(), {}, 0, {}});
    EXPECT_GT(ending.exit_code, 0) << ending.err;
    std::vector<std::string> errors;
    std::istringstream lines(ending.err);
    for (std::string line; std::getline(lines, line);)
      // Four blanks begin how to look into it.
      if (line.starts_with("organon: ") || (line.starts_with("  ") && !line.starts_with("    ")))
        errors.push_back(line);
    ASSERT_EQ(errors.size(), 1U) << ending.err;
    for (const std::string& word : words)
      EXPECT_NE(errors[0].find(word), std::string::npos) << word << "\nin: " << ending.err;
    EXPECT_EQ(ending.err.find("internal"), std::string::npos) << ending.err;
  }
  void expect_done(const std::vector<std::string>& arguments) {
    const Ending ending = run_organon(arguments, {path(), {}, 0, {}});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
  }
  void write_slice(const std::string& name, std::int64_t width) {
    std::filesystem::create_directories(path() / "slices");
    storage::write_png_grey8(path() / "slices" / name, Array<std::uint8_t>({1, 20, width}, 100));
  }
  void replace_in(const std::filesystem::path& file, const std::string& from, const std::string& to) {
    std::string text = read_text(file);
    const std::size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos) << from << " in " << text;
    write_text_atomically(file, text.replace(place, from.size(), to));
  }
  const std::filesystem::path& path() const { return folder_.path(); }

  const std::vector<std::string> import_ = {"import", "slices", "cell.n5/raw", "--voxel-size-nm", "5"};
  const std::vector<std::string> segment_ = {
      "segment",       "p.n5/mito", "cell.n5/labels/mito", "--workers", "1",
      "--chunk-shape", "32,32,32",  "--min-volume-nm3",    "0"};

 private:
  organon::testing::TemporaryFolder folder_;
};

TEST_F(BadInputTest, MissingSlice) {
  for (const char* name : {"a_01.png", "a_02.png", "a_04.png", "a_05.png"}) write_slice(name, 30);
  expect_refused(import_, {"not found", "slices", "a_03.png"});
  write_slice("a_03.png", 30);
  expect_done(import_);
}

TEST_F(BadInputTest, SliceOfAnotherSize) {
  for (const char* name : {"a_01.png", "a_02.png", "a_03.png"}) write_slice(name, 30);
  write_slice("a_02.png", 31);
  expect_refused(import_, {"a_02.png", "31", "30"});
  write_slice("a_02.png", 30);
  expect_done(import_);
}

TEST_F(BadInputTest, DamagedSlice) {
  for (const char* name : {"a_01.png", "a_02.png", "a_03.png"}) write_slice(name, 30);
  const std::string whole = read_text(path() / "slices/a_02.png");
  write_text_atomically(path() / "slices/a_02.png", whole.substr(0, whole.size() / 2));
  expect_refused(import_, {"corrupt data", "a_02.png"});
  write_slice("a_02.png", 30);
  expect_done(import_);
}

TEST_F(BadInputTest, VoxelSizeZero) {
  write_slice("a_01.png", 30);
  expect_refused({"import", "slices", "cell.n5/raw", "--voxel-size-nm", "0"},
                 {"voxel_size_nm", "above 0", "0"});
  expect_refused({"import", "slices", "cell.n5/raw"}, {"voxel_size_nm"});
}

TEST_F(BadInputTest, TruncatedChunk) {
  // A single chunk, so that a single block meets it; then a halo of other blocks reads it too.
  write_prediction(path() / "p.n5/mito", {32, 32, 96});
  const std::filesystem::path chunk = path() / "p.n5/mito/1/0/0";
  const std::string whole = read_text(chunk);
  write_text_atomically(chunk, whole.substr(0, whole.size() - 20));
  std::vector<std::string> segment = segment_;
  segment.insert(segment.end(), {"--sigma-nm", "0", "--block-shape", "32,32,32"});
  expect_refused(segment,
                 {"corrupt data", "p.n5/mito", "chunk 0,0,1", chunk.lexically_relative(path()).string()});
  write_text_atomically(chunk, whole);
  expect_done(segment);
  const std::string repaired = digest_of(path() / "cell.n5/labels/mito");
  segment[2] = "cell.n5/again";
  expect_done(segment);
  EXPECT_EQ(digest_of(path() / "cell.n5/again"), repaired);
}

TEST_F(BadInputTest, JsonTypo) {
  write_prediction(path() / "p.n5/mito", {32, 32, 64});
  replace_in(path() / "p.n5/mito/attributes.json", "\"dataType\"", "dataType\"");
  for (const auto& arguments : {segment_, {"inspect", "p.n5/mito"}, {"digest", "p.n5/mito"}})
    expect_refused(arguments, {"corrupt data", "p.n5/mito/attributes.json", "line "});
  replace_in(path() / "p.n5/mito/attributes.json", "dataType\"", "\"dataType\"");
  expect_done(segment_);
}

TEST_F(BadInputTest, JsonWithoutAKey) {
  write_prediction(path() / "p.n5/mito", {32, 32, 64});
  replace_in(path() / "p.n5/mito/attributes.json", "\"dimensions\"", "\"dimension\"");
  expect_refused(segment_, {"p.n5/mito", "attributes.json", "'dimensions'"});
  replace_in(path() / "p.n5/mito/attributes.json", "\"dimension\"", "\"dimensions\"");
  replace_in(path() / "p.n5/mito/attributes.json", "\"blockSize\"", "\"blocksize\"");
  expect_refused(segment_, {"p.n5/mito", "attributes.json", "blockSize"});
}

TEST_F(BadInputTest, MissingDataset) {
  expect_refused(segment_, {"not found", "p.n5/mito"});
  expect_refused({"measure", "nowhere.n5/x", "x.csv"}, {"not found", "nowhere.n5/x"});
}

constexpr char kCell[] = R"(name = "cell"

[raw]
source = "slices"
voxel_size_nm = [8, 4, 4]

[classes.mito]
ids = [1]

[[crops]]
labels = "labels"

[segment]
sigma_nm = 10
)";

TEST_F(BadInputTest, CellToml) {
  struct Case {
    const char* from;
    const char* to;
    std::vector<std::string> words;
  };
  for (const Case& c : std::vector<Case>{{"[raw]", "[raw", {"cell.toml:3"}},
                                         {"source = \"slices\"", "source = \"slices", {"cell.toml:4"}},
                                         {"sigma_nm", "sigma_mn", {"cell.toml:14", "sigma_nm"}},
                                         {"[segment]", "[segmet]", {"cell.toml:13", "'segment'"}},
                                         {"voxel_size_nm", "voxel_size", {"cell.toml:5", "'voxel_size_nm'"}},
                                         {"[8, 4, 4]", "[8, 0, 4]", {"cell.toml:5", "above 0"}},
                                         {"[8, 4, 4]", "[8, 4]", {"cell.toml:5"}},
                                         {"sigma_nm = 10", "sigma_nm = -1", {"sigma_nm", "cell.toml:14"}},
                                         {"ids = [1]", "ids = [0]", {"cell.toml:8"}},
                                         {"ids = [1]", "ids = [1.5]", {"cell.toml:8", "whole numbers"}}}) {
    SCOPED_TRACE(c.to);
    write_slice("a_1.png", 30);
    std::filesystem::create_directories(path() / "labels");
    storage::write_png_grey8(path() / "labels/a_1.png", Array<std::uint8_t>({1, 20, 30}, 1));
    std::string text = kCell;
    text.replace(text.find(c.from), std::string(c.from).size(), c.to);
    write_text_atomically(path() / "cell.toml", text);
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"run", "cell.toml"}, {"run", "cell.toml", "--dry-run"}})
      expect_refused(arguments, c.words);
  }
}

TEST_F(BadInputTest, UnknownVerbOptionAndSetting) {
  expect_refused({"segmnt", "a", "b"}, {"segmnt", "'segment'"});
  expect_refused({"segment", "a", "b", "--sigma-mn", "3"}, {"--sigma-mn"});
  expect_refused({"segment", "a", "b", "--set", "sigma_mn=3"}, {"sigma_mn", "sigma_nm"});
  expect_refused({"segment", "a", "b", "--threshold", "x"}, {"threshold", "x"});
}

}  // namespace
}  // namespace organon::end_to_end
