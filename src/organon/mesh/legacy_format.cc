#include "organon/mesh/legacy_format.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "organon/base/error.h"

namespace organon::mesh {
namespace {

constexpr std::size_t kVertexBytes = 12;
constexpr std::size_t kTriangleBytes = 12;
constexpr std::size_t kHeaderBytes = 4;

void put(std::vector<std::byte>& bytes, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::byte>(value >> shift & 255));
}

std::uint32_t take(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

float take_coordinate(std::span<const std::byte> bytes, std::size_t at) {
  const float value = std::bit_cast<float>(take(bytes, at));
  if (!std::isfinite(value))
    throw Error(ErrorKind::kCorruptData, fmt::format("mesh: coordinate at byte {} is not finite", at));
  return value;
}

}  // namespace

std::vector<std::byte> encode_legacy_mesh(const Mesh& mesh) {
  if (mesh.vertices_nm.size() > UINT32_MAX) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mesh: the format holds 2^32 - 1 vertices, found {}", mesh.vertices_nm.size()));
  }
  std::vector<std::byte> bytes;
  bytes.reserve(kHeaderBytes + kVertexBytes * mesh.vertices_nm.size() +
                kTriangleBytes * mesh.triangles.size());
  put(bytes, static_cast<std::uint32_t>(mesh.vertices_nm.size()));
  for (const VertexNm& v : mesh.vertices_nm) {
    for (const float coordinate : {v.x, v.y, v.z}) put(bytes, std::bit_cast<std::uint32_t>(coordinate));
  }
  for (const Triangle& triangle : mesh.triangles) {
    for (const std::uint32_t vertex : triangle) put(bytes, vertex);
  }
  return bytes;
}

Mesh decode_legacy_mesh(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes)
    throw Error(ErrorKind::kCorruptData,
                fmt::format("mesh: expected 4 bytes or more, found {}", bytes.size()));
  const std::uint64_t num_vertices = take(bytes, 0);
  // Compared before anything is allocated: the count comes from outside.
  if (num_vertices > (bytes.size() - kHeaderBytes) / kVertexBytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("mesh: {} vertices do not fit in {} bytes", num_vertices, bytes.size()));
  }
  const std::size_t triangles_begin = kHeaderBytes + kVertexBytes * num_vertices;
  if ((bytes.size() - triangles_begin) % kTriangleBytes != 0) {
    throw Error(ErrorKind::kCorruptData, fmt::format("mesh: {} bytes of triangles are no multiple of {}",
                                                     bytes.size() - triangles_begin, kTriangleBytes));
  }
  Mesh mesh;
  mesh.vertices_nm.reserve(num_vertices);
  for (std::size_t at = kHeaderBytes; at < triangles_begin; at += kVertexBytes) {
    mesh.vertices_nm.emplace_back(take_coordinate(bytes, at + 8), take_coordinate(bytes, at + 4),
                                  take_coordinate(bytes, at));
  }
  mesh.triangles.reserve((bytes.size() - triangles_begin) / kTriangleBytes);
  for (std::size_t at = triangles_begin; at < bytes.size(); at += kTriangleBytes) {
    const Triangle triangle{take(bytes, at), take(bytes, at + 4), take(bytes, at + 8)};
    for (const std::uint32_t vertex : triangle) {
      if (vertex >= num_vertices) {
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("mesh: triangle names vertex {} of {}", vertex, num_vertices));
      }
    }
    mesh.triangles.push_back(triangle);
  }
  return mesh;
}

}  // namespace organon::mesh
