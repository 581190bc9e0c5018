#include "organon/storage/stores/aws_signature.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "organon/base/check.h"
#include "organon/storage/stores/url.h"

namespace organon::storage {
namespace {

std::string digest(const EVP_MD* algorithm, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> buffer;
  unsigned size = 0;
  ORGANON_CHECK(EVP_Digest(bytes.data(), bytes.size(), buffer.data(), &size, algorithm, nullptr) == 1);
  return std::string(reinterpret_cast<const char*>(buffer.data()), size);
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> buffer;
  unsigned size = 0;
  ORGANON_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), buffer.data(),
                     &size) != nullptr);
  return std::string(reinterpret_cast<const char*>(buffer.data()), size);
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Without spaces around it, and with one where there were more.
std::string canonical_value(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c != ' ' || (!result.empty() && result.back() != ' ')) result += c;
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return text;
}

std::string sha256_hex(std::string_view text) { return to_hex(digest(EVP_sha256(), text)); }
std::string sha256_hex(std::span<const std::byte> bytes) { return sha256_hex(as_text(bytes)); }
std::string md5(std::string_view text) { return digest(EVP_md5(), text); }
std::string md5(std::span<const std::byte> bytes) { return md5(as_text(bytes)); }

std::string aws_query(std::vector<std::pair<std::string, std::string>> query) {
  for (auto& [name, value] : query) {
    name = percent_encode(name, Slash::kEncoded);
    value = percent_encode(value, Slash::kEncoded);
  }
  std::ranges::sort(query);
  std::string text;
  for (const auto& [name, value] : query) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

std::string aws_authorization(const AwsRequest& request, const AwsCredentials& credentials,
                              const AwsScope& scope) {
  auto headers = request.headers;
  std::ranges::sort(headers);
  std::string header_lines;
  std::string header_names;
  for (const auto& [name, value] : headers) {
    header_lines += name + ":" + canonical_value(value) + "\n";
    header_names += (header_names.empty() ? "" : ";") + name;
  }
  const std::string canonical_request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, aws_query(request.query),
                  header_lines, header_names, request.payload_sha256);

  const std::string day = scope.time.substr(0, 8);
  const std::string credential_scope = fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const std::string string_to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", scope.time, credential_scope,
                                                 sha256_hex(canonical_request));
  std::string key = "AWS4" + credentials.secret_access_key;
  for (const std::string& part : {day, scope.region, scope.service, std::string("aws4_request")})
    key = hmac_sha256(key, part);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                     credentials.access_key_id, credential_scope, header_names,
                     to_hex(hmac_sha256(key, string_to_sign)));
}

}  // namespace organon::storage
