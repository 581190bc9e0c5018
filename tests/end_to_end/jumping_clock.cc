// Preloaded into organon (LD_PRELOAD): a wall clock that jumps by a day, forth and back, ten times a second,
// at other moments in each process. With CLOCK_AHEAD_S it is ahead by so much, always.

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

constexpr time_t kDayS = 86400;
constexpr long kBetweenJumpsNs = 100'000'000;

time_t seconds_ahead() {
  if (const char* ahead = std::getenv("CLOCK_AHEAD_S")) return std::atol(ahead);
  timespec since_boot = {};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &since_boot);
  const auto jumps = since_boot.tv_sec * 10 + since_boot.tv_nsec / kBetweenJumpsNs;
  return ((jumps + ::getpid()) % 3 - 1) * kDayS;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (::syscall(SYS_clock_gettime, clock, time) != 0) return -1;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += seconds_ahead();
  return 0;
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

extern "C" time_t time(time_t* result) noexcept {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}
