#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "organon/storage/stores/testing/sockets.h"

namespace organon::storage::testing {

/// What goes wrong with one request.
struct Fault {
  enum class Kind {
    kRefuse,         ///< the connection is reset once the request has come
    kAnswer,         ///< `answer` is sent, and the server never asked
    kResetAnswer,    ///< the answer is reset after `num_bytes` of its body
    kEndAnswer,      ///< the answer ends so, in order
    kSlowAnswer,     ///< the answer goes on so, a byte at a time, for at most a minute
    kCutHead,        ///< the answer ends before its headers do
    kLoseAnswer,     ///< the server does what it is asked, and its answer is lost
    kDamageRequest,  ///< the last byte of the request is another
  };
  Kind kind = Kind::kRefuse;
  /// Strikes the first requests whose line ("PUT /a?partNumber=1 HTTP/1.1") contains this.
  std::string in_line = {};
  std::size_t num_bytes = 0;
  std::string answer = {};
};

inline Fault answering(const std::string& status, const std::string& headers = {}) {
  return {Fault::Kind::kAnswer, "", 0,
          "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: 0\r\nConnection: close\r\n\r\n"};
}

/// Between a client and a server on ports of this machine. Does one request per connection.
class FaultyProxy {
 public:
  explicit FaultyProxy(int server_port) : server_port_(server_port) {
    listener_.listen();
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~FaultyProxy() {
    is_ending_ = true;
    ::shutdown(listener_.descriptor(), SHUT_RDWR);
    acceptor_.join();
  }

  int port() const { return listener_.port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  void add(const Fault& fault, int count = 1) {
    const std::lock_guard lock(mutex_);
    faults_.insert(faults_.end(), static_cast<std::size_t>(count), fault);
  }
  /// Faults that still wait for their request.
  std::size_t num_waiting() const {
    const std::lock_guard lock(mutex_);
    return faults_.size();
  }
  /// The lines of all requests so far.
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  int count(const std::string& in_line) const {
    const std::vector<std::string> all = lines();
    return static_cast<int>(std::ranges::count_if(
        all, [&](const std::string& line) { return line.find(in_line) != std::string::npos; }));
  }

 private:
  void accept_all() {
    std::list<std::jthread> connections;
    while (!is_ending_) {
      const int descriptor = ::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) break;
      connections.emplace_back([this, client = Socket(descriptor)]() mutable { serve(client); });
    }
  }

  static std::string receive_request(Socket& client) {
    std::string request;
    std::size_t head_size = std::string::npos;
    while ((head_size = request.find("\r\n\r\n")) == std::string::npos) {
      const std::string more = client.receive();
      if (more.empty()) return {};
      request += more;
    }
    const std::size_t found = request.find("Content-Length: ");
    const std::size_t body_size =
        found < head_size ? std::strtoull(request.c_str() + found + 16, nullptr, 10) : 0;
    while (request.size() < head_size + 4 + body_size) {
      const std::string more = client.receive();
      if (more.empty()) return {};
      request += more;
    }
    return request;
  }

  bool take_fault(const std::string& line, Fault& fault) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    const auto found = std::ranges::find_if(
        faults_, [&](const Fault& f) { return line.find(f.in_line) != std::string::npos; });
    if (found == faults_.end()) return false;
    fault = *found;
    faults_.erase(found);
    return true;
  }

  void serve(Socket& client) {
    std::string request = receive_request(client);
    if (request.empty()) return;
    const std::size_t line_end = request.find("\r\n");
    Fault fault;
    const bool is_struck = take_fault(request.substr(0, line_end), fault);
    if (is_struck && fault.kind == Fault::Kind::kRefuse) return client.abort_on_close();
    if (is_struck && fault.kind == Fault::Kind::kAnswer) {
      client.send(fault.answer);
      return;
    }
    if (is_struck && fault.kind == Fault::Kind::kDamageRequest) request.back() ^= 1;
    request.insert(line_end, "\r\nConnection: close");
    Socket server;
    if (!server.connect(server_port_) || !server.send(request)) return;
    std::string answer;
    for (std::string more; !(more = server.receive()).empty();) answer += more;
    const std::size_t kept = answer.find("\r\n\r\n") + 4 + fault.num_bytes;
    if (!is_struck || fault.kind == Fault::Kind::kDamageRequest) {
      client.send(answer);
      return;
    }
    if (fault.kind == Fault::Kind::kLoseAnswer) return client.abort_on_close();
    if (fault.kind == Fault::Kind::kCutHead) {
      client.send(std::string_view(answer).substr(0, 20));
      return;
    }
    client.send(std::string_view(answer).substr(0, kept));
    if (fault.kind == Fault::Kind::kResetAnswer) client.abort_on_close();
    if (fault.kind != Fault::Kind::kSlowAnswer) return;
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (std::size_t i = kept; i < answer.size() && !is_ending_ && std::chrono::steady_clock::now() < end;
         ++i) {
      if (!client.send(std::string_view(answer).substr(i, 1))) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  const int server_port_;
  Socket listener_;
  std::atomic<bool> is_ending_{false};
  mutable std::mutex mutex_;
  std::deque<Fault> faults_;
  std::vector<std::string> lines_;
  std::jthread acceptor_;
};

}  // namespace organon::storage::testing
