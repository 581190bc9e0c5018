#include "organon/storage/volumes/mrc_header.h"

#include <fmt/format.h>

#include <cmath>

#include "organon/base/error.h"
#include "organon/storage/volumes/header_bytes.h"

namespace organon::storage {
namespace {

constexpr std::int32_t kImodStamp = 1146047817;  // "IMOD"
constexpr std::int32_t kImodSignedBytes = 1;
constexpr std::int32_t kImodInvertedOrigin = 4;
constexpr std::int32_t kFirstVersion2014 = 20140;
constexpr std::int32_t kVolumeStack = 401;
constexpr double kNmPerAngstrom = 0.1;

bool is_big_endian(std::span<const std::byte> bytes) {
  constexpr std::size_t kMachineStamp = 212;
  if (bytes[kMachineStamp] == std::byte{0x44}) return false;
  if (bytes[kMachineStamp] == std::byte{0x11}) return true;
  // Old files have no stamp: a mode is a small number in one of the orders.
  constexpr std::int32_t kLargestMode = 1024;
  const std::int32_t mode = HeaderBytes(bytes, false).int32(12);
  return mode < 0 || mode > kLargestMode;
}

bool has_signed_bytes(const HeaderBytes& header) {
  if (header.int32(152) == kImodStamp) return (header.int32(156) & kImodSignedBytes) != 0;
  // Before 2014 the standard was silent, and programs differed.
  const float smallest = header.float32(76);
  const float largest = header.float32(80);
  return header.int32(108) >= kFirstVersion2014 || !(smallest >= 0 && largest > 127);
}

DataType type_of(const HeaderBytes& header, std::string_view where) {
  const std::int32_t mode = header.int32(12);
  const char* name = "unknown";
  switch (mode) {
    case 0:
      return has_signed_bytes(header) ? DataType::kInt8 : DataType::kUint8;
    case 1:
      return DataType::kInt16;
    case 2:
      return DataType::kFloat32;
    case 6:
      return DataType::kUint16;
    case 3:
    case 4:
      name = "complex numbers";
      break;
    case 12:
      name = "16-bit floating point";
      break;
    case 16:
      name = "colours";
      break;
    case 101:
      name = "4-bit numbers";
      break;
    default:
      break;
  }
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: MRC mode {} ({}), understood: 0, 1, 2, 6", where, mode, name));
}

void check_axes(const HeaderBytes& header, std::string_view where) {
  const std::int32_t column = header.int32(64), row = header.int32(68), section = header.int32(72);
  // Zeros: a program that does not know of axes.
  if ((column == 1 && row == 2 && section == 3) || (column == 0 && row == 0 && section == 0)) return;
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: MRC axes in the order {}, {}, {}, expected 1, 2, 3 (x, y, z)", where, column,
                          row, section));
}

std::optional<Lengths> voxel_size(const HeaderBytes& header) {
  const auto along = [&](std::size_t sampling_at, std::size_t cell_at) {
    const std::int32_t sampling = header.int32(sampling_at);
    const float cell = header.float32(cell_at);
    // Both are rounded: single precision is what the quotient is worth.
    return sampling > 0 ? meant_by(static_cast<float>(static_cast<double>(cell) / sampling)) : 0.0;
  };
  const Lengths size(along(36, 48), along(32, 44), along(28, 40));
  const bool is_positive = size.z > 0 && size.y > 0 && size.x > 0;
  if (!is_positive || !std::isfinite(size.product()) || size == Lengths(1, 1, 1)) return std::nullopt;
  return size;
}

}  // namespace

RawLayout parse_mrc_header(std::span<const std::byte> bytes, std::string_view where) {
  if (bytes.size() < kMrcHeaderBytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: {} bytes, an MRC header has {}", where, bytes.size(), kMrcHeaderBytes));
  }
  RawLayout layout;
  layout.is_big_endian = is_big_endian(bytes);
  const HeaderBytes header(bytes, layout.is_big_endian);
  layout.info.format = "MRC";
  layout.info.shape = {header.int32(8), header.int32(4), header.int32(0)};
  layout.info.type = type_of(header, where);
  check_volume_shape(layout.info.shape, layout.info.type, where);
  check_axes(header, where);
  if (header.int32(88) == kVolumeStack) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: an MRC stack of volumes, expected one", where));
  }
  const std::int32_t extended_bytes = header.int32(92);
  if (extended_bytes < 0) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: an extended MRC header of {} bytes", where, extended_bytes));
  }
  layout.begin_bytes = kMrcHeaderBytes + static_cast<std::uint64_t>(extended_bytes);

  StatedGrid& stated = layout.info.stated;
  stated.voxel_size = voxel_size(header);
  stated.nm_per_unit = kNmPerAngstrom;
  stated.source = "the cell dimensions of its header";
  const bool is_imod = header.int32(152) == kImodStamp;
  const double sign = is_imod && (header.int32(156) & kImodInvertedOrigin) == 0 ? -1 : 1;
  const Lengths origin(meant_by(header.float32(204)), meant_by(header.float32(200)),
                       meant_by(header.float32(196)));
  // Adding 0 makes -0 plain.
  if (std::isfinite(origin.z) && std::isfinite(origin.y) && std::isfinite(origin.x))
    stated.offset = Lengths(sign * origin.z + 0.0, sign * origin.y + 0.0, sign * origin.x + 0.0);
  return layout;
}

}  // namespace organon::storage
