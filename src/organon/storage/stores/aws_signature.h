#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace organon::storage {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< empty for lasting ones
};

/// What a signature covers. Values are as meant, but for `path`, which is percent-encoded as it is sent.
struct AwsRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
  /// All that are signed; `host` and every `x-amz-` must be among them. Names in lower case.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload_sha256;  ///< hexadecimal
};

/// When and for what a signature is good.
struct AwsScope {
  std::string time;  ///< "20130524T000000Z", UTC
  std::string region;
  std::string service = "s3";
};

/// The value of the Authorization header: Signature Version 4 as S3 wants it (the path encoded once, not
/// normalized). Source: [aws2024signature].
std::string aws_authorization(const AwsRequest& request, const AwsCredentials& credentials,
                              const AwsScope& scope);

/// "a=1&b=%20": encoded, sorted; a signed query is sent like this.
std::string aws_query(std::vector<std::pair<std::string, std::string>> query);

std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// 16 bytes.
std::string md5(std::span<const std::byte> bytes);
std::string md5(std::string_view text);
std::string to_base64(std::string_view bytes);
std::string to_hex(std::string_view bytes);

}  // namespace organon::storage
