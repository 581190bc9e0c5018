#include "organon/base/fault_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "organon/base/error.h"

namespace organon {
namespace {

struct Fault {
  std::string name;
  int pass = 0;    // 0: none
  int period = 0;  // 0: once
  std::string action = "kill";
  const char* once = nullptr;
};

Fault read_fault() {
  Fault fault;
  const char* text = std::getenv("ORGANON_FAULT");
  if (text == nullptr) return fault;
  const std::string value = text;
  const std::size_t colon = value.find(':');
  fault.name = value.substr(0, colon);
  fault.pass = 1;
  if (colon != std::string::npos) {
    const std::string pass = value.substr(colon + 1, value.find(':', colon + 1) - colon - 1);
    fault.period = pass == "*" ? 1 : pass.starts_with('/') ? std::atoi(pass.c_str() + 1) : 0;
    fault.pass = fault.period > 0 ? fault.period : std::atoi(pass.c_str());
    const std::size_t second = value.find(':', colon + 1);
    if (second != std::string::npos) fault.action = value.substr(second + 1);
  }
  fault.once = std::getenv("ORGANON_FAULT_ONCE");
  return fault;
}

// Takes memory, a little at a time, until someone stops it.
void take_memory() {
  constexpr std::size_t kPiece = std::size_t{1} << 26;
  std::vector<std::vector<char>> pieces;
  for (int i = 0; i < 1024; ++i) {
    pieces.emplace_back(kPiece, '1');
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void act(const std::string& action) {
  if (action == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
  if (action == "memory") take_memory();
  if (action == "stop") std::raise(SIGSTOP);
  if (action == "crash") std::raise(SIGSEGV);
  if (action == "throw") throw Error(ErrorKind::kIo, "fault point");
  if (action == "kill") std::raise(SIGKILL);
}

}  // namespace

void fault_point(std::string_view name) {
  static const Fault fault = read_fault();
  static std::atomic<int> passes{0};
  // A process made by fork begins to count anew.
  static std::atomic<::pid_t> counting_process{::getpid()};
  if (fault.pass == 0) return;
  if (counting_process.exchange(::getpid()) != ::getpid()) passes = 0;
  if (name != fault.name) return;
  const int pass = ++passes;
  if (fault.period > 0 ? pass % fault.period != 0 : pass != fault.pass) return;
  if (fault.once != nullptr && ::open(fault.once, O_CREAT | O_EXCL | O_WRONLY, 0666) < 0) return;
  std::fprintf(stderr, "fault point %s:%d: process %d: %s\n", fault.name.c_str(), fault.pass, ::getpid(),
               fault.action.c_str());
  act(fault.action);
}

}  // namespace organon
