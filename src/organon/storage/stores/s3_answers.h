#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace organon::storage {

/// What S3 says of a failure. Empty where the body is no such thing.
struct S3Error {
  std::string code;  ///< such as "NoSuchKey"
  std::string message;
  std::string region;  ///< of the bucket, where another was asked
};
S3Error parse_s3_error(std::string_view body);

/// One page of ListObjectsV2 with a delimiter.
struct S3Page {
  std::vector<std::string> keys;
  std::vector<std::string> folders;  ///< prefixes that keys have in common, with their `/`
  std::string next_token;            ///< empty on the last page
};
/// Errors: kCorruptData.
S3Page parse_s3_page(std::string_view body);

}  // namespace organon::storage
