#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "organon/base/testing/test_data.h"
#include "organon/storage/stores/s3_store.h"
#include "organon/storage/stores/testing/sockets.h"

namespace organon::storage::testing {

/// A real S3 server of other people (versitygw, which checks each signature) on a free port of this machine,
/// with its values in a folder of its own. tools/install_s3_server installs it.
class S3Server {
 public:
  /// ORGANON_S3_SERVER, else where tools/install_s3_server puts it.
  static std::filesystem::path program() {
    if (const char* path = std::getenv("ORGANON_S3_SERVER")) return path;
    return std::filesystem::path(ORGANON_SOURCE_FOLDER) / "out" / "tools" / "versitygw";
  }
  /// Why there is none; empty where there is one.
  static std::string missing() {
    if (std::filesystem::exists(program())) return {};
    return "MISSING S3 SERVER " + program().string() + " (tools/install_s3_server installs it)";
  }
  /// The one of this process.
  static S3Server& instance() {
    static S3Server server;
    return server;
  }

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string log() const { return read_text(folder_.path() / "log"); }

  AwsSettings settings() const {
    return {.credentials = AwsCredentials{"organon", "organon-test-secret", ""},
            .region = "us-east-1",
            .endpoint_url = url()};
  }

  /// A bucket of a name not used before: its POSIX backend takes folders for buckets.
  std::string make_bucket() {
    const std::string bucket = "bucket-" + std::to_string(num_buckets_++);
    std::filesystem::create_directory(folder_.path() / "data" / bucket);
    return bucket;
  }
  /// Lets everyone read its values, but not list them: as public buckets often are.
  void make_readable(const std::string& bucket) const {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],)"
        R"("Resource":["arn:aws:s3:::)" +
        bucket + R"(/*"]}]})";
    const HttpAnswer answer = put(bucket, {{"policy", ""}}, policy);
    if (!answer.is_success()) throw std::runtime_error("no policy: " + std::string(answer.text()));
  }

  ~S3Server() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }

 private:
  HttpAnswer put(const std::string& bucket, const HttpHeaders& query, const std::string& body) const {
    const std::time_t now = std::time(nullptr);
    std::tm utc = {};
    ::gmtime_r(&now, &utc);
    char time[17];
    std::strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &utc);
    HttpRequest request;
    request.method = "PUT";
    request.url = url() + "/" + bucket + "?" + aws_query(query);
    request.body = std::as_bytes(std::span(body));
    request.headers = {{"x-amz-content-sha256", sha256_hex(body)}, {"x-amz-date", time}};
    AwsRequest to_sign = {"PUT", "/" + bucket, query, request.headers, sha256_hex(body)};
    to_sign.headers.emplace_back("host", "127.0.0.1:" + std::to_string(port_));
    request.headers.emplace_back("authorization", aws_authorization(to_sign, *settings().credentials,
                                                                    {.time = time, .region = "us-east-1"}));
    return send([&] { return request; }, {});
  }

  S3Server() : port_(free_port()) {
    const std::filesystem::path data = folder_.path() / "data";
    std::filesystem::create_directory(data);
    const std::string log = (folder_.path() / "log").string();
    const std::string sidecar = (folder_.path() / "metadata").string();
    std::filesystem::create_directory(sidecar);
    const std::string address = "127.0.0.1:" + std::to_string(port_);
    const std::string path = program().string();
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
      ::dup2(output, 1);
      ::dup2(output, 2);
      ::execl(path.c_str(), path.c_str(), "--access", "organon", "--secret", "organon-test-secret",
              "--region", "us-east-1", "--port", address.c_str(), "posix", "--sidecar", sidecar.c_str(),
              data.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    for (int i = 0; i < 400; ++i) {
      if (Socket().connect(port_)) return;
      if (::waitpid(process_, nullptr, WNOHANG) != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error("the S3 server does not start: " + this->log());
  }

  organon::testing::TemporaryFolder folder_;
  int port_;
  ::pid_t process_ = -1;
  int num_buckets_ = 0;
};

/// Skips loudly where there is no S3 server, and fails where CI=true.
#define ORGANON_REQUIRE_S3_SERVER()                                               \
  do {                                                                            \
    const std::string missing = ::organon::storage::testing::S3Server::missing(); \
    if (!missing.empty()) {                                                       \
      ASSERT_FALSE(::organon::testing::is_continuous_integration()) << missing;   \
      GTEST_SKIP() << missing;                                                    \
    }                                                                             \
  } while (false)

}  // namespace organon::storage::testing
