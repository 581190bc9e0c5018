#include "organon/storage/stores/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/storage/stores/url.h"

namespace organon::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxErrorBytes = std::size_t{1} << 16;
constexpr std::size_t kMaxHeaders = 1000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// libcurl keeps a connection open in the handle that made it, so each thread has one.
CURL* handle_of_this_thread() {
  struct Handle {
    CURL* curl = nullptr;
    ::pid_t process = 0;
    ~Handle() {
      if (curl != nullptr && process == ::getpid()) curl_easy_cleanup(curl);
    }
  };
  static const bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  ORGANON_CHECK(is_ready);
  thread_local Handle handle;
  // The child of a fork must not speak on its parent's connections.
  if (handle.curl == nullptr || handle.process != ::getpid()) {
    handle.curl = curl_easy_init();
    handle.process = ::getpid();
    ORGANON_CHECK(handle.curl != nullptr);
  }
  curl_easy_reset(handle.curl);
  return handle.curl;
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> size;
};

// "bytes 0-9/100", "bytes 0-9/*".
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t minus = text.find('-');
  const std::size_t slash = text.find('/');
  if (minus == std::string_view::npos || slash == std::string_view::npos || minus > slash)
    return std::nullopt;
  const auto first = parse_number(text.substr(0, minus));
  const auto last = parse_number(text.substr(minus + 1, slash - minus - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return ContentRange{*first, *last, parse_number(text.substr(slash + 1))};
}

// One try at one request.
class Transfer {
 public:
  Transfer(const HttpRequest& request, const HttpOptions& options)
      : request_(request), options_(options), curl_(handle_of_this_thread()) {}
  ~Transfer() { curl_slist_free_all(header_list_); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Nothing where it failed in a way that may pass; `failure()` then says how.
  std::optional<HttpAnswer> run();
  const std::string& failure() const { return failure_; }
  // What the server asked for with Retry-After.
  double pause_seconds() const { return pause_seconds_; }

 private:
  std::string what() const { return request_.method + " " + without_password(request_.url); }
  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(curl_, option, value);
    if (code != CURLE_OK)
      throw Error(ErrorKind::kInternal, fmt::format("{}: option {}: {}", what(), static_cast<int>(option),
                                                    curl_easy_strerror(code)));
  }
  void set_options();
  void set_certificates();
  void add_header(const std::string& line);
  void take_header(std::string_view line);
  // False: no more is wanted.
  bool take_body(std::span<const std::byte> bytes);
  void begin_body();
  std::optional<HttpAnswer> finish();
  std::optional<HttpAnswer> fail(std::string reason) {
    failure_ = std::move(reason);
    return std::nullopt;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    static_cast<Transfer*>(self)->take_header({data, size});
    return size;
  }
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    const bool goes_on =
        static_cast<Transfer*>(self)->take_body(std::as_bytes(std::span<const char>(data, size)));
    return goes_on ? size : 0;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->options_.is_cancellable && is_cancelled() ? 1 : 0;
  }

  const HttpRequest& request_;
  const HttpOptions& options_;
  CURL* curl_;
  curl_slist* header_list_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> reason_ = {};
  std::string failure_;
  double pause_seconds_ = 0;

  HttpAnswer answer_;
  bool is_head_whole_ = false;
  bool has_body_begun_ = false;
  std::uint64_t num_skipped_bytes_ = 0;  // of a whole value that was sent where a part was asked for
  std::size_t max_bytes_ = 0;
  bool is_part_of_whole_ = false;
  bool is_cut_ = false;  // the wanted bytes are there, and more came
  bool is_too_big_ = false;
};

void Transfer::add_header(const std::string& line) {
  header_list_ = curl_slist_append(header_list_, line.c_str());
}

