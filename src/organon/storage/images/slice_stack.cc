#include "organon/storage/images/slice_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/storage/images/png_codec.h"
#include "organon/storage/images/tiff_codec.h"

namespace organon::storage {
namespace {

enum class ImageKind { kPng, kTiff };

// By name, so that a damaged file is called damaged and not another kind.
ImageKind kind_of(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (extension == ".png") return ImageKind::kPng;
  if (extension == ".tif" || extension == ".tiff") return ImageKind::kTiff;
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: expected a .png, .tif or .tiff file", path.string()));
}

std::vector<std::byte> read_all(const std::filesystem::path& path) {
  auto bytes = read_file_if_exists(path, static_cast<std::size_t>(kMaxSliceBytes));
  if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file", path.string()));
  return *std::move(bytes);
}

std::string describe(const ImageInfo& info) {
  return fmt::format("{} x {} pixels (x, y) of {}", info.shape.x, info.shape.y, to_string(info.type));
}

}  // namespace

ImageInfo read_slice_info(const std::filesystem::path& path) {
  if (kind_of(path) == ImageKind::kTiff) return TiffFile(path).info();
  std::array<std::byte, kPngHeaderBytes> header;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_system_error("cannot open", path.string());
  file.read(reinterpret_cast<char*>(header.data()), static_cast<std::streamsize>(header.size()));
  return png_info(std::span(header).first(static_cast<std::size_t>(file.gcount())), path.string());
}

AnyArray read_slice(const std::filesystem::path& path) {
  if (kind_of(path) == ImageKind::kPng) return decode_png(read_all(path), path.string());
  TiffFile file(path);
  return file.read_pages(0, file.info().shape.z);
}

SliceStack open_slice_stack(const std::filesystem::path& folder_or_file, SliceGaps gaps) {
  SliceStack stack;
  stack.address = folder_or_file.string();
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_regular_file(folder_or_file)) {
    paths.push_back(folder_or_file);
  } else {
    paths = list_slices(folder_or_file, gaps);
  }
  ImageInfo first;
  for (const auto& path : paths) {
    const ImageInfo info = read_slice_info(path);
    if (stack.files.empty()) first = info;
    if (info.shape.y != first.shape.y || info.shape.x != first.shape.x || info.type != first.type) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: {}, but {} has {}", path.string(), describe(info),
                              paths[0].filename().string(), describe(first)));
    }
    stack.files.push_back({path, stack.shape.z, info.shape.z});
    stack.shape = {stack.shape.z + info.shape.z, first.shape.y, first.shape.x};
  }
  stack.type = first.type;
  return stack;
}

AnyArray read_slab(const SliceStack& stack, std::int64_t z_begin, std::int64_t z_end) {
  ORGANON_CHECK(z_begin >= 0 && z_begin <= z_end && z_end <= stack.shape.z);
  AnyArray slab(stack.type, {z_end - z_begin, stack.shape.y, stack.shape.x});
  const std::size_t slice_bytes =
      static_cast<std::size_t>(stack.shape.y * stack.shape.x) * size_of(stack.type);
  for (const SliceStack::File& file : stack.files) {
    const std::int64_t begin = std::max(z_begin, file.first_slice);
    const std::int64_t end = std::min(z_end, file.first_slice + file.num_slices);
    if (begin >= end) continue;
    const auto check_unchanged = [&](const ImageInfo& info) {
      if (info == ImageInfo{{file.num_slices, stack.shape.y, stack.shape.x}, stack.type}) return;
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: changed since the stack was opened: {} pages, {}",
                                                       file.path.string(), info.shape.z, describe(info)));
    };
    const auto copy_slice = [&](const AnyArray& slice, std::int64_t z) {
      std::memcpy(slab.bytes().data() + static_cast<std::size_t>(z - z_begin) * slice_bytes,
                  slice.bytes().data(), slice_bytes);
    };
    if (kind_of(file.path) == ImageKind::kPng) {
      const AnyArray slice = decode_png(read_all(file.path), file.path.string());
      check_unchanged({slice.shape(), slice.type()});
      copy_slice(slice, begin);
    } else {
      TiffFile tiff(file.path);
      check_unchanged(tiff.info());
      for (std::int64_t z = begin; z < end; ++z) {
        copy_slice(tiff.read_pages(z - file.first_slice, z - file.first_slice + 1), z);
      }
    }
  }
  return slab;
}

}  // namespace organon::storage
