// What a server answers as if it were S3.

#include "fuzz_input.h"
#include "organon/storage/stores/s3_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  organon::fuzz::allow_errors([&] {
    const organon::storage::S3Page page = organon::storage::parse_s3_page(body);
    for (const std::string& key : page.keys) ORGANON_CHECK(!key.empty());
  });
  // Never throws.
  organon::storage::parse_s3_error(body);
  return 0;
}
