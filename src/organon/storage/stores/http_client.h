#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace organon::storage {

/// Names in lower case.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// `num_bytes` (more than 0) from `begin` on, or the last `num_bytes`.
struct ByteRange {
  std::optional<std::uint64_t> begin;
  std::size_t num_bytes = 0;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< percent-encoded
  HttpHeaders headers;
  std::span<const std::byte> body;
  std::optional<ByteRange> range;
  std::size_t max_answer_bytes = std::size_t{1} << 32;
  /// Longer than HttpOptions::low_speed_seconds where the server is known to think for long.
  double min_low_speed_seconds = 0;
};

struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;
  /// Of a range: these bytes only, whether or not the server knows ranges. Empty with status 416 (nothing
  /// there).
  std::vector<std::byte> body;
  int num_tries = 1;

  bool is_success() const { return status >= 200 && status < 300; }
  /// Empty where there is none.
  std::string header(std::string_view name) const;
  std::string_view text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
};

/// How long to try.
struct HttpOptions {
  int max_tries = 8;
  /// No try begins later than this after the first.
  double max_total_seconds = 180;
  double connect_timeout_seconds = 15;
  /// A transfer that stays below `low_speed_bytes_per_second` for so long has failed.
  double low_speed_seconds = 30;
  long low_speed_bytes_per_second = 1024;
  /// The n-th pause is uniform between 0 and first_pause * 2^n, at most max_pause; longer where the server
  /// says so (Retry-After).
  double first_pause_seconds = 0.2;
  double max_pause_seconds = 20;
  /// Whether Ctrl-C ends the request; not for clearing up after one.
  bool is_cancellable = true;
};

/// 429, 500, 502, 503, 504: worth another try.
bool is_transient_status(const HttpAnswer& answer);

/// Sends what `make_request` returns, anew for each try, until there is an answer that is not transient: over
/// HTTP/1.1 with one connection per thread and server that is kept open, certificates checked, proxies and
/// certificates as the environment says (http_proxy, https_proxy, no_proxy; CURL_CA_BUNDLE, AWS_CA_BUNDLE,
/// SSL_CERT_FILE). Refused and broken connections, time-outs and answers that end too early are tried again.
/// The last answer is returned when tries or time are used up. A 3xx with a Location is followed where
/// the request is a GET or HEAD without headers of its own. Errors: kIo where there was no whole answer, with
/// the reason; kCorruptData above `max_answer_bytes`; kUnsupported for ranges of what the server keeps
/// compressed, and for answers whose end cannot be told from a broken connection; kCancelled. Source: pauses
/// as "full jitter" in [brooker2015backoff].
HttpAnswer send(const std::function<HttpRequest()>& make_request, const HttpOptions& options,
                const std::function<bool(const HttpAnswer&)>& is_transient = is_transient_status);

}  // namespace organon::storage