// libcurl itself reads the proxies from the environment, but not the certificates.
void Transfer::set_certificates() {
  for (const char* name : {"CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* const file = std::getenv(name);
    if (file != nullptr && *file != '\0') {
      set(CURLOPT_CAINFO, file);
      return;
    }
  }
}

void Transfer::set_options() {
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "organon/" ORGANON_VERSION);
  set(CURLOPT_ERRORBUFFER, reason_.data());
  set(CURLOPT_CONNECTTIMEOUT_MS, std::lround(options_.connect_timeout_seconds * 1000));
  set(CURLOPT_LOW_SPEED_LIMIT, options_.low_speed_bytes_per_second);
  set(CURLOPT_LOW_SPEED_TIME,
      static_cast<long>(std::ceil(std::max(options_.low_speed_seconds, request_.min_low_speed_seconds))));
  set_certificates();

  if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request_.method != "GET") {
    if (request_.method == "PUT" || request_.method == "POST") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      set(CURLOPT_POSTFIELDS,
          request_.body.empty() ? "" : reinterpret_cast<const char*>(request_.body.data()));
      add_header("Content-Type: application/octet-stream");
      // The answer to "Expect: 100-continue" is not worth a round trip.
      add_header("Expect:");
    }
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  // A signed request would be wrong elsewhere.
  if (request_.headers.empty() && (request_.method == "GET" || request_.method == "HEAD")) {
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 5L);
    set(CURLOPT_REDIR_PROTOCOLS_STR, request_.url.starts_with("https:") ? "https" : "http,https");
  }
  for (const auto& [name, value] : request_.headers) add_header(name + ": " + value);
  if (request_.range) {
    const ByteRange& range = *request_.range;
    ORGANON_CHECK(range.num_bytes > 0);
    const auto last = [&] {
      const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
      return *range.begin + std::min<std::uint64_t>(range.num_bytes - 1, most - std::min(most, *range.begin));
    };
    const std::string text =
        range.begin ? fmt::format("{}-{}", *range.begin, last()) : fmt::format("-{}", range.num_bytes);
    set(CURLOPT_RANGE, text.c_str());
    add_header("Accept-Encoding: identity");
  } else if (request_.method == "GET") {
    // Some buckets hold chunks compressed once more, and servers send them so whatever is asked for.
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
  }
  set(CURLOPT_HTTPHEADER, header_list_);

  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  set(CURLOPT_XFERINFODATA, this);
}

void Transfer::take_header(std::string_view line) {
  // Each redirection, and "100 Continue", begins anew.
  if (line.starts_with("HTTP/")) answer_.headers.clear();
  is_head_whole_ = trimmed(line).empty();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || answer_.headers.size() >= kMaxHeaders) return;
  answer_.headers.emplace_back(lower_case(std::string(line.substr(0, colon))),
                               trimmed(line.substr(colon + 1)));
}

void Transfer::begin_body() {
  has_body_begun_ = true;
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  answer_.status = static_cast<int>(status);
  if (!answer_.is_success()) {
    max_bytes_ = kMaxErrorBytes;
    return;
  }
  max_bytes_ = request_.max_answer_bytes;
  const std::optional<std::uint64_t> size = parse_number(answer_.header("content-length"));
  if (request_.range && answer_.status == 200) {
    // The whole value. Its end is known where its size is; else all is kept until the end has come.
    const ByteRange& range = *request_.range;
    if (range.begin) num_skipped_bytes_ = *range.begin;
    if (!range.begin && size && *size > range.num_bytes) num_skipped_bytes_ = *size - range.num_bytes;
    is_part_of_whole_ = range.begin || size;
    if (is_part_of_whole_) max_bytes_ = range.num_bytes;
  } else if (request_.range) {
    max_bytes_ = request_.range->num_bytes;
  } else if (size && *size <= max_bytes_ && answer_.header("content-encoding").empty()) {
    answer_.body.reserve(*size);
  }
}

bool Transfer::take_body(std::span<const std::byte> bytes) {
  if (!has_body_begun_) begin_body();
  const std::size_t skipped = std::min<std::uint64_t>(num_skipped_bytes_, bytes.size());
  num_skipped_bytes_ -= skipped;
  bytes = bytes.subspan(skipped);
  const std::size_t taken = std::min(bytes.size(), max_bytes_ - answer_.body.size());
  answer_.body.insert(answer_.body.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  if (taken == bytes.size()) return true;
  (is_part_of_whole_ || !answer_.is_success() ? is_cut_ : is_too_big_) = true;
  return false;
}

std::optional<HttpAnswer> Transfer::run() {
  set_options();
  const CURLcode code = curl_easy_perform(curl_);
  curl_off_t asked_pause_seconds = 0;
  curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &asked_pause_seconds);
  pause_seconds_ = static_cast<double>(asked_pause_seconds);
  if (is_too_big_) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: more than the {} bytes that are read at most", what(), max_bytes_));
  }
  if (code == CURLE_OK || is_cut_) return finish();
  const std::string reason = reason_[0] != '\0' ? reason_.data() : curl_easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      throw_if_cancelled();
      return fail(reason);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
      return fail(reason);
    default:
      throw Error(ErrorKind::kIo, fmt::format("{}: {}", what(), reason));
  }
}

