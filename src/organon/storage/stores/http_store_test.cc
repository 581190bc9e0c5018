#include "organon/storage/stores/http_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "organon/base/cancellation.h"
#include "organon/base/command.h"
#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/stores/testing/bytes.h"
#include "organon/storage/stores/testing/child_process.h"
#include "organon/storage/stores/testing/faulty_proxy.h"
#include "organon/storage/stores/testing/web_server.h"

namespace organon::storage::testing {
namespace {

using Kind = Fault::Kind;

HttpOptions patient() { return {.max_tries = 6, .first_pause_seconds = 0.01}; }

/// A value of 100,000 bytes behind a proxy.
class HttpFaults : public ::testing::Test {
 protected:
  HttpFaults() {
    for (std::size_t i = 0; i < 100'000; ++i) value_.push_back(static_cast<std::byte>(i * 2654435761u >> 13));
    server_.values().write("a", value_);
  }
  std::vector<std::byte> part(std::size_t begin, std::size_t size) const {
    return {value_.begin() + static_cast<std::ptrdiff_t>(begin),
            value_.begin() + static_cast<std::ptrdiff_t>(begin + size)};
  }
  Error error_of(const HttpStore& store) const {
    try {
      store.read("a", Store::kMaxReadBytes);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "no error");
  }
  static double seconds(const std::function<void()>& call) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  WebServer server_;
  FaultyProxy proxy_{server_.port()};
  std::vector<std::byte> value_;
  HttpStore store_{proxy_.url(), patient()};
};

TEST_F(HttpFaults, SurvivesWhatPasses) {
  const std::vector<std::pair<std::string, Fault>> faults = {
      {"refused", {Kind::kRefuse}},
      {"cut head", {Kind::kCutHead}},
      {"reset before the body", {Kind::kResetAnswer}},
      {"reset amid the body", {Kind::kResetAnswer, "", 50'000}},
      {"short body", {Kind::kEndAnswer, "", 99'999}},
      {"no body", {Kind::kEndAnswer}},
      {"lost", {Kind::kLoseAnswer}},
      {"429", answering("429 Too Many Requests")},
      {"500", answering("500 Internal Server Error")},
      {"502", answering("502 Bad Gateway")},
      {"503", answering("503 Slow Down")},
      {"504", answering("504 Gateway Timeout")},
  };
  for (const auto& [name, fault] : faults) {
    const int before = proxy_.count("GET");
    proxy_.add(fault, 2);
    EXPECT_EQ(store_.read("a", Store::kMaxReadBytes), value_) << name;
    EXPECT_EQ(proxy_.count("GET"), before + 3) << name;
    proxy_.add(fault, 1);
    EXPECT_EQ(store_.read_range("a", 1000, 90'000), part(1000, 90'000)) << name;
    proxy_.add(fault, 1);
    EXPECT_TRUE(store_.exists("a")) << name;
    EXPECT_FALSE(store_.exists("b")) << name;
    EXPECT_EQ(proxy_.num_waiting(), 0u) << name;
  }
}

TEST_F(HttpFaults, SlowAnswersAreGivenUpAndTriedAgain) {
  HttpOptions options = patient();
  options.low_speed_seconds = 3;
  const HttpStore store(proxy_.url(), options);
  proxy_.add({Kind::kSlowAnswer, "", 2000});
  const double taken = seconds([&] { EXPECT_EQ(store.read("a", Store::kMaxReadBytes), value_); });
  EXPECT_LT(taken, 50);  // the slow answer would take more than an hour
  EXPECT_EQ(proxy_.count("GET"), 2);
}

TEST_F(HttpFaults, ServersSayHowLongToWait) {
  proxy_.add(answering("429 Too Many Requests", "Retry-After: 1\r\n"));
  const double taken = seconds([&] { EXPECT_EQ(store_.read("a", Store::kMaxReadBytes), value_); });
  EXPECT_GE(taken, 1);
  // Longer than there is time for: no use to wait.
  HttpOptions hasty = patient();
  hasty.max_total_seconds = 2;
  proxy_.add(answering("503 Slow Down", "Retry-After: 3600\r\n"));
  const double in_vain = seconds([&] {
    EXPECT_NE(error_of(HttpStore(proxy_.url(), hasty)).message().find("status 503"), std::string::npos);
  });
  EXPECT_LT(in_vain, 30);
}

TEST_F(HttpFaults, GivesUpAfterSoManyTries) {
  proxy_.add(answering("503 Slow Down"), 6);
  const Error busy = error_of(store_);
  EXPECT_EQ(busy.kind(), ErrorKind::kIo);
  EXPECT_NE(busy.message().find(proxy_.url() + "/a: status 503 (try 6)"), std::string::npos) << busy.what();
  EXPECT_EQ(proxy_.num_waiting(), 0u);
  proxy_.add({Kind::kResetAnswer, "", 10}, 6);
  const Error broken = error_of(store_);
  EXPECT_EQ(broken.kind(), ErrorKind::kIo);
  EXPECT_NE(broken.message().find("6 tries"), std::string::npos) << broken.what();
  EXPECT_EQ(proxy_.num_waiting(), 0u);
}

TEST_F(HttpFaults, GivesUpWhenTimeIsUsedUp) {
  HttpOptions hasty = patient();
  hasty.max_tries = 1'000'000;
  hasty.max_total_seconds = 0.5;
  proxy_.add(answering("503 Slow Down"), 10'000);
  const double taken =
      seconds([&] { EXPECT_EQ(error_of(HttpStore(proxy_.url(), hasty)).kind(), ErrorKind::kIo); });
  EXPECT_LT(taken, 30);
}

TEST_F(HttpFaults, NobodyThereIsAnError) {
  const HttpStore nobody("http://127.0.0.1:" + std::to_string(free_port()), patient());
  EXPECT_EQ(error_of(nobody).kind(), ErrorKind::kIo);
  EXPECT_THROW(nobody.exists("a"), Error);
}

TEST_F(HttpFaults, OnlyTheServersWordMeansAbsent) {
  for (const char* status : {"404 Not Found", "410 Gone"}) {
    proxy_.add(answering(status));
    EXPECT_FALSE(store_.read("a", 1)) << status;
  }
  for (const char* status :
       {"400 Bad Request", "401 Unauthorized", "403 Forbidden", "405 No", "418 I'm a teapot",
        "204 No Content", "501 Not Implemented", "304 Not Modified"}) {
    proxy_.add(answering(status));
    const Error error = error_of(store_);
    EXPECT_EQ(error.kind(), ErrorKind::kIo) << status;
    EXPECT_NE(error.message().find(std::string(status).substr(0, 3)), std::string::npos) << error.what();
  }
}

TEST_F(HttpFaults, AnswersWithoutAnEndAreRefused) {
  proxy_.add({Kind::kAnswer, "", 0, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it"});
  EXPECT_EQ(error_of(store_).kind(), ErrorKind::kUnsupported);
  proxy_.add({Kind::kAnswer, "", 0,
              "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: "
              "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
              "\r\n"});
  EXPECT_EQ(store_.read("a", 5), bytes_of("abcde"));
  // Chunks that end too early: tried again.
  proxy_.add({Kind::kAnswer, "", 0,
              "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"});
  EXPECT_EQ(store_.read("a", Store::kMaxReadBytes), value_);
}

TEST_F(HttpFaults, PublicBucketsDenyWhatTheyDoNotHave) {
  const std::string body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
  const Fault denial = {Kind::kAnswer, "GET", 0,
                        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body};
  proxy_.add(denial, 2);
  proxy_.add(
      {Kind::kAnswer, "HEAD", 0, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"});
  EXPECT_FALSE(store_.read("a", 1));
  EXPECT_FALSE(store_.exists("a"));
  EXPECT_EQ(proxy_.num_waiting(), 0u);
}

TEST_F(HttpFaults, OtherPartsThanAskedForAreRefused) {
  for (const char* range :
       {"bytes 5-8/100", "bytes 4-9/100", "bytes 4-7", "bytes 7-4/100", "items 4-7/100", ""}) {
    proxy_.add(
        {Kind::kAnswer, "", 0,
         std::string(
             "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 4\r\nContent-Range: ") +
             range + "\r\n\r\n0123"});
    try {
      store_.read_range("a", 4, 4);
      ADD_FAILURE() << range;
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::kIo) << error.what();
    }
  }
  // Less than there is.
  proxy_.add(
      {Kind::kAnswer, "", 0,
       "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 2\r\nContent-Range: bytes "
       "4-5/100000\r\n\r\n01"});
  EXPECT_EQ(store_.read_range("a", 4, 4), part(4, 4));
}

TEST_F(HttpFaults, ValuesKeptCompressedAreExpanded) {
  // gzip of "hello".
  const std::string gzip(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00",
      25);
  const std::string head = "Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n";
  proxy_.add({Kind::kAnswer, "", 0, "HTTP/1.1 200 OK\r\n" + head + "\r\n" + gzip});
  EXPECT_EQ(store_.read("a", 5), bytes_of("hello"));
  proxy_.add({Kind::kAnswer, "", 0, "HTTP/1.1 200 OK\r\n" + head + "\r\n" + gzip});
  EXPECT_THROW(store_.read("a", 4), Error);
  proxy_.add({Kind::kAnswer, "", 0,
              "HTTP/1.1 206 Partial Content\r\n" + head + "Content-Range: bytes 0-24/25\r\n\r\n" + gzip});
  try {
    store_.read_range("a", 0, 100);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << error.what();
  }
}

TEST_F(HttpFaults, FollowsRedirections) {
  proxy_.add(answering("302 Found", "Location: " + server_.url() + "/a\r\n"));
  EXPECT_EQ(store_.read("a", Store::kMaxReadBytes), value_);
  proxy_.add(answering("302 Found", "Location: file:///etc/passwd\r\n"));
  EXPECT_EQ(error_of(store_).kind(), ErrorKind::kIo);
}

TEST_F(HttpFaults, OneThreadKeepsOneConnection) {
  const HttpStore direct(server_.url());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(direct.read("a", Store::kMaxReadBytes), value_);
    EXPECT_EQ(direct.read_range("a", 10, 5), part(10, 5));
    EXPECT_FALSE(direct.exists("b"));
  }
  EXPECT_EQ(server_.num_requests(), 60);
  EXPECT_EQ(server_.num_connections(), 1);
}

TEST_F(HttpFaults, PasswordsAreNotShown) {
  std::string url = proxy_.url();
  url.insert(7, "user:secret@");
  proxy_.add(answering("403 Forbidden"));
  const std::string message = error_of(HttpStore(url, patient())).message();
  EXPECT_EQ(message.find("secret"), std::string::npos) << message;
}

/// A variable of this process, set for a while.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// A server with a certificate that nobody vouches for.
class SecureServer {
 public:
  explicit SecureServer(const std::string& name) {
    const auto inside = [&](const char* file) { return (folder_.path() / file).string(); };
    made_ = run_command({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
                         "-addext", "subjectAltName=" + name, "-days", "2", "-keyout", inside("key"), "-out",
                         certificate()});
    if (made_.exit_code != 0) throw std::runtime_error(made_.err);
    write_text_atomically(
        inside("a"), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", Fsync::kNo);
    server_.emplace(std::vector<std::string>{"env", "-C", folder_.path().string(), "openssl", "s_server",
                                             "-HTTP", "-accept", "127.0.0.1:" + std::to_string(port_),
                                             "-cert", "certificate", "-key", "key"},
                    inside("log"));
    server_->wait_for_port(port_);
  }
  std::string certificate() const { return (folder_.path() / "certificate").string(); }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }

 private:
  organon::testing::TemporaryFolder folder_;
  CommandResult made_;
  int port_ = free_port();
  std::optional<ChildProcess> server_;
};

TEST_F(HttpFaults, CertificatesAreChecked) {
  const SecureServer server("IP:127.0.0.1");
  const Error unknown = error_of(HttpStore(server.url(), patient()));
  EXPECT_EQ(unknown.kind(), ErrorKind::kIo);
  EXPECT_NE(unknown.message().find("certificate"), std::string::npos) << unknown.what();

  {
    const Variable trusted("CURL_CA_BUNDLE", server.certificate());
    EXPECT_EQ(HttpStore(server.url(), patient()).read("a", 5), bytes_of("hello"));
  }
  // Vouched for, but for another name.
  const SecureServer other("DNS:other.example");
  const Variable trusted("CURL_CA_BUNDLE", other.certificate());
  const Error misnamed = error_of(HttpStore(other.url(), patient()));
  EXPECT_EQ(misnamed.kind(), ErrorKind::kIo);
  EXPECT_NE(misnamed.message().find("127.0.0.1"), std::string::npos) << misnamed.what();
}

TEST_F(HttpFaults, ProxiesAreTakenFromTheEnvironment) {
  const Variable proxy("http_proxy", server_.url());
  EXPECT_TRUE(HttpStore("http://host.invalid", patient()).exists("a"));
}

TEST_F(HttpFaults, CancellationEndsTransfersAndPauses) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        proxy_.add({Kind::kSlowAnswer, "", 100}, 100);
        HttpOptions options = patient();
        options.low_speed_seconds = 100;
        const HttpStore slow(proxy_.url(), options);
        std::jthread canceller([] {
          std::this_thread::sleep_for(std::chrono::milliseconds(300));
          request_cancellation();
        });
        ErrorKind kind = ErrorKind::kInternal;
        const double taken = seconds([&] { kind = error_of(slow).kind(); });
        std::_Exit(kind == ErrorKind::kCancelled && taken < 20 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        proxy_.add(answering("503 Slow Down", "Retry-After: 50\r\n"), 100);
        std::jthread canceller([] {
          std::this_thread::sleep_for(std::chrono::milliseconds(300));
          request_cancellation();
        });
        ErrorKind kind = ErrorKind::kInternal;
        const double taken = seconds([&] { kind = error_of(store_).kind(); });
        std::_Exit(kind == ErrorKind::kCancelled && taken < 20 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace organon::storage::testing
