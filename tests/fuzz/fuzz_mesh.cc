// Fragments of Neuroglancer's single-resolution meshes; what reads is measured, smoothed and written again.

#include "fuzz_input.h"
#include "organon/mesh/legacy_format.h"
#include "organon/mesh/simplify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  organon::fuzz::allow_errors([&] {
    const organon::mesh::Mesh mesh = organon::mesh::decode_legacy_mesh(bytes);
    ORGANON_CHECK(std::ranges::equal(organon::mesh::encode_legacy_mesh(mesh), bytes));
    organon::mesh::measure_mesh(mesh);
    organon::mesh::smooth_mesh(mesh, {.num_iterations = 1});
  });
  return 0;
}
