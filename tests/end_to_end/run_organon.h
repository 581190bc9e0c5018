#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/array/array.h"

namespace organon::end_to_end {

/// How a program ended and what it said.
struct Ending {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;      ///< that ended it; 0: none
  std::string out;
  std::string err;
  double seconds = 0;
};

/// How organon is started, besides its arguments.
struct Launch {
  std::filesystem::path folder;                    ///< current folder
  std::map<std::string, std::string> environment;  ///< besides the test's own
  int signal = 0;                                  ///< sent once `signal_when` is true; 0: none
  std::function<bool()> signal_when;
  bool may_end_first = false;  ///< no failure where it ended before it could be signalled
};

/// Runs the real binary (ORGANON_BINARY) to its end. Fails the test, and ends the binary, after two minutes.
Ending run_organon(const std::vector<std::string>& arguments, const Launch& launch);

/// A prediction of many objects, some across all blocks, with holes: N5, chunks of 32^3. Returns its address.
std::string write_prediction(const std::filesystem::path& dataset, const Shape3& shape);

/// What `organon digest` prints of a dataset.
std::string digest_of(const std::filesystem::path& dataset);

/// Hash of names and bytes of all files of a folder, or of one file; hidden ones left out.
std::string hash_of_files(const std::filesystem::path& path);

/// How many records of completed blocks the journals of step `step` hold, of the run that makes `output`.
std::int64_t count_completed_blocks(const std::filesystem::path& output, int step);

}  // namespace organon::end_to_end
