#include "organon/app/server/serve.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "organon/app/server/request_path.h"
#include "organon/base/error.h"

namespace organon::server {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A fresh folder beside a file that must stay out of reach.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "organon_serve_XXXXXX").native();
    base_ = ::mkdtemp(name.data());
    fs::create_directories(folder());
    write(base_ / "secret.txt", "secret");
  }
  ~TemporaryFolder() { fs::remove_all(base_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  fs::path base() const { return base_; }
  fs::path folder() const { return base_ / "published"; }
  void add(const std::string& path, const std::string& bytes) const { write(folder() / path, bytes); }

 private:
  static void write(const fs::path& path, const std::string& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  fs::path base_;
};

/// A server on a free port, stopped when it goes out of scope.
class RunningServer {
 public:
  explicit RunningServer(ServeOptions options) {
    if (options.port == 8080) options.port = 0;
    std::promise<std::string> ready;
    std::future<std::string> url = ready.get_future();
    thread_ = std::thread([this, options, &ready] {
      serve(
          options, [&ready](const std::string& address) { ready.set_value(address); },
          [this] { return stopped_.load(); });
    });
    url_ = url.get();
    port_ = std::stoi(url_.substr(url_.rfind(':') + 1));
  }
  ~RunningServer() { stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int port() const { return port_; }
  const std::string& url() const { return url_; }

 private:
  std::atomic<bool> stopped_ = false;
  std::string url_;
  int port_ = 0;
  std::thread thread_;
};

int connect_to(int port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return descriptor;
}

/// The answer to exactly these bytes: a client library would tidy hostile targets before sending them.
std::string raw_answer(int port, const std::string& request) {
  const int descriptor = connect_to(port);
  EXPECT_EQ(::send(descriptor, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::recv(descriptor, piece.data(), piece.size(), 0)) > 0;) {
    answer.append(piece.data(), static_cast<std::size_t>(n));
  }
  ::close(descriptor);
  return answer;
}

std::string get_raw(int port, const std::string& target) {
  return raw_answer(port, "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

TEST(PathInside, FollowsLinksOnlyInsideTheFolder) {
  const TemporaryFolder temporary;
  temporary.add("a/b", "x");
  const fs::path folder = fs::canonical(temporary.folder());
  fs::create_symlink("a/b", folder / "inner");
  fs::create_symlink("../secret.txt", folder / "outer");
  fs::create_directory_symlink("..", folder / "up");
  fs::create_directories(temporary.base() / "published2");
  fs::create_directory_symlink("../published2", folder / "neighbour");
  EXPECT_EQ(path_inside(folder, "inner"), folder / "a/b");
  EXPECT_EQ(path_inside(folder, ""), folder);
  EXPECT_FALSE(path_inside(folder, "outer"));
  EXPECT_FALSE(path_inside(folder, "up/secret.txt"));
  EXPECT_FALSE(path_inside(folder, "neighbour"));
  EXPECT_FALSE(path_inside(folder, "absent"));
}

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    temporary.add("index.html", "<!doctype html>page");
    temporary.add("precomputed/mito/mesh/1:0", R"({"fragments":["1:0:fragment"]})");
    temporary.add("precomputed/raw/8_8_8/0-64_0-64_0-64", chunk);
    temporary.add("digits.txt", "0123456789");
    temporary.add("empty.bin", "");
    temporary.add("picture.png", chunk);
    fs::create_symlink("../secret.txt", temporary.folder() / "outer");
    server = std::make_unique<RunningServer>(ServeOptions{.folder = temporary.folder()});
  }
  httplib::Client client() const {
    httplib::Client made("127.0.0.1", server->port());
    made.set_decompress(false);
    return made;
  }
  const std::string chunk = std::string(100'000, '\7') + "end";
  const std::string chunk_path = "/precomputed/raw/8_8_8/0-64_0-64_0-64";
  TemporaryFolder temporary;
  std::unique_ptr<RunningServer> server;
};

TEST_F(Serve, AnswersFilesWithTypeAndCrossOriginHeaders) {
  httplib::Client c = client();
  const auto page = c.Get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_EQ(page->body, "<!doctype html>page");
  EXPECT_EQ(page->get_header_value("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page->get_header_value("Access-Control-Allow-Origin"), "*");
  EXPECT_NE(page->get_header_value("Access-Control-Expose-Headers").find("Content-Range"), std::string::npos);
  const auto manifest = c.Get("/precomputed/mito/mesh/1:0");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->body, R"({"fragments":["1:0:fragment"]})");
  const auto empty = c.Get("/empty.bin");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->status, 200);
  EXPECT_EQ(empty->body, "");
}

TEST_F(Serve, AnswersPreflightRequests) {
  const auto answer = client().Options("/index.html");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(answer->get_header_value("Access-Control-Allow-Origin"), "*");
  EXPECT_NE(answer->get_header_value("Access-Control-Allow-Headers").find("Range"), std::string::npos);
}

TEST_F(Serve, HeadTellsTheSizeWithoutTheBytes) {
  const auto answer = client().Head(chunk_path, {{"Accept-Encoding", "gzip"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->get_header_value("Content-Length"), std::to_string(chunk.size()));
  EXPECT_EQ(answer->get_header_value("Accept-Ranges"), "bytes");
  EXPECT_EQ(answer->body, "");
}

TEST_F(Serve, AnswersByteRanges) {
  httplib::Client c = client();
  const auto middle = c.Get("/digits.txt", {{"Range", "bytes=2-5"}, {"Accept-Encoding", "gzip"}});
  ASSERT_TRUE(middle);
  EXPECT_EQ(middle->status, 206);
  EXPECT_EQ(middle->body, "2345");
  EXPECT_EQ(middle->get_header_value("Content-Range"), "bytes 2-5/10");
  const auto tail = c.Get(chunk_path, {{"Range", "bytes=-3"}, {"Accept-Encoding", "gzip"}});
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->body, "end");
  EXPECT_FALSE(tail->has_header("Content-Encoding"));
  const auto clipped = c.Get("/digits.txt", {{"Range", "bytes=8-999999"}});
  ASSERT_TRUE(clipped);
  EXPECT_EQ(clipped->body, "89");
  EXPECT_EQ(clipped->get_header_value("Content-Range"), "bytes 8-9/10");
  const auto outside = c.Get("/digits.txt", {{"Range", "bytes=10-"}});
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->status, 416);
  EXPECT_EQ(outside->get_header_value("Content-Range"), "bytes */10");
  const auto several = c.Get("/digits.txt", {{"Range", "bytes=0-1,4-5"}});
  ASSERT_TRUE(several);
  EXPECT_EQ(several->status, 200);
  EXPECT_EQ(several->body, "0123456789");
  const auto absent = c.Get("/absent", {{"Range", "bytes=0-1"}});
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->status, 404);
  EXPECT_EQ(absent->body, "There is no such file here.\n");
}

TEST_F(Serve, ObeysIfRange) {
  httplib::Client c = client();
  const std::string tag = c.Head("/digits.txt")->get_header_value("ETag");
  EXPECT_EQ(c.Get("/digits.txt", {{"Range", "bytes=2-5"}, {"If-Range", tag}})->body, "2345");
  EXPECT_EQ(c.Get("/digits.txt", {{"Range", "bytes=2-5"}, {"If-Range", "\"older\""}})->body, "0123456789");
}

TEST_F(Serve, CompressesChunksForClientsThatTakeGzip) {
  httplib::Client c = client();
  const auto packed = c.Get(chunk_path, {{"Accept-Encoding", "br, gzip;q=0.8"}});
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->get_header_value("Content-Encoding"), "gzip");
  EXPECT_LT(packed->body.size(), chunk.size() / 50);
  EXPECT_EQ(packed->get_header_value("Vary"), "Accept-Encoding");
  c.set_decompress(true);
  EXPECT_EQ(c.Get(chunk_path, {{"Accept-Encoding", "gzip"}})->body, chunk);
  c.set_decompress(false);
  for (const std::string accepted : {"", "br", "identity", "gzip;q=0", "xgzip"}) {
    const auto plain = c.Get(chunk_path, {{"Accept-Encoding", accepted}});
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->has_header("Content-Encoding")) << accepted;
    EXPECT_EQ(plain->body, chunk) << accepted;
  }
  EXPECT_FALSE(c.Get("/picture.png", {{"Accept-Encoding", "gzip"}})->has_header("Content-Encoding"));
}

TEST_F(Serve, DoesNotCompressNoise) {
  std::string noise(200'000, '\0');
  std::uint32_t state = 1;
  for (char& byte : noise) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  temporary.add("precomputed/raw/8_8_8/64-128_0-64_0-64", noise);
  const auto answer = client().Get("/precomputed/raw/8_8_8/64-128_0-64_0-64", {{"Accept-Encoding", "gzip"}});
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->has_header("Content-Encoding"));
  EXPECT_EQ(answer->body, noise);
}

TEST_F(Serve, ConfirmsWhatTheClientHas) {
  httplib::Client c = client();
  const auto first = c.Get(chunk_path, {{"Accept-Encoding", "gzip"}});
  const std::string tag = first->get_header_value("ETag");
  ASSERT_FALSE(tag.empty());
  const auto again = c.Get(chunk_path, {{"If-None-Match", tag}});
  EXPECT_EQ(again->status, 304);
  EXPECT_EQ(again->body, "");
  EXPECT_EQ(c.Get(chunk_path, {{"If-Modified-Since", first->get_header_value("Last-Modified")}})->status,
            304);
  EXPECT_EQ(c.Get(chunk_path, {{"If-None-Match", "\"other\""}})->status, 200);
  temporary.add(chunk_path.substr(1), "changed");
  EXPECT_EQ(c.Get(chunk_path, {{"If-None-Match", tag}})->body, "changed");
}

TEST_F(Serve, LetsNothingOutsideTheFolderBeReached) {
  const std::string absolute = (temporary.base() / "secret.txt").native();
  for (const std::string& target : {std::string("/../secret.txt"),
                                    std::string("/%2e%2e/secret.txt"),
                                    std::string("/%2e%2e%2fsecret.txt"),
                                    std::string("/..%2fsecret.txt"),
                                    std::string("/precomputed/../../secret.txt"),
                                    std::string("/..%5csecret.txt"),
                                    std::string("/..\\secret.txt"),
                                    std::string("/%252e%252e/secret.txt"),
                                    std::string("/%u002e%u002e/secret.txt"),
                                    std::string("/..;/secret.txt"),
                                    std::string("/outer"),
                                    std::string("/outer%00.html"),
                                    "/" + absolute,
                                    absolute,
                                    "file://" + absolute,
                                    std::string("../secret.txt"),
                                    std::string("/index.html/../../secret.txt"),
                                    std::string("/%c0%ae%c0%ae/secret.txt"),
                                    std::string("//secret.txt"),
                                    std::string("/.%00./secret.txt")}) {
    const std::string answer = get_raw(server->port(), target);
    EXPECT_EQ(answer.find("secret\n"), std::string::npos) << target;
    EXPECT_EQ(answer.find("\r\n\r\nsecret"), std::string::npos) << target;
    EXPECT_EQ(answer.find(" 200 "), std::string::npos) << target << "\n" << answer.substr(0, 200);
  }
  // And still it answers.
  EXPECT_EQ(client().Get("/digits.txt")->body, "0123456789");
}

TEST_F(Serve, SendsFoldersToTheirSlash) {
  temporary.add("sub/index.html", "sub page");
  httplib::Client c = client();
  const auto moved = c.Get("/sub?x=1");
  EXPECT_EQ(moved->status, 301);
  EXPECT_EQ(moved->get_header_value("Location"), "/sub/");
  EXPECT_EQ(c.Get("/sub/")->body, "sub page");
  EXPECT_EQ(c.Get("/precomputed/")->status, 404);
  EXPECT_EQ(c.Get("/digits.txt/")->status, 404);
}

TEST(ServePage, AnswersWhatTheFolderHasNot) {
  const TemporaryFolder data;
  const TemporaryFolder page;
  data.add("data.json", "data");
  data.add("both.txt", "of the data");
  data.add("sub/x.txt", "x");
  page.add("index.html", "another page");
  page.add("watch.html", "the page");
  page.add("both.txt", "of the page");
  page.add("assets/code.js", "code");
  fs::create_symlink("../secret.txt", page.folder() / "outer");
  const RunningServer server(
      {.folder = data.folder(), .page_folder = page.folder(), .first_page = "watch.html"});
  httplib::Client c("127.0.0.1", server.port());
  EXPECT_EQ(c.Get("/")->body, "the page");
  EXPECT_EQ(c.Get("/")->get_header_value("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(c.Get("/data.json")->body, "data");
  EXPECT_EQ(c.Get("/both.txt")->body, "of the data");
  EXPECT_EQ(c.Get("/assets/code.js")->body, "code");
  EXPECT_EQ(c.Get("/assets/code.js", {{"Range", "bytes=1-2"}})->body, "od");
  for (const char* absent : {"/outer", "/assets", "/assets/", "/sub/", "/sub/index.html", "/absent"})
    EXPECT_EQ(c.Get(absent)->status, 404) << absent;
  EXPECT_EQ(get_raw(server.port(), "/../secret.txt").find("\r\n\r\nsecret"), std::string::npos);
  data.add("index.html", "the folder's own page");
  EXPECT_EQ(c.Get("/")->body, "the folder's own page");
}

TEST_F(Serve, TellsTheTime) {
  const auto answer = client().Get("/digits.txt");
  const std::string tag = answer->get_header_value("ETag");
  const auto seconds_of = [](const std::string& date) {
    std::tm parts{};
    EXPECT_NE(::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts), nullptr) << date;
    return ::timegm(&parts);
  };
  const std::time_t age =
      seconds_of(answer->get_header_value("Date")) - seconds_of(answer->get_header_value("Last-Modified"));
  EXPECT_GE(age, 0);
  EXPECT_LT(age, 60);
  EXPECT_TRUE(client().Get("/digits.txt", {{"If-None-Match", tag}})->has_header("Date"));
}

TEST_F(Serve, RefusesOtherMethods) {
  const auto answer = client().Post("/digits.txt", "x", "text/plain");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 405);
  EXPECT_EQ(client().Delete("/digits.txt")->status, 405);
}

class ServeApi : public ::testing::Test {
 protected:
  ApiAnswer echo(const ApiRequest& request) {
    ++num_asked;
    if (request.path == "absent") return {404, "application/json", "{}"};
    return {200, "application/json", request.method + " " + request.path + " " + request.body};
  }
  ServeOptions options() {
    ServeOptions options;
    options.folder = temporary.folder();
    options.answer_api = [this](const ApiRequest& request) { return echo(request); };
    return options;
  }
  std::string own() const { return "http://127.0.0.1:" + std::to_string(server.port()); }
  httplib::Result post(const std::string& path, const httplib::Headers& headers, const std::string& body,
                       const char* type = "application/json") const {
    httplib::Client client("127.0.0.1", server.port());
    return client.Post(path, headers, body, type);
  }

  TemporaryFolder temporary;
  std::atomic<int> num_asked = 0;
  RunningServer server{options()};
};

TEST_F(ServeApi, AnswersBesideTheFiles) {
  temporary.add("page.html", "page");
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Get("/page.html")->body, "page");
  const auto answer = client.Get("/api/trials/3?x=1", {{"Range", "bytes=2-3"}, {"Accept-Encoding", "gzip"}});
  EXPECT_EQ(answer->body, "GET trials/3 ");
  EXPECT_EQ(answer->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store");
  EXPECT_FALSE(answer->has_header("Access-Control-Allow-Origin"));
  EXPECT_EQ(client.Get("/api/absent")->status, 404);
  EXPECT_EQ(client.Get("/api/../api/x")->status, 400);
  EXPECT_EQ(post("/api/answer", {{"Origin", own()}}, "{}")->body, "POST answer {}");
  EXPECT_EQ(num_asked, 3);
}

TEST_F(ServeApi, PagesOfOtherServersCannotPost) {
  for (const std::string& origin : {std::string("http://evil.example"), std::string("null"), own() + "0",
                                    std::string("http://127.0.0.1"), "http://evil.example/" + own()})
    EXPECT_EQ(post("/api/answer", {{"Origin", origin}}, "{}")->status, 403) << origin;
  EXPECT_EQ(post("/api/answer", {}, "{}")->status, 403);
  EXPECT_EQ(post("/api/answer", {{"Origin", own()}}, "{}", "text/plain")->status, 403);
  // A foreign name that leads here.
  const httplib::Headers rebound = {{"Host", "evil.example"}, {"Origin", "http://evil.example"}};
  EXPECT_EQ(post("/api/answer", rebound, "{}")->status, 403);
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Get("/api/state", {{"Host", "127.evil.example.localhost.evil:80"}})->status, 403);
  EXPECT_EQ(client.Options("/api/answer")->status, 405);
  EXPECT_EQ(client.Delete("/api/answer")->status, 405);
  EXPECT_EQ(num_asked, 0);
  // Through a tunnel the port is another.
  const httplib::Headers tunnel = {{"Host", "localhost:9000"}, {"Origin", "http://localhost:9000"}};
  EXPECT_EQ(post("/api/answer", tunnel, "{}")->status, 200);
}

