// Headers of MRC, NIfTI, NRRD and MetaImage, descriptions of TIFF, LZF blocks. The bytes are tried as each.

#include "fuzz_input.h"
#include "organon/storage/volumes/lzf.h"
#include "organon/storage/volumes/metaimage_header.h"
#include "organon/storage/volumes/mrc_header.h"
#include "organon/storage/volumes/nifti_header.h"
#include "organon/storage/volumes/nrrd_header.h"
#include "organon/storage/volumes/tiff_description.h"

namespace organon::fuzz {
namespace {

// What a parser lets through is what open_raw_volume() may rely on.
void check(const storage::RawLayout& layout) {
  storage::check_volume_shape(layout.info.shape, layout.info.type, "");
  ORGANON_CHECK(storage::voxel_bytes(layout.info) <= std::uint64_t{1} << 62);
  storage::known_grid(layout.info.stated, "nm");
}

void run(std::span<const std::byte> bytes) {
  for (const auto parse : {storage::parse_mrc_header, storage::parse_nifti_header, storage::parse_nrrd_header,
                           storage::parse_metaimage_header})
    allow_errors([&] { check(parse(bytes, "x")); });
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  storage::parse_tiff_description({text, 4, 4});
  std::vector<std::byte> decoded(1 << 12);
  const auto count = storage::decode_lzf(bytes, decoded);
  ORGANON_CHECK(!count || *count <= decoded.size());
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(std::as_bytes(std::span(data, size)));
  return 0;
}
