#include "organon/array/voxel_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <limits>
#include <new>

namespace organon {
namespace {

constexpr std::size_t kLargePageBytes = std::size_t{2} << 20;

}  // namespace

void FreeVoxels::operator()(void* memory) const noexcept { std::free(memory); }

void* allocate_voxel_bytes(std::size_t num_voxels, std::size_t voxel_bytes) {
  if (num_voxels > (std::numeric_limits<std::size_t>::max() - kLargePageBytes) / voxel_bytes) {
    throw std::bad_alloc();
  }
  const std::size_t bytes = num_voxels * voxel_bytes;
  const bool is_large = bytes >= 2 * kLargePageBytes;
  void* memory = is_large ? std::aligned_alloc(kLargePageBytes, (bytes + kLargePageBytes - 1) /
                                                                    kLargePageBytes * kLargePageBytes)
                          : std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  // A wish: where it is not granted, the memory is as good, and slower at first touch. Of the last page only
  // what is whole, so that no more memory is taken than was asked for.
  if (is_large) madvise(memory, bytes / kLargePageBytes * kLargePageBytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace organon
