#include "organon/storage/volumes/nifti_header.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "organon/base/error.h"
#include "organon/storage/volumes/header_bytes.h"

namespace organon::storage {
namespace {

constexpr std::int32_t kSize1 = 348;
constexpr std::int32_t kSize2 = 540;

// The fields of both versions that count here; version 2 has wider numbers at other places.
struct Fields {
  std::array<std::int64_t, 8> dim{};
  std::array<double, 8> pixdim{};
  std::int64_t datatype = 0;
  double vox_offset = 0;
  double slope = 0;
  double intercept = 0;
  std::int64_t units = 0;
  std::int64_t qform_code = 0;
  std::int64_t sform_code = 0;
  std::array<double, 3> quaternion{};
  std::array<double, 3> qoffset{};
  std::array<std::array<double, 4>, 3> srow{};
};

Fields fields_of_version_1(const HeaderBytes& header) {
  Fields fields;
  for (std::size_t i = 0; i < 8; ++i) {
    fields.dim[i] = header.int16(40 + 2 * i);
    fields.pixdim[i] = meant_by(header.float32(76 + 4 * i));
  }
  fields.datatype = header.int16(70);
  fields.vox_offset = static_cast<double>(header.float32(108));
  fields.slope = static_cast<double>(header.float32(112));
  fields.intercept = static_cast<double>(header.float32(116));
  fields.units = header.get<std::uint8_t>(123);
  fields.qform_code = header.int16(252);
  fields.sform_code = header.int16(254);
  for (std::size_t i = 0; i < 3; ++i) {
    fields.quaternion[i] = static_cast<double>(header.float32(256 + 4 * i));
    fields.qoffset[i] = meant_by(header.float32(268 + 4 * i));
    for (std::size_t k = 0; k < 4; ++k) fields.srow[i][k] = meant_by(header.float32(280 + 16 * i + 4 * k));
  }
  return fields;
}

Fields fields_of_version_2(const HeaderBytes& header) {
  Fields fields;
  for (std::size_t i = 0; i < 8; ++i) {
    fields.dim[i] = header.int64(16 + 8 * i);
    fields.pixdim[i] = header.float64(104 + 8 * i);
  }
  fields.datatype = header.int16(12);
  fields.vox_offset = static_cast<double>(header.int64(168));
  fields.slope = header.float64(176);
  fields.intercept = header.float64(184);
  fields.units = header.int32(500);
  fields.qform_code = header.int32(344);
  fields.sform_code = header.int32(348);
  for (std::size_t i = 0; i < 3; ++i) {
    fields.quaternion[i] = header.float64(352 + 8 * i);
    fields.qoffset[i] = header.float64(376 + 8 * i);
    for (std::size_t k = 0; k < 4; ++k) fields.srow[i][k] = header.float64(400 + 32 * i + 8 * k);
  }
  return fields;
}

DataType type_of(std::int64_t code, std::string_view where) {
  switch (code) {
    case 2:
      return DataType::kUint8;
    case 4:
      return DataType::kInt16;
    case 8:
      return DataType::kInt32;
    case 16:
      return DataType::kFloat32;
    case 64:
      return DataType::kFloat64;
    case 256:
      return DataType::kInt8;
    case 512:
      return DataType::kUint16;
    case 768:
      return DataType::kUint32;
    case 1024:
      return DataType::kInt64;
    case 1280:
      return DataType::kUint64;
    default:
      break;
  }
  const char* name = code == 1                                    ? "one bit a voxel"
                     : code == 32 || code == 1792 || code == 2048 ? "complex numbers"
                     : code == 128 || code == 2304                ? "colours"
                     : code == 1536                               ? "128-bit floating point"
                                                                  : "unknown";
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: NIfTI datatype {} ({})", where, code, name));
}

Shape3 shape_of(const Fields& fields, std::string_view where) {
  const std::int64_t rank = fields.dim[0];
  if (rank < 1 || rank > 7) throw Error(ErrorKind::kCorruptData, fmt::format("{}: {} axes", where, rank));
  const auto extent = [&](std::int64_t axis) {
    return axis <= rank ? fields.dim[static_cast<std::size_t>(axis)] : 1;
  };
  for (std::int64_t axis = 4; axis <= rank; ++axis) {
    if (extent(axis) == 1) continue;
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {} axes, the fourth or a later one with {} values; expected three axes",
                            where, rank, extent(axis)));
  }
  return {extent(3), extent(2), extent(1)};
}