std::optional<HttpAnswer> Transfer::finish() {
  // libcurl is content with "HTTP/1.1 200 OK" and a closed connection.
  if (!is_head_whole_) return fail("the answer ends amid its headers");
  if (!has_body_begun_) begin_body();
  if (request_.method == "GET" && answer_.is_success() && answer_.header("content-length").empty() &&
      answer_.header("transfer-encoding").empty()) {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{}: the answer announces no length: its end could be that of the connection", what()));
  }
  const std::string encoding = answer_.header("content-encoding");
  if (!request_.range || !answer_.is_success()) return std::move(answer_);
  const ByteRange& range = *request_.range;
  if (!encoding.empty() && encoding != "identity") {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{}: part of a value that the server keeps with Content-Encoding {}", what(), encoding));
  }
  std::vector<std::byte>& body = answer_.body;
  if (answer_.status == 200 && !answer_.header("content-range").empty())
    throw Error(ErrorKind::kIo, fmt::format("{}: status 200 with a Content-Range: whole or part?", what()));
  if (answer_.status == 206) {
    const auto sent = parse_content_range(answer_.header("content-range"));
    const bool is_wanted =
        sent && sent->last - sent->first < range.num_bytes &&
        (range.begin ? sent->first == *range.begin : sent->size && sent->last + 1 == *sent->size);
    if (!is_wanted) {
      throw Error(ErrorKind::kIo, fmt::format("{}: asked for a part, the answer has Content-Range '{}'",
                                              what(), answer_.header("content-range")));
    }
    // A part may be shorter than asked for only where the value ends.
    const std::uint64_t length = sent->last - sent->first + 1;
    if (body.size() != length)
      return fail(fmt::format("{} bytes where {} were announced", body.size(), length));
    const bool is_at_end = sent->size && (range.begin ? sent->last + 1 == *sent->size : sent->first == 0);
    if (length < range.num_bytes && !is_at_end)
      return fail(fmt::format("only {} of {} bytes", length, range.num_bytes));
  } else if (answer_.status == 200 && body.size() > range.num_bytes) {
    // The end of a value whose size was not announced.
    body.erase(body.begin(), body.end() - static_cast<std::ptrdiff_t>(range.num_bytes));
  }
  return std::move(answer_);
}

void pause(double seconds, bool is_cancellable) {
  const Clock::time_point begin = Clock::now();
  while (true) {
    if (is_cancellable) throw_if_cancelled();
    const double left = seconds - seconds_since(begin);
    if (left <= 0) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.05)));
  }
}

// Threads and processes must not try again in step.
Random random_of_this_call() {
  return Random(
      static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()),
      std::hash<std::thread::id>{}(std::this_thread::get_id()) ^ static_cast<std::uint64_t>(::getpid()));
}

}  // namespace

std::string HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

bool is_transient_status(const HttpAnswer& answer) {
  constexpr int kTransient[] = {429, 500, 502, 503, 504};
  return std::ranges::find(kTransient, answer.status) != std::end(kTransient);
}

HttpAnswer send(const std::function<HttpRequest()>& make_request, const HttpOptions& options,
                const std::function<bool(const HttpAnswer&)>& is_transient) {
  const Clock::time_point begin = Clock::now();
  Random random = random_of_this_call();
  for (int num_tries = 1;; ++num_tries) {
    if (options.is_cancellable) throw_if_cancelled();
    const HttpRequest request = make_request();
    Transfer transfer(request, options);
    std::optional<HttpAnswer> answer = transfer.run();
    if (answer) answer->num_tries = num_tries;
    if (answer && !is_transient(*answer)) return *std::move(answer);
    const double longest =
        std::min(options.max_pause_seconds, options.first_pause_seconds * std::exp2(num_tries - 1));
    const double pause_seconds = std::max(random.uniform(0, longest), transfer.pause_seconds());
    if (num_tries >= options.max_tries || seconds_since(begin) + pause_seconds > options.max_total_seconds) {
      if (answer) return *std::move(answer);
      throw Error(ErrorKind::kIo, fmt::format("{} {}: {} ({} tries in {:.1f} s)", request.method,
                                              without_password(request.url), transfer.failure(), num_tries,
                                              seconds_since(begin)));
    }
    pause(pause_seconds, options.is_cancellable);
  }
}

}  // namespace organon::storage
