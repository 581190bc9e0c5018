#include "organon/storage/images/jpeg_codec.h"

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdio>

// Needs FILE.
#include <jpeglib.h>

#include "organon/base/error.h"
#include "organon/storage/images/grey_pixels.h"

namespace organon::storage {
namespace {

// libjpeg tells of errors through a function that must not return: it jumps back to read().
struct JpegErrors : jpeg_error_mgr {
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> text{};
};

[[noreturn]] void jump_back(j_common_ptr info) {
  auto* errors = static_cast<JpegErrors*>(info->err);
  errors->format_message(info, errors->text.data());
  std::longjmp(errors->back, 1);  // NOLINT(cert-err52-cpp): the only way out of C
}

class JpegReader {
 public:
  explicit JpegReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = jump_back;
    // Warnings (level -1) tell of damage that would be painted over.
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) jump_back(info);
    };
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  AnyArray read(std::int64_t num_pixels, std::int64_t num_channels) {
    if (!run([this] {
          jpeg_create_decompress(&info_);
          jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
          jpeg_read_header(&info_, TRUE);
        }))
      refuse();
    if (info_.num_components != num_channels || (num_channels != 1 && num_channels != 3)) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("a jpeg of {} channels, expected {}", info_.num_components, num_channels));
    }
    const auto width = static_cast<std::int64_t>(info_.image_width);
    const auto height = static_cast<std::int64_t>(info_.image_height);
    if (width * height != num_pixels) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("a jpeg of {} x {} pixels, expected {}", width, height, num_pixels));
    }
    AnyArray image(DataType::kUint8, {1, height, width * num_channels});
    row_ = reinterpret_cast<JSAMPLE*>(image.bytes().data());
    if (!run([this] {
          if (info_.num_components == 3) info_.out_color_space = JCS_RGB;
          jpeg_start_decompress(&info_);
          for (; info_.output_scanline < info_.output_height;
               row_ += info_.output_width * static_cast<JDIMENSION>(info_.output_components))
            jpeg_read_scanlines(&info_, &row_, 1);
          jpeg_finish_decompress(&info_);
        }))
      refuse();
    if (num_channels == 1) return image;
    AnyArray planes(DataType::kUint8, {num_channels, height, width});
    const auto pixels = static_cast<std::size_t>(num_pixels);
    split_channels<std::uint8_t>(image.bytes(), static_cast<std::size_t>(num_channels), pixels,
                                 planes.view<std::uint8_t>().data(), pixels);
    return planes;
  }

 private:
  // `step` has no objects to destroy, so that jumping out of it is sound.
  template <class CStep>
  bool run(CStep step) {
    if (setjmp(errors_.back) != 0) return false;  // NOLINT(cert-err52-cpp)
    step();
    return true;
  }
  [[noreturn]] void refuse() const {
    throw Error(ErrorKind::kCorruptData, fmt::format("jpeg: {}", errors_.text.data()));
  }

  std::span<const std::byte> bytes_;
  JSAMPLE* row_ = nullptr;
  jpeg_decompress_struct info_{};
  JpegErrors errors_;
};

}  // namespace

AnyArray decode_jpeg(std::span<const std::byte> bytes, std::int64_t num_pixels, std::int64_t num_channels) {
  if (bytes.empty()) throw Error(ErrorKind::kCorruptData, "jpeg: no bytes");
  return JpegReader(bytes).read(num_pixels, num_channels);
}

}  // namespace organon::storage
