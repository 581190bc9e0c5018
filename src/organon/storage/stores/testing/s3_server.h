#pragma once

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "organon/base/testing/test_data.h"
#include "organon/storage/stores/s3_store.h"
#include "organon/storage/stores/testing/child_process.h"

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

  AwsSettings settings() const {
    return {.credentials = AwsCredentials{"organon", "organon-test-secret", ""},
            .region = "us-east-1",
            .endpoint_url = url()};
  }

  /// Where buckets are folders and values files.
  std::filesystem::path data_folder() const { return folder_.path() / "data"; }

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
    for (const char* name : {"data", "metadata"}) std::filesystem::create_directory(folder_.path() / name);
    const auto inside = [&](const char* name) { return (folder_.path() / name).string(); };
    process_.emplace(
        std::vector<std::string>{program().string(), "--access", "organon", "--secret", "organon-test-secret",
                                 "--region", "us-east-1", "--port", "127.0.0.1:" + std::to_string(port_),
                                 "posix", "--sidecar", inside("metadata"), inside("data")},
        inside("log"));
    process_->wait_for_port(port_);
  }

  organon::testing::TemporaryFolder folder_;
  int port_;
  std::optional<ChildProcess> process_;
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
