#include "organon/base/fault_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace organon {
namespace {

struct Fault {
  std::string name;
  int pass = 0;
  const char* once = nullptr;
};

Fault read_fault() {
  Fault fault;
  const char* text = std::getenv("ORGANON_FAULT");
  if (text == nullptr) return fault;
  const std::string value = text;
  const std::size_t colon = value.find(':');
  fault.name = value.substr(0, colon);
  fault.pass = colon == std::string::npos ? 1 : std::atoi(value.c_str() + colon + 1);
  fault.once = std::getenv("ORGANON_FAULT_ONCE");
  return fault;
}

}  // namespace

void fault_point(std::string_view name) {
  static const Fault fault = read_fault();
  static std::atomic<int> passes{0};
  // A process made by fork begins to count anew.
  static std::atomic<::pid_t> counting_process{::getpid()};
  if (fault.pass != 0 && counting_process.exchange(::getpid()) != ::getpid()) passes = 0;
  if (fault.pass == 0 || name != fault.name || ++passes != fault.pass) return;
  if (fault.once != nullptr && ::open(fault.once, O_CREAT | O_EXCL | O_WRONLY, 0666) < 0) return;
  std::fprintf(stderr, "fault point %s:%d: killing process %d\n", fault.name.c_str(), fault.pass, ::getpid());
  std::raise(SIGKILL);
}

}  // namespace organon
