#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "organon/storage/volumes/raw_volume.h"

namespace organon::storage {

inline constexpr std::size_t kMrcHeaderBytes = 1024;

/// The header of an MRC file (MRC2014, CCP4, IMOD), in either byte order. Modes 0 (int8, or uint8 where
/// IMOD's flag says so, or an older file's largest value shows it), 1 (int16), 2 (float32), 6 (uint16).
/// Lengths are in Angstrom: the voxel size is the cell over its sampling, unless that is the 1 A that
/// programs write which know none; the offset is the origin, by IMOD's sign flag. Errors: kCorruptData;
/// kUnsupported naming another mode, another order of axes, a stack of volumes. Source: [cheng2015mrc],
/// IMOD's mrc_format.txt.
RawLayout parse_mrc_header(std::span<const std::byte> bytes, std::string_view where);

}  // namespace organon::storage
