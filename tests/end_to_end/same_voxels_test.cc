// The promise "same voxels": what is made from a prediction onward does not depend on block shape, number of
// workers, or processes that die. With the real binary, its processes and its files.

#include <gtest/gtest.h>

#include <csignal>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{100, 140, 170};

// How a chain of stages is run, and what went wrong on purpose.
struct Running {
  std::string block_shape;
  int workers = 2;
  std::map<std::string, std::string> environment;
};

struct Made {
  std::string labels;   ///< digest
  std::string refined;  ///< digest
  std::string table;    ///< hash of the file
  std::string meshes;   ///< hash of the files
  std::string log;      ///< stderr of all stages

  friend bool operator==(const Made& a, const Made& b) {
    return a.labels == b.labels && a.refined == b.refined && a.table == b.table && a.meshes == b.meshes;
  }
};

void PrintTo(const Made& made, std::ostream* stream) {
  *stream << "labels " << made.labels << " refined " << made.refined << " table " << made.table << " meshes "
          << made.meshes << "\n"
          << made.log;
}

// Runs one verb with the options that all verbs share.
Ending run_verb(std::vector<std::string> arguments, const std::filesystem::path& folder,
                const Running& running) {
  arguments.insert(arguments.end(), {"--no-fsync", "--workers", std::to_string(running.workers)});
  if (!running.block_shape.empty()) arguments.insert(arguments.end(), {"--block-shape", running.block_shape});
  return run_organon(arguments, {folder, running.environment, 0, {}});
}

const std::vector<std::string> kSegment = {
    "segment",          "p.n5/mito", "cell.n5/labels/mito", "--sigma-nm", "8",
    "--min-volume-nm3", "1e6",       "--chunk-shape",       "32,32,32"};
const std::vector<std::string> kRefine = {"refine", "cell.n5/labels/mito", "cell.n5/refined/mito"};
const std::vector<std::string> kMeasure = {"measure", "cell.n5/refined/mito", "tables/mito.csv"};
const std::vector<std::string> kMesh = {"mesh", "cell.n5/refined/mito", "meshes/mito"};

void expect_done(const Ending& ending) { EXPECT_EQ(ending.exit_code, 0) << ending.err; }

Made gather(const std::filesystem::path& folder, std::string log) {
  return {digest_of(folder / "cell.n5/labels/mito"), digest_of(folder / "cell.n5/refined/mito"),
          hash_of_files(folder / "tables/mito.csv"), hash_of_files(folder / "meshes/mito"), std::move(log)};
}

// From prediction to meshes in a folder of its own.
Made make_all(const Running& running) {
  const TemporaryFolder folder;
  write_prediction(folder.path() / "p.n5/mito", kShape);
  std::string log;
  for (const auto& verb : {kSegment, kRefine, kMeasure, kMesh}) {
    Ending ending = run_verb(verb, folder.path(), running);
    log += ending.err;
    // The supervisor writes files too, so it may be the one that dies.
    if (ending.signal == SIGKILL) {
      ending = run_verb(verb, folder.path(), running);
      log += ending.err;
    }
    expect_done(ending);
  }
  return gather(folder.path(), log);
}

// What an undisturbed run makes, once for all tests.
const Made& undisturbed() {
  static const Made made = make_all({"64,64,64", 2, {}});
  return made;
}

TEST(SameVoxels, ThePredictionMakesWorkForEveryStage) {
  const TemporaryFolder folder;
  write_prediction(folder.path() / "p.n5/mito", kShape);
  for (const auto& verb : {kSegment, kRefine, kMeasure})
    expect_done(run_verb(verb, folder.path(), {"", 2, {}}));
  const std::string table = read_text(folder.path() / "tables/mito.csv");
  EXPECT_GT(std::count(table.begin(), table.end(), '\n'), 5) << table;
  EXPECT_NE(digest_of(folder.path() / "cell.n5/labels/mito"),
            digest_of(folder.path() / "cell.n5/refined/mito"))
      << "holes were filled";
}

TEST(SameVoxels, ForEveryBlockShape) {
  EXPECT_EQ(make_all({"96,128,160", 2, {}}), undisturbed());
  EXPECT_EQ(make_all({"128,160,192", 2, {}}), undisturbed()) << "one block holds the whole volume";
}

