#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include "organon/app/command_line.h"
#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/heap.h"

namespace {

constexpr int kExitBadUsage = 2;
constexpr int kExitCannotStart = 3;
constexpr int kExitCancelled = 130;

int exit_code_of(organon::ErrorKind kind) {
  if (kind == organon::ErrorKind::kCancelled) return kExitCancelled;
  return kind == organon::ErrorKind::kInvalidArgument ? kExitBadUsage : kExitCannotStart;
}

}  // namespace

int main(int argc, char** argv) {
  organon::keep_freed_memory();
  organon::install_cancellation_handlers();
  try {
    return organon::app::run_command_line(argc, argv);
  } catch (const organon::Error& error) {
    fmt::print(stderr, "organon: {}\n", error.what());
    return exit_code_of(error.kind());
  } catch (const std::filesystem::filesystem_error& error) {
    fmt::print(stderr, "organon: input or output: {}\n", error.what());
    return kExitCannotStart;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "organon: resource exhausted: there is not enough memory for this\n");
    return kExitCannotStart;
  } catch (const std::exception& error) {
    fmt::print(stderr, "organon: internal error: {}\n", error.what());
    return kExitCannotStart;
  }
}
