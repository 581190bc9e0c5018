#include "organon/base/heap.h"

// Defines __GLIBC__ where it is.
#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace organon {

void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

}  // namespace organon