TEST_F(ServeApi, BodiesAreBounded) {
  const httplib::Headers headers = {{"Origin", own()}};
  EXPECT_EQ(post("/api/answer", headers, std::string(kMaxApiBodyBytes, 'x'))->status, 200);
  EXPECT_EQ(post("/api/answer", headers, std::string(kMaxApiBodyBytes + 1, 'x'))->status, 413);
  EXPECT_EQ(num_asked, 1);
}

// Whole requests, so that nothing is tidied; the answer ends where the server closes the connection.
TEST_F(ServeApi, BodiesOfNoStatedLengthStayUnread) {
  const std::string head =
      "POST /api/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const std::string own_origin = "Origin: http://localhost\r\n";
  // What stays unread must not be taken for a request.
  const std::string hidden = head + own_origin + "Content-Length: 2\r\n\r\n{}";
  for (const char* headers :
       {"", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nContent-Encoding: gzip\r\n", "Content-Length: x\r\n", "Content-Length: -1\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 99999999999999999999\r\n"}) {
    const std::string answer = raw_answer(server.port(), head + own_origin + headers + "\r\n" + hidden);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 411")) << headers << answer;
    EXPECT_NE(answer.find("Expected a plain body of a stated length.\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
    const std::string foreign =
        raw_answer(server.port(), head + "Origin: http://evil.example\r\n" + headers + "\r\n" + hidden);
    EXPECT_TRUE(foreign.starts_with("HTTP/1.1 403")) << headers << foreign;
  }
  const std::string elsewhere =
      "POST /page.html HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(hidden.size()) +
      "\r\n\r\n" + hidden;
  EXPECT_TRUE(raw_answer(server.port(), elsewhere).starts_with("HTTP/1.1 405"));
  EXPECT_EQ(num_asked, 0);
}

TEST_F(ServeApi, ForeignNamesLeadNowhereWhereOtherMachinesAreLetIn) {
  ServeOptions open = options();
  open.host = "0.0.0.0";
  const RunningServer everywhere(open);
  httplib::Client client("127.0.0.1", everywhere.port());
  const auto status = [&](const std::string& host) {
    return client.Get("/api/state", {{"Host", host}})->status;
  };
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);
  for (const std::string& own : {std::string("10.1.2.3:8080"), std::string("[fe80::1]:8080"),
                                 std::string("localhost:9000"), std::string(name.data()) + ":80"})
    EXPECT_EQ(status(own), 200) << own;
  for (const char* foreign : {"evil.example", "10.1.2.3.evil.example:80", "0.evil", "[evil]:80", ":80"})
    EXPECT_EQ(status(foreign), 403) << foreign;
  const httplib::Headers rebound = {{"Host", "evil.example"}, {"Origin", "http://evil.example"}};
  EXPECT_EQ(client.Post("/api/answer", rebound, "{}", "application/json")->status, 403);
}

TEST(ServePage, IsForPagesOfThisServerAlone) {
  const TemporaryFolder data;
  const TemporaryFolder page;
  data.add("data.json", "data");
  const RunningServer server({.folder = data.folder(), .page_folder = page.folder()});
  httplib::Client client("127.0.0.1", server.port());
  const auto answer = client.Get("/data.json", {{"Origin", "http://evil.example"}});
  EXPECT_EQ(answer->body, "data");
  for (const auto& [header, value] : answer->headers)
    EXPECT_FALSE(header.starts_with("Access-Control")) << header;
  EXPECT_EQ(answer->get_header_value("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(client.Get("/data.json", {{"Host", "evil.example"}})->status, 403);
}

TEST_F(Serve, WithoutAProgramThereIsNoPlaceToPostTo) {
  EXPECT_EQ(client().Get("/api/state")->status, 404);
  EXPECT_EQ(client().Post("/api/answer", "{}", "application/json")->status, 405);
}

TEST_F(Serve, AnswersManyClientsAtOnce) {
  std::vector<std::future<bool>> answers;
  for (int i = 0; i < 16; ++i) {
    answers.push_back(std::async(std::launch::async, [this] {
      httplib::Client c = client();
      c.set_keep_alive(true);
      for (int k = 0; k < 10; ++k) {
        const auto answer = c.Get(chunk_path);
        if (!answer || answer->body != chunk) return false;
      }
      return true;
    }));
  }
  for (std::future<bool>& answer : answers) EXPECT_TRUE(answer.get());
}

TEST_F(Serve, TakesTheNextPortWhereOneIsBusyAndFailsWhereToldTo) {
  const RunningServer second({.folder = temporary.folder(), .port = server->port()});
  EXPECT_NE(second.port(), server->port());
  try {
    serve(
        {.folder = temporary.folder(), .port = server->port(), .busy_port = BusyPort::kFail},
        [](const std::string&) { FAIL() << "it listened on a busy port"; }, [] { return true; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_NE(error.message().find(std::to_string(server->port())), std::string::npos) << error.message();
  }
}

TEST_F(Serve, StopsSoonThoughAConnectionIsOpen) {
  httplib::Client c = client();
  c.set_keep_alive(true);
  ASSERT_TRUE(c.Get("/digits.txt"));
  const int idle = connect_to(server->port());
  const Clock::time_point begin = Clock::now();
  server->stop();
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(2000));
  ::close(idle);
}

TEST(ServeErrors, NameTheFolder) {
  const TemporaryFolder temporary;
  const auto kind_of = [](const fs::path& folder) {
    try {
      serve(
          {.folder = folder, .port = 0}, [](const std::string&) {}, [] { return true; });
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInternal;
  };
  EXPECT_EQ(kind_of(temporary.folder() / "absent"), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(temporary.base() / "secret.txt"), ErrorKind::kInvalidArgument);
  try {
    serve(
        {.folder = temporary.folder(), .page_folder = temporary.base() / "no_page", .port = 0},
        [](const std::string&) { FAIL() << "it served no page"; }, [] { return true; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("no_page"), std::string::npos) << error.message();
  }
}

TEST(ServeOptions, ListensOnThisMachineOnlyUnlessTold) { EXPECT_EQ(ServeOptions{}.host, "127.0.0.1"); }

}  // namespace
}  // namespace organon::server
