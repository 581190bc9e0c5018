#include "organon/storage/stores/s3_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <exception>
#include <thread>

#include "organon/base/error.h"
#include "organon/storage/stores/aws_signature.h"
#include "organon/storage/stores/s3_answers.h"
#include "organon/storage/stores/url.h"
#include "organon/storage/stores/xml.h"

namespace organon::storage {
namespace {

constexpr std::size_t kMaxParts = 10'000;
constexpr std::size_t kMaxXmlBytes = std::size_t{8} << 20;
// S3 may put the parts of a large value together for minutes.
constexpr double kCompletionSeconds = 600;

bool consists_of(std::string_view text, std::string_view punctuation) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           punctuation.find(c) != std::string_view::npos;
  });
}

bool is_region(std::string_view text) { return !text.empty() && text.size() < 64 && consists_of(text, "-"); }

std::string now_for_aws() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  char text[17];
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::string escape_xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// Some servers answer 200 and say only then, in the body, that it came to nothing.
bool is_completed(const HttpAnswer& answer) {
  try {
    return answer.status == 200 && parse_xml(answer.text()).name == "CompleteMultipartUploadResult";
  } catch (const Error&) {
    return false;
  }
}

bool is_transient(const HttpAnswer& answer) {
  if (is_transient_status(answer)) return true;
  if (answer.is_success()) return false;
  // The server's wait for our bytes, with status 400.
  return parse_s3_error(answer.text()).code == "RequestTimeout";
}

bool is_completion_transient(const HttpAnswer& answer) {
  return is_transient(answer) || (answer.status == 200 && !is_completed(answer));
}

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

struct Endpoint {
  std::string origin;  // "https://host:port"
  std::string host;    // with its port where that is not the usual one
  std::string path;    // before the key, percent-encoded, without a slash at the end
};

// Of "http://host:9000/folder/".
Endpoint parse_endpoint(const std::string& url) {
  const bool is_secure = url.starts_with("https://");
  const std::size_t begin = is_secure ? 8 : 7;
  if ((!is_secure && !url.starts_with("http://")) || url.size() == begin ||
      url.find_first_of("?#@ \t\r\n") != std::string::npos) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("S3 endpoint '{}': expected http:// or https://, host and port", without_password(url)));
  }
  Endpoint endpoint;
  const std::size_t path_begin = std::min(url.find('/', begin), url.size());
  endpoint.host = url.substr(begin, path_begin - begin);
  endpoint.path = url.substr(path_begin);
  while (endpoint.path.ends_with('/')) endpoint.path.pop_back();
  // libcurl leaves the usual port out of the Host header, which is signed.
  const std::string_view usual_port = is_secure ? ":443" : ":80";
  if (endpoint.host.ends_with(usual_port)) endpoint.host.resize(endpoint.host.size() - usual_port.size());
  endpoint.origin = url.substr(0, begin) + endpoint.host;
  return endpoint;
}

Endpoint endpoint_of(const std::string& bucket, const std::string& custom_url, const std::string& region) {
  if (!custom_url.empty()) {
    Endpoint endpoint = parse_endpoint(custom_url);
    endpoint.path += "/" + bucket;
    return endpoint;
  }
  const std::string host =
      fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
  // Amazon's certificates cover one name before that.
  if (bucket.find_first_of("._") != std::string::npos)
    return parse_endpoint("https://" + host + "/" + bucket);
  return parse_endpoint("https://" + bucket + "." + host);
}

}  // namespace

struct S3Store::Call {
  std::string method;
  std::string key = {};
  std::vector<std::pair<std::string, std::string>> query = {};
  std::span<const std::byte> body = {};
  std::optional<ByteRange> range = {};
  std::size_t max_answer_bytes = kMaxXmlBytes;
  std::function<void()> before_try = {};
  double min_low_speed_seconds = 0;
  bool (*is_transient)(const HttpAnswer&) = storage::is_transient;
  bool is_clean_up = false;
  std::string payload_sha256 = {};
  std::string payload_md5 = {};
};

