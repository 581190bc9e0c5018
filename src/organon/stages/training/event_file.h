#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace organon::stages {

/// A point of the curve that is named `tag`; TensorBoard groups curves by what stands before the slash.
struct Scalar {
  std::string tag;  ///< UTF-8
  double value = 0;
};

/// What is known of one step.
struct ScalarEvent {
  std::int64_t step = 0;
  double unix_seconds = 0;
  std::vector<Scalar> scalars;
};

/// The bytes of an event file of TensorBoard: a record with the version of the format, then one per event.
/// Values become float32. The same events have the same bytes, and more events only add to them.
/// Source: [tensorflow2015events], for the framing of records and the numbers of the fields of Event and
/// Summary; [google2008protobuf], for how fields are encoded.
std::string encode_events(double began_unix_seconds, const std::vector<ScalarEvent>& events);

/// Makes the file `path`, or the one that is there, hold `bytes`. Missing folders are made.
///
/// In place: as far as the file agrees with `bytes` it is left alone, the rest is cut off and written anew.
/// The default reader of TensorBoard opens a file once and reads on from where it was, so that it never sees
/// what a rename puts in its place, and it takes any name with "tfevents" for a curve, also that of the
/// temporary file that atomic writing might leave behind. What a kill leaves is a whole number of records and
/// a part of one, for which readers wait; the next call completes it. Errors: kIo, kResourceExhausted.
void update_event_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace organon::stages