std::optional<double> nm_per_unit(std::int64_t units) {
  switch (units & 7) {
    case 1:
      return 1e9;
    case 2:
      return 1e6;
    case 3:
      return 1e3;
    default:
      return std::nullopt;
  }
}

std::optional<Lengths> offset_of(const Fields& fields) {
  if (fields.sform_code > 0) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 3; ++k) {
        // Turned by less than a thousandth of a voxel a voxel is not turned: rounding.
        const double limit = 1e-3 * fields.pixdim[i + 1];
        if (i == k ? !(fields.srow[i][k] > 0) : !(std::abs(fields.srow[i][k]) <= limit)) return std::nullopt;
      }
    }
    return Lengths(fields.srow[2][3], fields.srow[1][3], fields.srow[0][3]);
  }
  if (fields.qform_code > 0) {
    constexpr double kTurned = 1e-4;
    for (const double part : fields.quaternion)
      if (!(std::abs(part) < kTurned)) return std::nullopt;
    // pixdim[0] is the sign of the third axis.
    if (fields.pixdim[0] < 0) return std::nullopt;
    return Lengths(fields.qoffset[2], fields.qoffset[1], fields.qoffset[0]);
  }
  return std::nullopt;
}

}  // namespace

RawLayout parse_nifti_header(std::span<const std::byte> bytes, std::string_view where) {
  const auto not_nifti = [&] {
    return Error(ErrorKind::kCorruptData, fmt::format("{}: does not begin as a NIfTI file", where));
  };
  if (bytes.size() < static_cast<std::size_t>(kSize1)) throw not_nifti();
  RawLayout layout;
  const std::int32_t little_size = HeaderBytes(bytes, false).int32(0);
  layout.is_big_endian = little_size != kSize1 && little_size != kSize2;
  const HeaderBytes header(bytes, layout.is_big_endian);
  const std::int32_t size = header.int32(0);
  if (size != kSize1 && size != kSize2) throw not_nifti();
  if (bytes.size() < static_cast<std::size_t>(size)) throw not_nifti();
  const bool is_version_1 = size == kSize1;
  const std::string_view magic = header.text(is_version_1 ? 344 : 4, 4);
  if (magic == std::string_view("ni1\0", 4) || magic == std::string_view("ni2\0", 4)) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: NIfTI in two files (.hdr and .img), expected one (.nii)", where));
  }
  if (magic != std::string_view(is_version_1 ? "n+1\0" : "n+2\0", 4)) throw not_nifti();

  const Fields fields = is_version_1 ? fields_of_version_1(header) : fields_of_version_2(header);
  layout.info.format = "NIfTI";
  layout.info.shape = shape_of(fields, where);
  layout.info.type = type_of(fields.datatype, where);
  check_volume_shape(layout.info.shape, layout.info.type, where);
  // A slope of 0, or none, means that values are as they are stored.
  const bool is_scaled = std::isfinite(fields.slope) && fields.slope != 0 &&
                         (fields.slope != 1 || (std::isfinite(fields.intercept) && fields.intercept != 0));
  if (is_scaled) {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{}: its values are to be scaled (scl_slope {:g}, scl_inter {:g}); store them scaled",
                    where, fields.slope, fields.intercept));
  }
  constexpr double kLargestBegin = 1e15;
  if (!(fields.vox_offset >= size && fields.vox_offset < kLargestBegin)) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: its voxels begin at byte {:g}", where, fields.vox_offset));
  }
  layout.begin_bytes = static_cast<std::uint64_t>(fields.vox_offset);

  StatedGrid& stated = layout.info.stated;
  const Lengths voxel(std::abs(fields.pixdim[3]), std::abs(fields.pixdim[2]), std::abs(fields.pixdim[1]));
  if (voxel.z > 0 && voxel.y > 0 && voxel.x > 0 && std::isfinite(voxel.product())) stated.voxel_size = voxel;
  stated.nm_per_unit = nm_per_unit(fields.units);
  stated.offset = offset_of(fields);
  if (stated.offset && !(std::isfinite(stated.offset->z) && std::isfinite(stated.offset->y) &&
                         std::isfinite(stated.offset->x)))
    stated.offset.reset();
  stated.source = "pixdim of its header";
  return layout;
}

}  // namespace organon::storage
