#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace organon::server {

/// What to do where the asked port is taken: try the following ones, or give up.
enum class BusyPort { kTryNext, kFail };

struct ServeOptions {
  /// Folder whose files are served; no path outside it is reachable, not through symbolic links either.
  std::filesystem::path folder;
  /// Folder of a page that reads files of `folder`: answers what that one has not; empty: none. `first_page`
  /// is its file for "/".
  std::filesystem::path page_folder = {};
  std::string first_page = "index.html";
  /// Address to listen on. The default is reachable from this machine only.
  std::string host = "127.0.0.1";
  /// Port to listen on; 0 lets the system choose a free one.
  int port = 8080;
  BusyPort busy_port = BusyPort::kTryNext;
};

/// Serves the files of a folder over HTTP/1.1 until `is_stopped` returns true (asked 20 times a second).
///
/// GET and HEAD, single byte ranges (206, 416; several ranges give the whole file), ETag and Last-Modified
/// with 304, the time (Date), cross-origin requests from any page, gzip where the client takes it, no range
/// is asked and the bytes gain from it. A folder answers with its index.html, the served one with that of the
/// page where it has none itself. `on_ready` is called once with the address, such as
/// "http://127.0.0.1:8080/", when connections are taken.
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
