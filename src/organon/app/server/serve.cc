#include "organon/app/server/serve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <libdeflate.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "organon/app/server/byte_range.h"
#include "organon/app/server/content_type.h"
#include "organon/app/server/request_path.h"
#include "organon/base/error.h"

namespace organon::server {
namespace {

constexpr int kNumThreads = 32;       // a browser holds up to six connections
constexpr int kNumPortsTried = 20;    // 8080 .. 8099
constexpr int kKeepAliveSeconds = 1;  // an idle connection delays the stop by this much
constexpr int kMaxRequestsPerConnection = 100000;
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
constexpr std::int64_t kMinGzipBytes = 512;
constexpr std::int64_t kMaxGzipBytes = std::int64_t{64} << 20;
constexpr std::int64_t kSampleBytes = std::int64_t{16} << 10;
// Labels shrink 20-fold and more already; higher levels cost more time than a line to the same room saves.
constexpr int kGzipLevel = 1;

/// An open regular file; closed when the last response that reads it is gone.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// Fills `bytes` from `begin` on; false where the file ends before.
  bool read(std::int64_t begin, char* bytes, std::size_t num_bytes) const {
    while (num_bytes > 0) {
      const ssize_t done = ::pread(descriptor_, bytes, num_bytes, begin);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      bytes += done;
      begin += done;
      num_bytes -= static_cast<std::size_t>(done);
    }
    return true;
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

struct FileToServe {
  std::shared_ptr<OpenFile> file;
  std::int64_t size_bytes = 0;
  std::string etag;  // with its quotes
  std::string last_modified;
  ContentType type;
};

std::string http_date(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

/// Nothing where the path names no regular file that can be read.
std::optional<FileToServe> open_file(const std::filesystem::path& real) {
  // The path is real already, so its last name is no link; a pipe must not block us.
  const int descriptor = ::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  FileToServe found;
  found.file = std::make_shared<OpenFile>(descriptor);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  found.size_bytes = status.st_size;
  const std::int64_t nanoseconds =
      std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  found.etag = fmt::format("\"{:x}-{:x}-{:x}\"", status.st_ino, status.st_size, nanoseconds);
  found.last_modified = http_date(status.st_mtim.tv_sec);
  found.type = content_type_of(real.filename().native());
  return found;
}

std::string gzip_etag(const std::string& etag) { return etag.substr(0, etag.size() - 1) + "-gz\""; }

/// Whether "gzip" is among the codings of an Accept-Encoding header, and not with q=0.
bool accepts_gzip(std::string_view header) {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    std::string item(header.substr(0, comma));
    header.remove_prefix(comma == std::string_view::npos ? header.size() : comma + 1);
    std::erase_if(item, [](char c) { return c == ' ' || c == '\t'; });
    std::ranges::transform(item, item.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t semicolon = item.find(';');
    const std::string_view coding = std::string_view(item).substr(0, semicolon);
    if (coding != "gzip" && coding != "*") continue;
    if (semicolon == std::string::npos) return true;
    const std::string_view weight = std::string_view(item).substr(semicolon + 1);
    return !(weight == "q=0" || weight == "q=0.0" || weight == "q=0.00" || weight == "q=0.000");
  }
  return false;
}

/// Whether the client's copy is the file of now. A tag decides where there is one; the date only without it.
bool is_unchanged(const httplib::Request& request, const FileToServe& file) {
  if (request.has_header("If-None-Match")) {
    const std::string tags = request.get_header_value("If-None-Match");
    return tags == "*" || tags.find(file.etag) != std::string::npos ||
           tags.find(gzip_etag(file.etag)) != std::string::npos;
  }
  return request.get_header_value("If-Modified-Since") == file.last_modified;
}

using Compressor = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;

/// Nothing where the compressed bytes would not be fewer.
std::optional<std::string> compress(libdeflate_compressor* compressor, std::string_view plain) {
  std::string packed(plain.size(), '\0');
  const std::size_t num_bytes =
      libdeflate_gzip_compress(compressor, plain.data(), plain.size(), packed.data(), packed.size());
  if (num_bytes == 0) return std::nullopt;
  packed.resize(num_bytes);
  return packed;
}

/// The whole file, compressed; nothing where it shrank while being read or where gzip gains too little: a
/// sample from its middle decides, because chunks of noisy grey values would cost ten times more to pack than
/// to send.
std::optional<std::string> gzip_of(const FileToServe& file) {
  const Compressor compressor(libdeflate_alloc_compressor(kGzipLevel), &libdeflate_free_compressor);
  if (!compressor) return std::nullopt;
  if (file.size_bytes > 4 * kSampleBytes) {
    std::string sample(static_cast<std::size_t>(kSampleBytes), '\0');
    if (!file.file->read(file.size_bytes / 2, sample.data(), sample.size())) return std::nullopt;
    const std::optional<std::string> packed = compress(compressor.get(), sample);
    if (!packed || packed->size() * 4 > sample.size() * 3) return std::nullopt;
  }
  std::string plain(static_cast<std::size_t>(file.size_bytes), '\0');
  if (!file.file->read(0, plain.data(), plain.size())) return std::nullopt;
  return compress(compressor.get(), plain);
}

constexpr std::string_view kApi = "/api/";

/// "localhost" of "localhost:8080", "::1" of "[::1]:8080".
std::string without_port(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

bool is_loopback(const std::string& name) {
  in_addr address{};
  // A name may begin with 127, too.
  const bool is_number = ::inet_pton(AF_INET, name.c_str(), &address) == 1;
  return is_number ? ntohl(address.s_addr) >> 24 == 127 : name == "localhost" || name == "::1";
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_numeric(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

std::string name_of_machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// Whether a Host is this server, and not a name that another server lets point here.
bool is_own_host(const std::string& host, const std::string& listening_host) {
  const std::string name = lower_case(without_port(host));
  if (is_loopback(listening_host)) return is_loopback(name);
  if (name.empty()) return false;
  return is_numeric(name) || name == "localhost" || name == lower_case(name_of_machine()) ||
         name == lower_case(listening_host);
}

constexpr std::string_view kForeignHost = "This server is asked under its own address only.";

/// Why a request to the program is refused; empty where it is not.
std::string_view reason_to_refuse(const httplib::Request& request, const std::string& listening_host) {
  const std::string host = request.get_header_value("Host");
  if (!is_own_host(host, listening_host)) return kForeignHost;
  if (request.method != "POST") return {};
  const std::string origin = request.get_header_value("Origin");
  if (origin != "http://" + host && origin != "https://" + host)
    return "Only a page of this server may send this.";
  if (request.get_header_value("Content-Type") != "application/json") return "Expected JSON.";
  return {};
}

/// Whether httplib can tell how long the body is before it reads it.
bool has_bounded_body(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  return request.get_header_value_count("Content-Length") == 1 && !length.empty() && length.size() < 19 &&
         std::ranges::all_of(length, [](char c) { return c >= '0' && c <= '9'; }) &&
         !request.has_header("Transfer-Encoding") && !request.has_header("Content-Encoding");
}

void answer_in_words(httplib::Response& response, int status, const std::string& words) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(words + "\n", "text/plain; charset=utf-8");
}

/// The last answer of a connection: a body that stays unread must not be taken for the next request.
void answer_and_close(httplib::Response& response, int status, const std::string& words) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_header("Connection", "close");
  // The header alone closes nothing in httplib 0.11; a provider that ends with a failure does.
  response.set_content_provider(
      words.size() + 1, "text/plain; charset=utf-8",
      [line = words + "\n"](std::size_t begin, std::size_t num_bytes, httplib::DataSink& sink) {
        sink.write(line.data() + begin, num_bytes);
        return false;
      });
}

/// Requests below "/api/", which a program answers.
class ApiServer {
 public:
  explicit ApiServer(const ServeOptions& options) : options_(options) {}

  bool takes(const httplib::Request& request) const {
    return options_.answer_api && request.target.starts_with(kApi);
  }

  /// Whether the request was refused and answered; its body is not read yet.
  bool refuses(const httplib::Request& request, httplib::Response& response) const {
    if (request.method != "GET" && request.method != "POST") {
      response.set_header("Allow", "GET, POST");
      answer_and_close(response, 405, "Only GET and POST are answered here.");
      return true;
    }
    if (const std::string_view reason = reason_to_refuse(request, options_.host); !reason.empty()) {
      answer_and_close(response, 403, std::string(reason));
      return true;
    }
    if (request.method == "POST" && !has_bounded_body(request)) {
      answer_and_close(response, 411, "Expected a plain body of a stated length.");
      return true;
    }
    return false;
  }

  void answer(const httplib::Request& request, httplib::Response& response) const {
    response.set_header("Cache-Control", "no-store");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    response.set_header("X-Content-Type-Options", "nosniff");
    const std::optional<std::string> path = path_of_target(request.target);
    if (!path) {
      answer_in_words(response, 400, "This is no place here.");
      return;
    }
    ApiAnswer found = options_.answer_api({request.method, path->substr(kApi.size() - 1), request.body});
    response.status = found.status;
    if (found.body.empty()) return;
    // Through a provider, so that httplib does not compress it: here it crosses no line.
    const auto bytes = std::make_shared<const std::string>(std::move(found.body));
    response.set_content_provider(bytes->size(), found.type,
                                  [bytes](std::size_t begin, std::size_t num_bytes, httplib::DataSink& sink) {
                                    return sink.write(bytes->data() + begin,
                                                      std::min(num_bytes, kPieceBytes));
                                  });
  }

 private:
  const ServeOptions& options_;
};

class FolderServer {
 public:
  /// Real folders; no page where `page_folder` is empty.
  FolderServer(std::filesystem::path folder, std::filesystem::path page_folder, std::string first_page,
               std::string listening_host, const std::function<bool()>& is_stopped)
      : folder_(std::move(folder)),
        page_folder_(std::move(page_folder)),
        first_page_(std::move(first_page)),
        listening_host_(std::move(listening_host)),
        is_stopped_(is_stopped) {}

  void answer(const httplib::Request& request, httplib::Response& response) const {
    response.set_header("X-Content-Type-Options", "nosniff");
    if (page_folder_.empty()) {
      add_cross_origin_headers(response);
    } else {
      response.set_header("Cross-Origin-Resource-Policy", "same-origin");
      if (!is_own_host(request.get_header_value("Host"), listening_host_)) {
        answer_and_close(response, 403, std::string(kForeignHost));
        return;
      }
    }
    if (request.method == "OPTIONS") {
      response.status = 204;
      response.set_header("Allow", "GET, HEAD, OPTIONS");
      return;
    }
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD, OPTIONS");
      answer_and_close(response, 405, "Only GET and HEAD are answered here.");
      return;
    }
    const std::optional<std::string> path = path_of_target(request.target);
    if (!path) {
      answer_in_words(response, 400, "This is not a path of a file here.");
      return;
    }
    std::optional<std::filesystem::path> real = path_inside(folder_, *path);
    std::error_code failure;
    if (real && std::filesystem::is_directory(*real, failure)) {
      if (!path->empty() && path->back() != '/') {
        // Addresses in the page are relative to its folder, which needs the slash.
        const std::string target = request.target.substr(0, request.target.find_first_of("?#"));
        response.set_header("Location", target + "/");
        answer_in_words(response, 301, "This is a folder: " + target + "/");
        return;
      }
      real = path_inside(folder_, *path + "index.html");
    } else if (!path->empty() && path->back() == '/') {
      real.reset();
    }
    std::optional<FileToServe> file = real ? open_file(*real) : std::nullopt;
    if (!file && !page_folder_.empty()) {
      const auto of_page = path_inside(page_folder_, path->empty() ? first_page_ : *path);
      if (of_page) file = open_file(*of_page);
    }
    if (!file) {
      answer_in_words(response, 404, "There is no such file here.");
      return;
    }
    answer_with_file(request, response, *file);
  }

 private:
  static void add_cross_origin_headers(httplib::Response& response) {
    response.set_header("Access-Control-Allow-Origin", "*");
    response.set_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    response.set_header("Access-Control-Allow-Headers",
                        "*, Range, If-None-Match, If-Modified-Since, If-Range");
    response.set_header(
        "Access-Control-Expose-Headers",
        "Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag, Last-Modified");
    response.set_header("Access-Control-Allow-Private-Network", "true");
    response.set_header("Access-Control-Max-Age", "86400");
    response.set_header("Cross-Origin-Resource-Policy", "cross-origin");
  }

  void answer_with_file(const httplib::Request& request, httplib::Response& response,
                        const FileToServe& file) const {
    response.set_header("Accept-Ranges", "bytes");
    response.set_header("Cache-Control", "no-cache");  // keep, but ask: a new `publish` must be seen
    response.set_header("Last-Modified", file.last_modified);
    // By which a page tells how old a file is, whatever the clock of its own machine says.
    response.set_header("Date", http_date(std::time(nullptr)));
    if (file.type.is_compressible) response.set_header("Vary", "Accept-Encoding");
    if (is_unchanged(request, file)) {
      response.set_header("ETag", file.etag);
      response.status = 304;
      return;
    }

    RequestedBytes wanted = WholeFile{};
    const bool asks_range = request.has_header("Range");
    if (asks_range && request.method == "GET") {
      // If-Range: the range only if the file is still the one that the client has a part of.
      const std::string condition = request.get_header_value("If-Range");
      if (condition.empty() || condition == file.etag || condition == file.last_modified) {
        wanted = parse_range(request.get_header_value("Range"), file.size_bytes);
      }
    }
    if (std::holds_alternative<OutsideFile>(wanted)) {
      response.set_header("Content-Range", fmt::format("bytes */{}", file.size_bytes));
      answer_in_words(response, 416,
                      fmt::format("The file has {} bytes; none of them was asked for.", file.size_bytes));
      return;
    }
    if (const auto* range = std::get_if<ByteRange>(&wanted)) {
      response.set_header("ETag", file.etag);
      response.set_header("Content-Range",
                          fmt::format("bytes {}-{}/{}", range->begin, range->end - 1, file.size_bytes));
      response.status = 206;
      stream(response, file, range->begin, range->end);
      return;
    }
    // HEAD tells the size of the file itself, which is what those who ask it want to know.
    const bool may_gzip = request.method == "GET" && !asks_range && file.type.is_compressible &&
                          file.size_bytes >= kMinGzipBytes && file.size_bytes <= kMaxGzipBytes &&
                          accepts_gzip(request.get_header_value("Accept-Encoding"));
    response.status = 200;
    if (may_gzip) {
      if (std::optional<std::string> packed = gzip_of(file)) {
        response.set_header("ETag", gzip_etag(file.etag));
        response.set_header("Content-Encoding", "gzip");
        // Through a provider of known length: a plain body of a text type httplib would compress once more.
        const auto bytes = std::make_shared<const std::string>(std::move(*packed));
        response.set_content_provider(
            bytes->size(), file.type.name,
            [bytes](std::size_t begin, std::size_t num_bytes, httplib::DataSink& sink) {
              return sink.write(bytes->data() + begin, std::min(num_bytes, kPieceBytes));
            });
        return;
      }
    }
    response.set_header("ETag", file.etag);
    stream(response, file, 0, file.size_bytes);
  }

  void stream(httplib::Response& response, const FileToServe& file, std::int64_t begin,
              std::int64_t end) const {
    if (begin == end) {
      response.set_header("Content-Type", file.type.name);
      return;
    }
    auto piece = std::make_shared<std::vector<char>>();
    response.set_content_provider(
        static_cast<std::size_t>(end - begin), file.type.name,
        [this, opened = file.file, begin, piece](std::size_t done, std::size_t num_bytes,
                                                 httplib::DataSink& sink) {
          if (is_stopped_()) return false;
          num_bytes = std::min(num_bytes, kPieceBytes);
          piece->resize(num_bytes);
          // A file that became shorter ends the connection: the client sees that bytes are missing.
          if (!opened->read(begin + static_cast<std::int64_t>(done), piece->data(), num_bytes)) return false;
          return sink.write(piece->data(), num_bytes);
        });
  }

  std::filesystem::path folder_;
  std::filesystem::path page_folder_;
  std::string first_page_;
  std::string listening_host_;
  const std::function<bool()>& is_stopped_;
};

/// The port that was bound. SO_REUSEADDR alone: httplib's default SO_REUSEPORT would let two servers share a
/// port.
int bind(httplib::Server& server, const ServeOptions& options) {
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  if (options.port < 0 || options.port > 65535) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("port: expected 0 to 65535, found {}", options.port));
  }
  if (options.port == 0) {
    const int port = server.bind_to_any_port(options.host);
    if (port > 0) return port;
    throw Error(ErrorKind::kIo,
                fmt::format("cannot listen on {}: expected an address of this machine", options.host));
  }
  const int last = options.busy_port == BusyPort::kFail ? options.port
                                                        : std::min(65535, options.port + kNumPortsTried - 1);
  for (int port = options.port; port <= last; ++port) {
    if (server.bind_to_port(options.host, port)) return port;
  }
  const std::string ports = last == options.port ? fmt::format("port {} is", last)
                                                 : fmt::format("ports {} to {} are", options.port, last);
  throw Error(ErrorKind::kIo,
              fmt::format("cannot listen on {}: {} taken, or this is no address of this machine",
                          options.host, ports));
}

std::filesystem::path real_folder_of(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::path real = std::filesystem::canonical(folder, failure);
  if (failure)
    throw Error(ErrorKind::kNotFound,
                fmt::format("folder to serve: {}: {}", folder.native(), failure.message()));
  if (!std::filesystem::is_directory(real)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("folder to serve: {} is a file", folder.native()));
  }
  return real;
}

}  // namespace

