#include "organon/storage/stores/s3_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "organon/base/command.h"
#include "organon/base/error.h"
#include "organon/storage/stores/testing/bytes.h"
#include "organon/storage/stores/testing/faulty_proxy.h"
#include "organon/storage/stores/testing/s3_server.h"

namespace organon::storage::testing {
namespace {

using Kind = Fault::Kind;

constexpr std::size_t kPartBytes = std::size_t{5} << 20;

/// A bucket of a real server, and a proxy before it.
class S3Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    ORGANON_REQUIRE_S3_SERVER();
    bucket_ = S3Server::instance().make_bucket();
    proxy_ = std::make_unique<FaultyProxy>(S3Server::instance().port());
    store_ = make_store(behind_proxy());
    direct_ = make_store(S3Server::instance().settings());
  }

  AwsSettings behind_proxy() const {
    AwsSettings settings = S3Server::instance().settings();
    settings.endpoint_url = proxy_->url();
    return settings;
  }
  // Not hasty as a rule: the tests of a busy machine are slow too.
  std::unique_ptr<S3Store> make_store(const AwsSettings& settings, double low_speed_seconds = 30) const {
    const HttpOptions http = {
        .max_tries = 6, .low_speed_seconds = low_speed_seconds, .first_pause_seconds = 0.01};
    return std::make_unique<S3Store>(
        bucket_,
        S3Options{.aws = settings, .http = http, .max_single_bytes = kPartBytes, .part_bytes = kPartBytes});
  }
  static std::vector<std::byte> value_of(std::size_t size, unsigned seed = 1) {
    std::vector<std::byte> value(size);
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<std::byte>((i + seed) * 2654435761u >> 13);
    return value;
  }
  Error error_of(const std::function<void()>& call) const {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "no error");
  }
  /// What is there, asked without the proxy.
  std::optional<std::vector<std::byte>> there(const std::string& key) const {
    return direct_->read(key, Store::kMaxReadBytes);
  }

  std::string bucket_;
  std::unique_ptr<FaultyProxy> proxy_;
  std::unique_ptr<S3Store> store_;
  std::unique_ptr<S3Store> direct_;
};

std::vector<std::pair<std::string, Fault>> passing_faults(const std::string& in_line) {
  std::vector<std::pair<std::string, Fault>> faults = {
      {"refused", {Kind::kRefuse}},
      {"cut", {Kind::kCutHead}},
      {"lost", {Kind::kLoseAnswer}},
      {"500", answering("500 Internal Server Error")},
      {"503", answering("503 Slow Down")},
      {"429", answering("429 Too Many Requests", "Retry-After: 0\r\n")},
      {"400", answering("400 Bad Request")},
  };
  const std::string body = "<Error><Code>RequestTimeout</Code><Message>m</Message></Error>";
  faults.back().second.answer =
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  for (auto& fault : faults) fault.second.in_line = in_line;
  return faults;
}