TEST(SameVoxels, ForEveryNumberOfWorkers) {
  EXPECT_EQ(make_all({"64,64,64", 1, {}}), undisturbed());
  EXPECT_EQ(make_all({"64,64,64", 5, {}}), undisturbed());
}

TEST(SameVoxels, WhereverAWorkerDies) {
  // Names of steps stand for the moment in which a block of it is computed but not yet recorded.
  for (const char* fault : {"label blocks:2",    // map
                            "join faces:2",      // reduce
                            "number objects:1",  // solve
                            "relabel:2",         // map
                            "label background:2", "sum blocks:2", "write table:1", "rename:5", "write:3",
                            "journal:1", "claim:3"}) {
    SCOPED_TRACE(fault);
    const TemporaryFolder once;
    const Made made = make_all(
        {"64,64,64", 2, {{"ORGANON_FAULT", fault}, {"ORGANON_FAULT_ONCE", (once.path() / "once").string()}}});
    EXPECT_NE(made.log.find(std::string("fault point ") + fault), std::string::npos) << "nobody died";
    EXPECT_EQ(made, undisturbed());
  }
}

TEST(SameVoxels, WhenEveryWorkerDiesAtItsSecondBlock) {
  const Made made = make_all({"64,64,64", 2, {{"ORGANON_FAULT", "relabel:2"}}});
  EXPECT_EQ(made, undisturbed());
}

// Without ORGANON_FAULT_ONCE the supervisor, too, dies at its nth rename: of stage.json, of a plan, ...
// Returns how many died.
int run_while_the_supervisor_dies(const std::string& fault) {
  SCOPED_TRACE(fault);
  const TemporaryFolder folder;
  write_prediction(folder.path() / "p.n5/mito", kShape);
  std::string log;
  int deaths = 0;
  for (const auto& verb : {kSegment, kRefine, kMeasure, kMesh}) {
    const Ending ending = run_verb(verb, folder.path(), {"64,64,64", 2, {{"ORGANON_FAULT", fault}}});
    deaths += ending.signal == SIGKILL ? 1 : 0;
    log += ending.err;
    if (ending.exit_code != 0) expect_done(run_verb(verb, folder.path(), {"64,64,64", 2, {}}));
  }
  EXPECT_EQ(gather(folder.path(), log), undisturbed());
  return deaths;
}

TEST(SameVoxels, WhenTheSupervisorDiesAndTheCommandIsRepeated) {
  for (const char* fault : {"rename:1", "rename:3", "rename:6", "rename:10", "rename:14"})
    EXPECT_GT(run_while_the_supervisor_dies(fault), 0) << fault;
}

// With ./test --slow: every rename that any of the stages makes.
TEST(LongSameVoxels, WhereverTheSupervisorDies) {
  int nth = 1;
  while (run_while_the_supervisor_dies("rename:" + std::to_string(nth)) > 0) ++nth;
  EXPECT_GT(nth, 14);
}

TEST(SameVoxels, WhenKilledInMidStageAndRepeatedWithOtherBlocksAndWorkers) {
  const TemporaryFolder folder;
  write_prediction(folder.path() / "p.n5/mito", kShape);
  for (const auto& verb : {kSegment, kRefine}) {
    std::vector<std::string> arguments = verb;
    arguments.insert(arguments.end(), {"--workers", "1", "--block-shape", "32,32,32"});
    const std::filesystem::path output = folder.path() / verb.at(2);
    const Ending killed = run_organon(
        arguments, {folder.path(), {}, SIGKILL, [&] { return count_completed_blocks(output, 0) > 0; }});
    EXPECT_EQ(killed.signal, SIGKILL);
    expect_done(run_verb(verb, folder.path(), {"64,64,64", 3, {}}));
  }
  for (const auto& verb : {kMeasure, kMesh}) expect_done(run_verb(verb, folder.path(), {"64,64,64", 3, {}}));
  EXPECT_EQ(gather(folder.path(), ""), undisturbed());
}

}  // namespace
}  // namespace organon::end_to_end
