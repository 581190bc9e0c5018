#pragma once

namespace organon {

/// Ends the process with the failed condition and its place: for programmer errors, never for input.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace organon

/// Always on. For what only a wrong caller can break; wrong input throws Error instead.
#define ORGANON_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::organon::check_failed(#condition, __FILE__, __LINE__))

/// As ORGANON_CHECK, in debug builds only: for inner loops.
#ifdef NDEBUG
#define ORGANON_DCHECK(condition) static_cast<void>(0)
#else
#define ORGANON_DCHECK(condition) ORGANON_CHECK(condition)
#endif