TEST_F(S3Faults, WritesSurviveWhatPasses) {
  unsigned seed = 0;
  for (const auto& [name, fault] : passing_faults("PUT")) {
    const std::vector<std::byte> value = value_of(50'000, ++seed);
    proxy_->add(fault, 2);
    store_->write("a/" + name, value);
    EXPECT_EQ(there("a/" + name), value) << name;
    EXPECT_EQ(proxy_->num_waiting(), 0u) << name;
  }
}

TEST_F(S3Faults, ReadsSurviveWhatPasses) {
  const std::vector<std::byte> value = value_of(50'000);
  direct_->write("a", value);
  for (const auto& [name, fault] : passing_faults("GET")) {
    proxy_->add(fault, 2);
    EXPECT_EQ(store_->read("a", Store::kMaxReadBytes), value) << name;
    proxy_->add(fault, 1);
    EXPECT_EQ(store_->list(""), std::vector<std::string>{"a"}) << name;
    EXPECT_EQ(proxy_->num_waiting(), 0u) << name;
  }
  proxy_->add({Kind::kSlowAnswer, "GET", 100});
  EXPECT_EQ(make_store(behind_proxy(), 3)->read("a", Store::kMaxReadBytes), value);
  EXPECT_EQ(proxy_->num_waiting(), 0u);
  proxy_->add({Kind::kEndAnswer, "GET", 49'999});
  proxy_->add({Kind::kResetAnswer, "GET", 20'000});
  proxy_->add({Kind::kResetAnswer, "GET"});
  EXPECT_EQ(store_->read("a", Store::kMaxReadBytes), value);
  EXPECT_EQ(proxy_->num_waiting(), 0u);
}

// The law that matters most: success only where the server has the value.
TEST_F(S3Faults, WritesThatFailSaySo) {
  for (const auto& [name, fault] : passing_faults("PUT")) {
    const std::string key = "a/" + name;
    direct_->write(key, bytes_of("old"));
    proxy_->add(fault, 6);
    const Error error = error_of([&] { store_->write(key, value_of(1000)); });
    EXPECT_EQ(error.kind(), ErrorKind::kIo) << name;
    EXPECT_NE(error.message().find("PUT"), std::string::npos) << error.what();
    EXPECT_EQ(proxy_->num_waiting(), 0u) << name;
    // Where the server did as asked and could not say so, the value is there; else the old one stands.
    const bool arrived = fault.kind != Kind::kAnswer && fault.kind != Kind::kRefuse;
    EXPECT_EQ(there(key), arrived ? value_of(1000) : bytes_of("old")) << name;
  }
}

TEST_F(S3Faults, DamagedUploadsAreRefused) {
  direct_->write("a", bytes_of("old"));
  proxy_->add({Kind::kDamageRequest, "PUT"}, 100);
  const Error error = error_of([&] { store_->write("a", value_of(1000)); });
  EXPECT_EQ(error.kind(), ErrorKind::kIo) << error.what();
  EXPECT_EQ(there("a"), bytes_of("old"));
  const Error in_parts = error_of([&] { store_->write("a", value_of(kPartBytes + 1)); });
  EXPECT_EQ(in_parts.kind(), ErrorKind::kIo) << in_parts.what();
  EXPECT_EQ(there("a"), bytes_of("old"));
}

TEST_F(S3Faults, LargeValuesGoUpInParts) {
  const std::vector<std::byte> value = value_of(3 * kPartBytes + 12'345);
  store_->write("large", value);
  EXPECT_EQ(proxy_->count("partNumber="), 4);
  EXPECT_TRUE(there("large") == value);
  EXPECT_EQ(store_->read_range("large", kPartBytes - 2, 4),
            (std::vector<std::byte>(value.begin() + kPartBytes - 2, value.begin() + kPartBytes + 2)));
}

TEST_F(S3Faults, PartsSurviveWhatPasses) {
  const std::vector<std::byte> value = value_of(2 * kPartBytes + 1);
  for (const char* line : {"?uploads", "partNumber=2", "?uploadId="}) {
    for (const auto& [name, fault] : passing_faults(line)) {
      // A second upload is begun where the answer to the first was lost; both end.
      proxy_->add(fault);
      store_->write("large", value);
      EXPECT_TRUE(there("large") == value) << line << " " << name;
      EXPECT_TRUE(direct_->remove("large"));
      EXPECT_EQ(proxy_->num_waiting(), 0u) << line << " " << name;
    }
  }
}

// The upload is completed, its answer lost, and the next try hears that there is no such upload.
TEST_F(S3Faults, LostAnswersToTheCompletionAreFoundOut) {
  const std::vector<std::byte> value = value_of(kPartBytes + 1);
  for (const Kind kind : {Kind::kLoseAnswer, Kind::kCutHead, Kind::kEndAnswer}) {
    proxy_->add({kind, "?uploadId="});
    store_->write("large", value);
    EXPECT_EQ(proxy_->num_waiting(), 0u);
    EXPECT_TRUE(there("large") == value);
  }
}

TEST_F(S3Faults, CompletionsThatFailWithSuccessAreNoSuccess) {
  const std::string body =
      "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>m</Message></Error>";
  proxy_->add({Kind::kAnswer, "?uploadId=", 0,
               "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body},
              6);
  const Error error = error_of([&] { store_->write("large", value_of(kPartBytes + 1)); });
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_NE(error.message().find("InternalError"), std::string::npos) << error.what();
  EXPECT_FALSE(there("large"));
  EXPECT_EQ(proxy_->count("DELETE"), 1);
}

TEST_F(S3Faults, UploadsThatFailAreTakenBack) {
  direct_->write("large", bytes_of("old"));
  Fault forbidden = answering("403 Forbidden");
  forbidden.in_line = "partNumber=2";
  proxy_->add(forbidden);
  EXPECT_EQ(error_of([&] { store_->write("large", value_of(kPartBytes + 1)); }).kind(), ErrorKind::kIo);
  EXPECT_EQ(proxy_->count("DELETE"), 1);

  const auto refuse = [] { throw std::runtime_error("claim lost"); };
  EXPECT_THROW(store_->write("large", value_of(kPartBytes + 1), Fsync::kYes, refuse), std::runtime_error);
  EXPECT_EQ(proxy_->count("DELETE"), 2);
  EXPECT_EQ(proxy_->count("POST"), 2);  // both began, none was completed
  EXPECT_EQ(there("large"), bytes_of("old"));
}

TEST_F(S3Faults, BeforeCommitIsAskedAtEachTry) {
  proxy_->add(answering("503 Slow Down"), 2);
  int num_asked = 0;
  store_->write("a", bytes_of("1"), Fsync::kYes, [&] { ++num_asked; });
  EXPECT_EQ(num_asked, 3);
}

TEST_F(S3Faults, WrongKeysAreNamedByTheServersCode) {
  direct_->write("a", bytes_of("1"));
  AwsSettings settings = S3Server::instance().settings();
  settings.credentials->secret_access_key = "wrong";
  const Error wrong_secret = error_of([&] { make_store(settings)->read("a", 10); });
  EXPECT_EQ(wrong_secret.kind(), ErrorKind::kIo);
  EXPECT_NE(wrong_secret.message().find("403, SignatureDoesNotMatch"), std::string::npos)
      << wrong_secret.what();
  EXPECT_EQ(wrong_secret.message().find("(6 tries)"), std::string::npos) << wrong_secret.what();
  EXPECT_THROW(make_store(settings)->exists("a"), Error);
  EXPECT_THROW(make_store(settings)->write("a", {}), Error);
  EXPECT_THROW(make_store(settings)->list(""), Error);
  EXPECT_THROW(make_store(settings)->remove("a"), Error);
  settings.credentials->access_key_id = "nobody";
  const Error wrong_id = error_of([&] { make_store(settings)->read("a", 10); });
  // versitygw says so with status 404, which must not pass for absent.
  EXPECT_NE(wrong_id.message().find("access key ID"), std::string::npos) << wrong_id.what();
  EXPECT_THROW(make_store(settings)->exists("a"), Error);
  EXPECT_EQ(there("a"), bytes_of("1"));
}

TEST_F(S3Faults, AnonymousReadersOfPublicBuckets) {
  direct_->write("folder/a", bytes_of("1"));
  AwsSettings settings = S3Server::instance().settings();
  settings.credentials.reset();
  const auto anonymous = make_store(settings);
  S3Server::instance().make_readable(bucket_);
  EXPECT_EQ(anonymous->read("folder/a", 10), bytes_of("1"));
  EXPECT_TRUE(anonymous->exists("folder/a"));
  EXPECT_FALSE(anonymous->read("folder/b", 10));
  EXPECT_FALSE(anonymous->exists("folder/b"));
  EXPECT_EQ(error_of([&] { anonymous->list("folder"); }).kind(), ErrorKind::kIo);
  EXPECT_EQ(error_of([&] { anonymous->write("b", {}); }).kind(), ErrorKind::kIo);
}

TEST_F(S3Faults, BucketsThatAreNoneAreNotFound) {
  bucket_ = "no-such-bucket";
  const auto store = make_store(S3Server::instance().settings());
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { store->read("a", 1); }, [&] { store->list(""); }, [&] { store->write("a", {}); }}) {
    const Error error = error_of(call);
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound) << error.what();
    EXPECT_NE(error.message().find("NoSuchBucket"), std::string::npos) << error.what();
  }
}

TEST_F(S3Faults, TheRightRegionIsTakenFromTheServer) {
  direct_->write("a", bytes_of("1"));
  AwsSettings settings = behind_proxy();
  settings.region = "eu-north-1";
  const auto store = make_store(settings);
  // As Amazon answers; versitygw's own word follows below.
  proxy_->add(answering("301 Moved Permanently", "x-amz-bucket-region: us-east-1\r\n"));
  EXPECT_EQ(store->read("a", 10), bytes_of("1"));
  EXPECT_EQ(proxy_->count("GET"), 2);
  EXPECT_EQ(store->read("a", 10), bytes_of("1"));
  EXPECT_EQ(proxy_->count("GET"), 3);
  // A region that is none is not asked for.
  proxy_->add(answering("301 Moved Permanently", "x-amz-bucket-region: evil.example/\r\n"));
  EXPECT_EQ(error_of([&] { store->read("a", 10); }).kind(), ErrorKind::kIo);
}

TEST_F(S3Faults, AWrongRegionIsMendedOrNamed) {
  direct_->write("a", bytes_of("1"));
  AwsSettings settings = S3Server::instance().settings();
  settings.region = "eu-north-1";
  try {
    EXPECT_EQ(make_store(settings)->read("a", 10), bytes_of("1"));
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("region"), std::string::npos) << error.what();
  }
}

TEST_F(S3Faults, ListsOfManyPages) {
  std::vector<std::string> expected(1100);
  {
    std::vector<std::jthread> writers;
    for (std::size_t begin = 0; begin < 4; ++begin) {
      writers.emplace_back([&, begin] {
        for (std::size_t i = begin; i < expected.size(); i += 4) {
          expected[i] = "k" + std::to_string(10'000 + i);
          direct_->write("many/" + expected[i], {});
        }
      });
    }
  }
  EXPECT_EQ(store_->list("many"), expected);
  EXPECT_EQ(proxy_->count("list-type=2"), 2);
}

TEST_F(S3Faults, ForgedListsAreRefused) {
  for (const std::string& body :
       {std::string("<ListBucketResult><Contents><Key>elsewhere/a</Key></Contents></ListBucketResult>"),
        std::string("<!DOCTYPE a><ListBucketResult/>"), std::string("<html/>"), std::string("")}) {
    proxy_->add({Kind::kAnswer, "GET", 0,
                 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                     "\r\n\r\n" + body});
    EXPECT_EQ(error_of([&] { store_->list("folder"); }).kind(), ErrorKind::kCorruptData) << body;
  }
}

TEST_F(S3Faults, EmptyKeysNeverReachTheBucketItself) {
  EXPECT_FALSE(store_->read("", 10));
  EXPECT_FALSE(store_->exists(""));
  EXPECT_FALSE(store_->remove(""));
  EXPECT_EQ(error_of([&] { store_->write("", {}); }).kind(), ErrorKind::kInvalidArgument);
  EXPECT_TRUE(proxy_->lines().empty());
}

/// Debian's awscli, which shares no code with us.
class AwsClient : public S3Faults {
 protected:
  static std::string program() { return std::filesystem::exists("/usr/bin/aws") ? "/usr/bin/aws" : "aws"; }
  void SetUp() override {
    S3Faults::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (run_command({program(), "--version"}).exit_code != 0) {
      ASSERT_FALSE(organon::testing::is_continuous_integration()) << "no awscli";
      GTEST_SKIP() << "MISSING awscli";
    }
  }
  void aws(std::vector<std::string> words) const {
    words.insert(words.begin(),
                 {"env", "AWS_ACCESS_KEY_ID=organon", "AWS_SECRET_ACCESS_KEY=organon-test-secret",
                  "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", program(),
                  "--endpoint-url", S3Server::instance().url()});
    const CommandResult result = run_command(words);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  std::vector<std::byte> read_back(const std::string& name) const {
    const auto bytes = read_file_if_exists(folder_.path() / name);
    return bytes ? *bytes : std::vector<std::byte>();
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string s3(const std::string& key) const { return "s3://" + bucket_ + "/" + key; }

  organon::testing::TemporaryFolder folder_;
};

TEST_F(AwsClient, ReadsWhatWeWrite) {
  const std::vector<std::byte> small = value_of(1234);
  const std::vector<std::byte> large = value_of(2 * kPartBytes + 77);
  store_->write("ours/with space+%41\xc3\xbc", small);
  store_->write("ours/large", large);
  aws({"s3", "cp", "--recursive", s3("ours"), path("got")});
  EXPECT_EQ(read_back("got/with space+%41\xc3\xbc"), small);
  EXPECT_TRUE(read_back("got/large") == large);
}

TEST_F(AwsClient, WritesWhatWeRead) {
  const std::vector<std::byte> small = value_of(4321);
  const std::vector<std::byte> large = value_of(std::size_t{20} << 20);  // awscli sends it in parts
  write_file_atomically(path("sent/with space+%41\xc3\xbc"), small, Fsync::kNo);
  write_file_atomically(path("sent/sub/large"), large, Fsync::kNo);
  aws({"s3", "cp", "--recursive", path("sent"), s3("theirs")});
  EXPECT_EQ(store_->read("theirs/with space+%41\xc3\xbc", Store::kMaxReadBytes), small);
  EXPECT_TRUE(store_->read("theirs/sub/large", Store::kMaxReadBytes) == large);
  EXPECT_EQ(store_->list("theirs"), (std::vector<std::string>{"sub/", "with space+%41\xc3\xbc"}));
  EXPECT_TRUE(store_->remove("theirs/sub/large"));
}

TEST(S3Store, RefusesUnsoundNames) {
  for (const char* bucket : {"", "ab", "a/b", "a@b.c", "a b", "..", ".abc", "a:80", "a?b"}) {
    EXPECT_THROW(S3Store(bucket, {}), Error) << bucket;
  }
  for (const char* endpoint : {"host", "ftp://host", "http://", "http://a?b", "http://u:p@host"}) {
    EXPECT_THROW(S3Store("bucket", {.aws = {.endpoint_url = endpoint}}), Error) << endpoint;
  }
  EXPECT_THROW(S3Store("bucket", {.aws = {.region = "a.b/c"}}), Error);
}

}  // namespace
}  // namespace organon::storage::testing
