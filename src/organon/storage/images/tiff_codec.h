#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "organon/array/any_array.h"
#include "organon/storage/images/image_info.h"

namespace organon::storage {

/// What the first page says besides its pixels, as it is written there.
struct TiffTags {
  std::string description;       ///< empty where there is none
  double x_pixels_per_unit = 0;  ///< 0 where it is not stated; the unit may be anything
  double y_pixels_per_unit = 0;
};

/// An opened TIFF file: one slice a page, or a whole stack. Pages are read one by one, so that memory stays
/// at what is asked for however large the file is. Not to be used by two threads at once.
///
/// Understood: BigTIFF too; strips and tiles; uncompressed, LZW, deflate, PackBits; one bit (0 and 1),
/// integers of 8 to 64 bits, float32 and float64; "white is zero" is turned over; palettes and RGB where
/// every pixel is grey; the ImageJ form of large stacks, which has one page directory and says `images=N`.
class TiffFile {
 public:
  /// Errors: kNotFound, kIo, kCorruptData; kUnsupported naming compression, bit depth or layout.
  explicit TiffFile(const std::filesystem::path& path);
  /// From bytes in memory, which must live as long as this. `where` is for messages.
  TiffFile(std::span<const std::byte> bytes, std::string where);
  TiffFile(TiffFile&&) noexcept;
  TiffFile& operator=(TiffFile&&) noexcept;
  ~TiffFile();

  /// Shape (pages, y, x) and type; every page has these, else kInvalidArgument names the page that differs.
  const ImageInfo& info() const;
  /// Errors: kCorruptData.
  TiffTags tags();
  /// Pages `begin .. end`: shape (end - begin, y, x).
  /// Errors: kCorruptData naming file and page for every damage; kUnsupported for colour.
  AnyArray read_pages(std::int64_t begin, std::int64_t end);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All pages of the TIFF in `bytes`. Errors: as TiffFile; kResourceExhausted where they have more than
/// kMaxSliceBytes.
AnyArray decode_tiff(std::span<const std::byte> bytes, std::string_view where);

}  // namespace organon::storage