void serve(const ServeOptions& options, const std::function<void(const std::string& url)>& on_ready,
           const std::function<bool()>& is_stopped) {
  const FolderServer folder(real_folder_of(options.folder),
                            options.page_folder.empty() ? "" : real_folder_of(options.page_folder),
                            options.first_page, options.host, is_stopped);
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kNumThreads); };
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_keep_alive_max_count(kMaxRequestsPerConnection);
  server.set_tcp_nodelay(true);
  server.set_payload_max_length(kMaxApiBodyBytes);
  const ApiServer api(options);
  server.Post(".*", [&api](const httplib::Request& request, httplib::Response& response) {
    api.answer(request, response);
  });
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    // httplib 0.11 neither clips nor refuses ranges that leave the file and cuts error texts by them, so it
    // must not see them: the ranges are read again from the header. The request is not const where it was
    // made.
    const_cast<httplib::Request&>(request).ranges.clear();
    if (api.takes(request)) {
      if (api.refuses(request, response)) return httplib::Server::HandlerResponse::Handled;
      // The body is read behind this handler, by that of Post() above.
      if (request.method == "POST") return httplib::Server::HandlerResponse::Unhandled;
      api.answer(request, response);
      return httplib::Server::HandlerResponse::Handled;
    }
    folder.answer(request, response);
    return httplib::Server::HandlerResponse::Handled;
  });
  const int port = bind(server, options);
  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + options.host + "]" : options.host;
  on_ready(fmt::format("http://{}:{}/", host, port));

  std::jthread watcher([&](const std::stop_token& done) {
    while (!done.stop_requested()) {
      // Before listening has begun, stop() would be lost: so it is repeated until listening ends.
      if (is_stopped() && server.is_running()) server.stop();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  server.listen_after_bind();
}

}  // namespace organon::server