S3Store::S3Store(std::string bucket, S3Options options)
    : bucket_(std::move(bucket)), options_(std::move(options)), region_(options_.aws.region) {
  if (bucket_.size() < 3 || bucket_.size() > 255 || bucket_.starts_with('.') ||
      !consists_of(bucket_, ".-_")) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("s3://{}: expected a bucket of letters, digits and .-_ (at least 3)", bucket_));
  }
  if (!is_region(region_))
    throw Error(ErrorKind::kInvalidArgument, fmt::format("s3://{}: '{}' is no region", bucket_, region_));
  endpoint_of(bucket_, options_.aws.endpoint_url, region_);
}

std::string S3Store::describe(const std::string& key) const { return "s3://" + bucket_ + "/" + key; }

HttpRequest S3Store::make_request(const Call& call, const std::string& region) const {
  const Endpoint endpoint = endpoint_of(bucket_, options_.aws.endpoint_url, region);
  const std::string path = endpoint.path + "/" + percent_encode(call.key, Slash::kKept);
  const std::string query = aws_query(call.query);
  HttpRequest request;
  request.method = call.method;
  request.url = endpoint.origin + path + (query.empty() ? "" : "?") + query;
  request.body = call.body;
  request.range = call.range;
  request.max_answer_bytes = call.max_answer_bytes;
  request.min_low_speed_seconds = call.min_low_speed_seconds;
  if (!call.payload_md5.empty()) request.headers.emplace_back("content-md5", to_base64(call.payload_md5));
  // Sent even without a signature: so that damage is noticed.
  request.headers.emplace_back("x-amz-content-sha256", call.payload_sha256);
  if (!options_.aws.credentials) return request;

  const AwsCredentials& credentials = *options_.aws.credentials;
  const std::string time = now_for_aws();
  request.headers.emplace_back("x-amz-date", time);
  if (!credentials.session_token.empty())
    request.headers.emplace_back("x-amz-security-token", credentials.session_token);
  AwsRequest to_sign = {call.method, path, call.query, request.headers, call.payload_sha256};
  to_sign.headers.emplace_back("host", endpoint.host);
  request.headers.emplace_back("authorization",
                               aws_authorization(to_sign, credentials, {.time = time, .region = region}));
  return request;
}

HttpAnswer S3Store::send_call(const Call& call) const {
  Call full = call;
  full.payload_sha256 = sha256_hex(call.body);
  if (call.method == "PUT" || call.method == "POST") full.payload_md5 = md5(call.body);
  HttpOptions http = options_.http;
  if (call.is_clean_up) {
    http.is_cancellable = false;
    http.max_tries = std::min(http.max_tries, 2);
  }
  for (bool is_mended = false;; is_mended = true) {
    std::string region;
    {
      const std::lock_guard lock(region_mutex_);
      region = region_;
    }
    HttpAnswer answer = send(
        [&] {
          if (call.before_try) call.before_try();
          return make_request(full, region);
        },
        http, call.is_transient);
    if (is_mended || (answer.status != 301 && answer.status != 307 && answer.status != 400)) return answer;
    std::string named = answer.header("x-amz-bucket-region");
    if (named.empty()) named = parse_s3_error(answer.text()).region;
    if (!is_region(named) || named == region) return answer;
    const std::lock_guard lock(region_mutex_);
    region_ = named;
  }
}

void S3Store::fail(const Call& call, const HttpAnswer& answer) const {
  const S3Error error = parse_s3_error(answer.text());
  const std::string tries = answer.num_tries > 1 ? fmt::format(" ({} tries)", answer.num_tries) : "";
  const std::string where =
      fmt::format("{} {} at {}", call.method, describe(call.key),
                  endpoint_of(bucket_, options_.aws.endpoint_url, options_.aws.region).origin);
  ErrorKind kind = ErrorKind::kIo;
  if (error.code == "NoSuchBucket") kind = ErrorKind::kNotFound;
  if (answer.status == 507 || error.code == "QuotaExceeded" || error.code == "EntityTooLarge")
    kind = ErrorKind::kResourceExhausted;
  throw Error(kind, error.code.empty() ? fmt::format("{}: status {}{}", where, answer.status, tries)
                                       : fmt::format("{}: status {}, {}: {}{}", where, answer.status,
                                                     error.code, error.message, tries));
}

