#include "run_organon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/run_folder.h"
#include "organon/storage/dataset.h"

namespace organon::end_to_end {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTimeLimit = std::chrono::minutes(2);

std::string binary() {
  const char* path = std::getenv("ORGANON_BINARY");
  if (path == nullptr) {
    ADD_FAILURE() << "ORGANON_BINARY must name the organon binary (ctest sets it)";
    return "/bin/false";
  }
  return path;
}

int open_new(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

}  // namespace

Ending run_organon(const std::vector<std::string>& arguments, const Launch& launch) {
  const organon::testing::TemporaryFolder folder;
  std::vector<std::string> words = {binary()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string current = launch.folder.string();
  const auto begin = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);  // its own group, so that a signal can reach its workers as Ctrl-C does
    ::dup2(open_new(folder.path() / "out"), STDOUT_FILENO);
    ::dup2(open_new(folder.path() / "err"), STDERR_FILENO);
    if (!current.empty() && ::chdir(current.c_str()) != 0) ::_exit(126);
    for (const auto& [name, value] : launch.environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(pointers[0], pointers.data());
    ::_exit(126);
  }
  Ending ending;
  int status = 0;
  bool has_signalled = launch.signal == 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (!has_signalled && launch.signal_when()) {
      has_signalled = true;
      // kill -9 hits the supervisor alone, Ctrl-C the whole group.
      ::kill(launch.signal == SIGKILL ? child : -child, launch.signal);
    }
    if (Clock::now() - begin > kTimeLimit) {
      ADD_FAILURE() << "still running after two minutes: " << ::testing::PrintToString(arguments);
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_TRUE(has_signalled || launch.may_end_first) << "it ended before it could be signalled";
  ending.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ending.out = read_text(folder.path() / "out");
  ending.err = read_text(folder.path() / "err");
  ending.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return ending;
}

std::string write_prediction(const std::filesystem::path& dataset, const Shape3& shape) {
  // Balls and shells at places of chance, of many sizes.
  Array<std::uint8_t> inside(shape, 0);
  Random random(7);
  for (int ball = 0; ball < 60; ++ball) {
    const std::int64_t radius = 4 + static_cast<std::int64_t>(random.below(14));
    const std::int64_t wall = ball % 2 == 0 ? radius : 5;
    const Index3 centre{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.z))),
                        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.y))),
                        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.x)))};
    const Box box = Box::at(centre, {1, 1, 1}).grow(radius).intersect(Box::of_shape(shape));
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
          const Index3 d = Index3{z, y, x} - centre;
          const double distance = std::sqrt(static_cast<double>(d.z * d.z + d.y * d.y + d.x * d.x));
          if (distance <= static_cast<double>(radius) && distance >= static_cast<double>(radius - wall))
            inside(z, y, x) = 1;
        }
      }
    }
  }
  // And a wall with a wave in it that runs through the whole volume, across all blocks.
  Array<std::uint8_t> voxels = Array<std::uint8_t>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const double wave = 20 * std::sin(0.05 * static_cast<double>(x)) + 0.5 * static_cast<double>(y);
        const bool is_wall = std::abs(static_cast<double>(z) - 10 - wave) < 4;
        const double value = is_wall || inside(z, y, x) != 0 ? 200 : 60;
        const auto texture = static_cast<double>((z * 131 + y * 71 + x * 37) % 41);
        voxels(z, y, x) = static_cast<std::uint8_t>(value + texture);
      }
    }
  }
  storage::DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = {32, 32, 32};
  spec.grid = {{8, 4, 4}, {}};
  storage::create_dataset(dataset.string(), spec)
      ->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  return dataset.string();
}

std::string digest_of(const std::filesystem::path& dataset) {
  const Ending ending = run_organon({"digest", dataset.string()}, {});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  return ending.out.substr(0, ending.out.find(' '));
}

std::string hash_of_files(const std::filesystem::path& path) {
  if (std::filesystem::is_regular_file(path)) return to_hex(hash_text(read_text(path)));
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    const std::string name = entry.path().lexically_relative(path).string();
    // Names with a dot first are those of the ledger and what killed processes left half written.
    if (!entry.is_regular_file() || name.starts_with(".") || name.find("/.") != std::string::npos) continue;
    lines.push_back(name + " " + to_hex(hash_text(read_text(entry.path()))) + "\n");
  }
  EXPECT_FALSE(lines.empty()) << path;
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return to_hex(hash_text(all));
}

std::int64_t count_completed_blocks(const std::filesystem::path& output, int step) {
  const blockwise::RunFolder run(blockwise::run_folder_of(output.string()));
  std::int64_t count = 0;
  blockwise::JournalReader(run.step(static_cast<std::size_t>(step)), false)
      .poll([&](const blockwise::JournalRecord& record) {
        count += record.kind == blockwise::JournalRecord::Kind::kCompleted ? 1 : 0;
      });
  return count;
}

}  // namespace organon::end_to_end
