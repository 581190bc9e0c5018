#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace organon::server {

/// What to do where the asked port is taken: try the following ones, or give up.
enum class BusyPort { kTryNext, kFail };

/// A request that is answered by a program, not by a file.
struct ApiRequest {
  std::string method;  ///< GET or POST
  std::string path;    ///< below "/api/", decoded: "trials/3"
  std::string body;    ///< of a POST, at most kMaxApiBodyBytes
};
struct ApiAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
};
inline constexpr std::size_t kMaxApiBodyBytes = std::size_t{64} << 10;

struct ServeOptions {
  /// Folder whose files are served; no path outside it is reachable, not through symbolic links either.
  std::filesystem::path folder;
  /// Folder of a page that reads files of `folder`: answers what that one has not; empty: none. `first_page`
  /// is its file for "/". Such files are for pages of this server alone.
  std::filesystem::path page_folder = {};
  std::string first_page = "index.html";
  /// Address to listen on. The default is reachable from this machine only.
  std::string host = "127.0.0.1";
  /// Port to listen on; 0 lets the system choose a free one.
  int port = 8080;
  BusyPort busy_port = BusyPort::kTryNext;
  /// Answers GET and POST of all below "/api/"; called by several threads at once, and must not throw. Empty:
  /// there is no such place, and nothing is ever posted.
  std::function<ApiAnswer(const ApiRequest&)> answer_api = {};
};

/// Serves the files of a folder over HTTP/1.1 until `is_stopped` returns true (asked 20 times a second).
///
/// GET and HEAD, single byte ranges (206, 416; several ranges give the whole file), ETag and Last-Modified
/// with 304, the time (Date), cross-origin requests from any page (where there is no `page_folder`), gzip
/// where the client takes it, no range is asked and the bytes gain from it. A folder answers with its
/// index.html, the served one with that of the page where it has none itself. `on_ready` is called once with
/// the address, such as "http://127.0.0.1:8080/", when connections are taken.
///
/// What `answer_api` says goes to pages of this server alone, and is kept by no cache. A POST is refused
/// unless its Origin is the host that it names, and its body plain JSON of a stated length: pages of other
/// servers cannot send one. The body of what is refused stays unread, and the connection ends. Where the
/// server listens on a loopback address, that host must be one too, or "localhost"; else a numeric address,
/// "localhost", the name of this machine or `host`: a name that another server lets point here is none.
/// The same host is asked for, and no other origin let in, where there is a `page_folder`.
///
/// Errors: kNotFound, kInvalidArgument (a folder is none); kIo (no port of those tried is free).
///
/// Cost: files are streamed in pieces; only what is compressed (files up to 64 MiB) lies in memory.
///
/// Threads: blocks the caller, answers on threads of its own. Returns within about a second of the stop; a
/// client that takes no bytes can hold it for five.
///
/// Source: RFC 9110 for the answers; the requests that Neuroglancer makes.
void serve(const ServeOptions& options, const std::function<void(const std::string& url)>& on_ready,
           const std::function<bool()>& is_stopped);

}  // namespace organon::server
