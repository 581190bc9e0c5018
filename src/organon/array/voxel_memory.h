#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

namespace organon {

struct FreeVoxels {
  void operator()(void* memory) const noexcept;
};

template <class T>
using VoxelMemory = std::unique_ptr<T[], FreeVoxels>;

/// Uninitialized bytes, from 4 MiB on in pages of 2 MiB where the system has such: giving a page to a program
/// costs the kernel more than most algorithms spend on its voxels. Throws std::bad_alloc.
void* allocate_voxel_bytes(std::size_t num_voxels, std::size_t voxel_bytes);

template <class T>
VoxelMemory<T> allocate_voxels(std::size_t num_voxels) {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  return VoxelMemory<T>(static_cast<T*>(allocate_voxel_bytes(num_voxels, sizeof(T))));
}

/// For vectors that grow with a volume.
template <class T>
struct VoxelAllocator {
  using value_type = T;
  VoxelAllocator() = default;
  template <class U>
  VoxelAllocator(const VoxelAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_voxel_bytes(count, sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { FreeVoxels{}(memory); }
  friend bool operator==(const VoxelAllocator&, const VoxelAllocator&) { return true; }
};

template <class T>
using VoxelVector = std::vector<T, VoxelAllocator<T>>;

}  // namespace organon