// A status alone does not say what is missing: the key, the bucket, or the right to ask.
bool S3Store::means_absent(const HttpAnswer& answer) const {
  const std::string code = parse_s3_error(answer.text()).code;
  if (answer.status == 403) return !options_.aws.credentials && code == "AccessDenied";
  return (answer.status == 404 || answer.status == 410) && (code == "NoSuchKey" || code.empty());
}

std::optional<std::vector<std::byte>> S3Store::get(const std::string& key, std::optional<ByteRange> range,
                                                   std::size_t max_bytes) const {
  if (key.empty()) return std::nullopt;  // that would be the bucket
  const Call call = {.method = "GET", .key = key, .range = range, .max_answer_bytes = max_bytes};
  HttpAnswer answer = send_call(call);
  if (means_absent(answer)) return std::nullopt;
  if (answer.status == 200 || (range && answer.status == 206)) return std::move(answer.body);
  if (range && answer.status == 416) return std::vector<std::byte>();
  fail(call, answer);
}

std::optional<std::vector<std::byte>> S3Store::read(const std::string& key, std::size_t max_bytes) const {
  return get(key, std::nullopt, max_bytes);
}

std::optional<std::vector<std::byte>> S3Store::read_range(const std::string& key, std::uint64_t begin,
                                                          std::size_t num_bytes) const {
  // No header says "nothing".
  if (num_bytes == 0)
    return exists(key) ? std::optional<std::vector<std::byte>>(std::in_place) : std::nullopt;
  return get(key, ByteRange{begin, num_bytes}, kMaxReadBytes);
}

std::optional<std::vector<std::byte>> S3Store::read_end(const std::string& key, std::size_t num_bytes) const {
  if (num_bytes == 0)
    return exists(key) ? std::optional<std::vector<std::byte>>(std::in_place) : std::nullopt;
  return get(key, ByteRange{std::nullopt, num_bytes}, kMaxReadBytes);
}

// Not by HEAD, whose answers say no reasons.
bool S3Store::exists(const std::string& key) const {
  return get(key, ByteRange{0, 1}, kMaxReadBytes).has_value();
}

