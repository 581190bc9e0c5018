#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "organon/storage/stores/memory_store.h"
#include "organon/storage/stores/testing/sockets.h"
#include "organon/storage/stores/url.h"

namespace organon::storage::testing {

enum class Ranges { kKnown, kUnknown };

/// A web server that gives out what a MemoryStore holds, and keeps connections open.
class WebServer {
 public:
  explicit WebServer(Ranges ranges = Ranges::kKnown) : ranges_(ranges) {
    listener_.listen();
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~WebServer() {
    is_ending_ = true;
    ::shutdown(listener_.descriptor(), SHUT_RDWR);
    acceptor_.join();
  }

  MemoryStore& values() { return values_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_.port()); }
  int port() const { return listener_.port(); }
  int num_connections() const { return num_connections_; }
  int num_requests() const { return num_requests_; }

 private:
  void accept_all() {
    std::list<Socket> clients;
    std::list<std::jthread> threads;
    while (!is_ending_) {
      const int descriptor = ::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) break;
      ++num_connections_;
      Socket& client = clients.emplace_back(descriptor);
      threads.emplace_back([this, &client] { serve(client); });
    }
    for (Socket& client : clients) ::shutdown(client.descriptor(), SHUT_RDWR);
    threads.clear();
  }

  void serve(Socket& client) {
    std::string request;
    while (true) {
      std::size_t end = 0;
      while ((end = request.find("\r\n\r\n")) == std::string::npos) {
        const std::string more = client.receive();
        if (more.empty()) return;
        request += more;
      }
      ++num_requests_;
      if (!client.send(answer(request.substr(0, end)))) return;
      if (request.find("Connection: close") < end) {
        ::shutdown(client.descriptor(), SHUT_RDWR);
        return;
      }
      request.erase(0, end + 4);
    }
  }

  std::string answer(const std::string& request) const {
    // Also "http://host/path", as proxies are asked.
    const std::size_t scheme_end = request.find("://");
    const std::size_t path_begin =
        request.find('/', scheme_end < request.find("\r\n") ? scheme_end + 3 : 0) + 1;
    const std::string path =
        percent_decode(request.substr(path_begin, request.find(' ', path_begin) - path_begin));
    const auto value = values_.read(path, Store::kMaxReadBytes);
    const auto whole = [&](const std::string& status, const std::string& headers, const std::string& body) {
      const std::string head = "HTTP/1.1 " + status + "\r\n" + headers +
                               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
      return request.starts_with("HEAD ") ? head : head + body;
    };
    if (!value) return whole("404 Not Found", "", "no such thing");
    const std::string body(reinterpret_cast<const char*>(value->data()), value->size());
    const std::size_t range = request.find("Range: bytes=");
    if (range == std::string::npos || ranges_ == Ranges::kUnknown) return whole("200 OK", "", body);
    const char* text = request.c_str() + range + 13;
    std::uint64_t begin = 0;
    std::uint64_t end = body.size();
    if (*text == '-') {
      begin = body.size() - std::min<std::uint64_t>(std::strtoull(text + 1, nullptr, 10), body.size());
    } else {
      char* after = nullptr;
      begin = std::strtoull(text, &after, 10);
      end = std::min<std::uint64_t>(end, std::strtoull(after + 1, nullptr, 10) + 1);
    }
    const std::string size = std::to_string(body.size());
    if (begin >= end)
      return whole("416 Range Not Satisfiable", "Content-Range: bytes */" + size + "\r\n", "");
    return whole(
        "206 Partial Content",
        "Content-Range: bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" + size + "\r\n",
        body.substr(begin, end - begin));
  }

  const Ranges ranges_;
  MemoryStore values_;
  Socket listener_;
  std::atomic<bool> is_ending_{false};
  std::atomic<int> num_connections_{0};
  std::atomic<int> num_requests_{0};
  std::jthread acceptor_;
};

}  // namespace organon::storage::testing
