#include "organon/storage/stores/http_store.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/stores/s3_answers.h"
#include "organon/storage/stores/url.h"

namespace organon::storage {
namespace {

bool means_absent(const HttpAnswer& answer) {
  return answer.status == 404 || answer.status == 410 ||
         (answer.status == 403 && parse_s3_error(answer.text()).code == "AccessDenied");
}

}  // namespace

HttpStore::HttpStore(std::string base_url, HttpOptions options)
    : base_url_(std::move(base_url)), options_(options) {
  while (base_url_.ends_with('/')) base_url_.pop_back();
  if (base_url_.find_first_of("?# \t\r\n") != std::string::npos) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: expected a URL without spaces, query and fragment", without_password(base_url_)));
  }
}

std::string HttpStore::describe(const std::string& key) const {
  return without_password(base_url_) + "/" + key;
}

std::string HttpStore::url(const std::string& key) const {
  return base_url_ + "/" + percent_encode(key, Slash::kKept);
}

std::optional<std::vector<std::byte>> HttpStore::get(const std::string& key, std::optional<ByteRange> range,
                                                     std::size_t max_bytes) const {
  HttpAnswer answer = send(
      [&] {
        HttpRequest request;
        request.url = url(key);
        request.range = range;
        request.max_answer_bytes = max_bytes;
        return request;
      },
      options_);
  if (means_absent(answer)) return std::nullopt;
  // Only the body of what is there may be taken for its bytes: 204 and the like have none.
  if (answer.status == 200 || (range && answer.status == 206)) return std::move(answer.body);
  if (range && answer.status == 416) return std::vector<std::byte>();
  throw Error(ErrorKind::kIo, fmt::format("GET {}: status {} (try {})", without_password(url(key)),
                                          answer.status, answer.num_tries));
}

std::optional<std::vector<std::byte>> HttpStore::read(const std::string& key, std::size_t max_bytes) const {
  return get(key, std::nullopt, max_bytes);
}

std::optional<std::vector<std::byte>> HttpStore::read_range(const std::string& key, std::uint64_t begin,
                                                            std::size_t num_bytes) const {
  // No header says "nothing".
  if (num_bytes == 0)
    return exists(key) ? std::optional<std::vector<std::byte>>(std::in_place) : std::nullopt;
  return get(key, ByteRange{begin, num_bytes}, kMaxReadBytes);
}

std::optional<std::vector<std::byte>> HttpStore::read_end(const std::string& key,
                                                          std::size_t num_bytes) const {
  if (num_bytes == 0)
    return exists(key) ? std::optional<std::vector<std::byte>>(std::in_place) : std::nullopt;
  return get(key, ByteRange{std::nullopt, num_bytes}, kMaxReadBytes);
}

bool HttpStore::exists(const std::string& key) const {
  const HttpAnswer answer = send(
      [&] {
        HttpRequest request;
        request.method = "HEAD";
        request.url = url(key);
        return request;
      },
      options_);
  if (answer.status == 200) return true;
  if (means_absent(answer)) return false;
  // Servers that do not know HEAD, and answers whose reason stands in the body, which HEAD leaves out.
  return get(key, ByteRange{0, 1}, kMaxReadBytes).has_value();
}

std::vector<std::string> HttpStore::list(const std::string& folder) const {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: web servers do not list folders", describe(folder)));
}

void HttpStore::write(const std::string& key, std::span<const std::byte>, Fsync,
                      const std::function<void()>&) {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: web servers are read only", describe(key)));
}

bool HttpStore::remove(const std::string& key) {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: web servers are read only", describe(key)));
}

}  // namespace organon::storage