std::vector<std::string> S3Store::list(const std::string& folder) const {
  const std::string prefix = folder.empty() || folder.ends_with('/') ? folder : folder + "/";
  std::vector<std::string> names;
  const auto add = [&](const std::string& key) {
    if (!key.starts_with(prefix)) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: the list has '{}', which does not lie there", describe(folder), key));
    }
    // Some programs mark a folder by an empty value under its own name.
    if (key.size() > prefix.size()) names.push_back(key.substr(prefix.size()));
  };
  Call call = {.method = "GET"};
  std::string token;
  while (true) {
    call.query = {{"delimiter", "/"}, {"list-type", "2"}, {"prefix", prefix}};
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    const HttpAnswer answer = send_call(call);
    if (answer.status != 200) fail(call, answer);
    S3Page page;
    try {
      page = parse_s3_page(answer.text());
    } catch (const Error& error) {
      throw error.within(describe(folder));
    }
    std::ranges::for_each(page.keys, add);
    std::ranges::for_each(page.folders, add);
    if (page.next_token.empty()) break;
    if (page.next_token == token)
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: the list does not go on", describe(folder)));
    token = page.next_token;
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void S3Store::write(const std::string& key, std::span<const std::byte> bytes, Fsync,
                    const std::function<void()>& before_commit) {
  if (key.empty()) throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: expected a key", describe(key)));
  if (bytes.size() > options_.max_single_bytes) return write_in_parts(key, bytes, before_commit);
  const Call call = {.method = "PUT", .key = key, .body = bytes, .before_try = before_commit};
  const HttpAnswer answer = send_call(call);
  if (answer.status != 200) fail(call, answer);
}

void S3Store::write_in_parts(const std::string& key, std::span<const std::byte> bytes,
                             const std::function<void()>& before_commit) {
  const Call begin = {.method = "POST", .key = key, .query = {{"uploads", ""}}};
  const HttpAnswer begun = send_call(begin);
  if (begun.status != 200) fail(begin, begun);
  std::string upload_id;
  try {
    upload_id = parse_xml(begun.text()).child_text("UploadId");
  } catch (const Error& error) {
    throw error.within(describe(key));
  }
  if (upload_id.empty())
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: the server gave the upload no name", describe(key)));

  const std::size_t part_bytes = std::max(options_.part_bytes, (bytes.size() + kMaxParts - 1) / kMaxParts);
  const std::size_t num_parts = (bytes.size() + part_bytes - 1) / part_bytes;
  std::vector<std::string> tags(num_parts);
  std::vector<std::string> sums(num_parts);
  std::atomic<std::size_t> next_part{0};
  std::mutex failure_mutex;
  std::exception_ptr failure;
  const auto send_parts = [&] {
    for (std::size_t i; (i = next_part++) < num_parts;) {
      try {
        const auto rest = bytes.subspan(i * part_bytes);
        const Call call = {
            .method = "PUT",
            .key = key,
            .query = {{"partNumber", std::to_string(i + 1)}, {"uploadId", upload_id}},
            .body = rest.first(std::min(part_bytes, rest.size())),
        };
        const HttpAnswer answer = send_call(call);
        tags[i] = answer.header("etag");
        if (answer.status != 200 || tags[i].empty()) fail(call, answer);
        sums[i] = md5(call.body);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
        next_part = num_parts;
      }
    }
  };
  try {
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 1; i < std::min<std::size_t>(num_parts, options_.num_parallel_parts); ++i)
        threads.emplace_back(send_parts);
      send_parts();
    }
    if (failure) std::rethrow_exception(failure);

    std::string order = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < num_parts; ++i) {
      order +=
          fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, escape_xml(tags[i]));
    }
    order += "</CompleteMultipartUpload>";
    const Call call = {
        .method = "POST",
        .key = key,
        .query = {{"uploadId", upload_id}},
        .body = std::as_bytes(std::span(order)),
        .before_try = before_commit,
        .min_low_speed_seconds = kCompletionSeconds,
        .is_transient = is_completion_transient,
    };
    const HttpAnswer answer = send_call(call);
    if (is_completed(answer)) return;
    // The answer to an earlier try was lost, and the upload is gone since it was completed. The tag of a
    // value in parts tells whether it is ours.
    if (parse_s3_error(answer.text()).code == "NoSuchUpload" && answer.num_tries > 1) {
      std::string all_sums;
      for (const std::string& sum : sums) all_sums += sum;
      const std::string tag = fmt::format("{}-{}", to_hex(md5(all_sums)), num_parts);
      const HttpAnswer there = send_call({.method = "HEAD", .key = key});
      if (there.status == 200 && without_quotes(there.header("etag")) == tag) return;
    }
    fail(call, answer);
  } catch (...) {
    try {
      send_call({.method = "DELETE", .key = key, .query = {{"uploadId", upload_id}}, .is_clean_up = true});
    } catch (const Error&) {
      // What made us stop matters more.
    }
    throw;
  }
}

bool S3Store::remove(const std::string& key) {
  // DELETE answers alike whether or not there was one.
  if (!exists(key)) return false;
  const Call call = {.method = "DELETE", .key = key};
  const HttpAnswer answer = send_call(call);
  if (answer.status == 404) return false;
  if (!answer.is_success()) fail(call, answer);
  return true;
}

}  // namespace organon::storage
