#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace organon::storage {

/// Whether a number missing between others is an error. kAccept joins the neighbours of the gap, which
/// shortens the volume along z: only for stacks whose slices were left out on purpose.
enum class SliceGaps { kRefuse, kAccept };

/// Order in which people number files: runs of digits compare as numbers ("img2" before "img10"), the rest
/// byte by byte; equal numbers with more leading zeros come later. A strict total order of different names.
bool natural_less(std::string_view a, std::string_view b);

/// The slices of a stack, in z order: all files of `folder` that end in .png, .tif or .tiff (in any case),
/// hidden files left out, in natural order.
///
/// Where the names differ in a running number, it must run without gaps, in steps of the greatest common
/// divisor of all its steps: of `train_040` and `train_042` with `train_043`, `train_041` is missing. Other
/// numbers in the names (dates, stage positions) may differ as they like. Errors: kNotFound for a missing
/// folder, one without slices, or a missing slice, naming it; kInvalidArgument for two files of one number,
/// for PNG beside TIFF, for a file that is not named like the others, and for names without a running number.
std::vector<std::filesystem::path> list_slices(const std::filesystem::path& folder,
                                               SliceGaps gaps = SliceGaps::kRefuse);

/// The checks of list_slices on names (without folder) in any order; returns them in order. `where` is for
/// messages.
std::vector<std::string> order_slice_names(std::vector<std::string> names, SliceGaps gaps,
                                           std::string_view where);

}  // namespace organon::storage
