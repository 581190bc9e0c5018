#include "organon/storage/stores/aws_config.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"

namespace organon::storage {
namespace {

/// A home folder and the variables of a process.
class AwsSettingsTest : public ::testing::Test {
 protected:
  void write_file(const std::string& name, const std::string& text) const {
    write_text_atomically(folder_.path() / ".aws" / name, text, Fsync::kNo);
  }
  AwsSettings find(std::map<std::string, std::string> variables) const {
    variables.emplace("HOME", folder_.path().string());
    return find_aws_settings([&](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
  }
  ErrorKind error_kind(const std::map<std::string, std::string>& variables) const {
    try {
      find(variables);
    } catch (const Error& error) {
      message_ = error.message();
      return error.kind();
    }
    return ErrorKind::kInternal;
  }
  const std::string& folder() const { return name_; }

  organon::testing::TemporaryFolder folder_;
  std::string name_ = folder_.path().string();
  mutable std::string message_;
};

TEST_F(AwsSettingsTest, NothingMeansAnonymousAtAmazon) {
  const AwsSettings settings = find({});
  EXPECT_FALSE(settings.credentials);
  EXPECT_EQ(settings.region, "us-east-1");
  EXPECT_EQ(settings.endpoint_url, "");
}

TEST_F(AwsSettingsTest, TheEnvironmentWins) {
  write_file("credentials", "[default]\naws_access_key_id = file\naws_secret_access_key = secret\n");
  write_file("config", "[default]\nregion = eu-west-1\nendpoint_url = http://file:1\n");
  const AwsSettings settings = find({{"AWS_ACCESS_KEY_ID", "id"},
                                     {"AWS_SECRET_ACCESS_KEY", "key"},
                                     {"AWS_SESSION_TOKEN", "token"},
                                     {"AWS_REGION", "a"},
                                     {"AWS_DEFAULT_REGION", "b"},
                                     {"AWS_ENDPOINT_URL", "http://all"},
                                     {"AWS_ENDPOINT_URL_S3", "http://s3"}});
  ASSERT_TRUE(settings.credentials);
  EXPECT_EQ(settings.credentials->access_key_id, "id");
  EXPECT_EQ(settings.credentials->secret_access_key, "key");
  EXPECT_EQ(settings.credentials->session_token, "token");
  EXPECT_EQ(settings.region, "a");
  EXPECT_EQ(settings.endpoint_url, "http://s3");
}

TEST_F(AwsSettingsTest, ProfilesOfBothFiles) {
  write_file("credentials",
             "# comment\n[default]\naws_access_key_id=one\naws_secret_access_key=two\n\n[lab]\n"
             "aws_access_key_id = LAB # mine\naws_secret_access_key = a/b+c=\naws_session_token = t==\n");
  write_file(
      "config",
      "[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n[profile lab]\nregion = us-west-2\n"
      "endpoint_url = http://lab:9000\n[profile away]\nservices = here\n[services here]\ns3 =\n"
      "  endpoint_url = http://services\n");
  EXPECT_EQ(find({}).credentials->access_key_id, "one");
  EXPECT_EQ(find({}).region, "eu-west-1");
  const AwsSettings lab = find({{"AWS_PROFILE", "lab"}});
  EXPECT_EQ(lab.credentials->access_key_id, "LAB");
  EXPECT_EQ(lab.credentials->secret_access_key, "a/b+c=");
  EXPECT_EQ(lab.credentials->session_token, "t==");
  EXPECT_EQ(lab.region, "us-west-2");
  EXPECT_EQ(lab.endpoint_url, "http://lab:9000");
  EXPECT_EQ(find({{"AWS_PROFILE", "away"}}).endpoint_url, "http://services");
}

TEST_F(AwsSettingsTest, FilesMayLieElsewhere) {
  write_file("other", "[default]\naws_access_key_id=one\naws_secret_access_key=two\n");
  EXPECT_EQ(find({{"AWS_SHARED_CREDENTIALS_FILE", folder() + "/.aws/other"}}).credentials->access_key_id,
            "one");
  write_file("other_config", "[default]\nregion = r\n");
  EXPECT_EQ(find({{"AWS_CONFIG_FILE", folder() + "/.aws/other_config"}}).region, "r");
}

TEST_F(AwsSettingsTest, AnonymousByWish) {
  EXPECT_FALSE(
      find({{"AWS_ACCESS_KEY_ID", "id"}, {"AWS_SECRET_ACCESS_KEY", "key"}, {"ORGANON_S3_ANONYMOUS", "1"}})
          .credentials);
}

TEST_F(AwsSettingsTest, RefusesWhatWouldSilentlyBeAnonymous) {
  EXPECT_EQ(error_kind({{"AWS_PROFILE", "nobody"}}), ErrorKind::kNotFound);
  EXPECT_EQ(error_kind({{"AWS_ACCESS_KEY_ID", "id"}}), ErrorKind::kInvalidArgument);
  write_file("config", "[profile sso]\nsso_session = lab\n");
  EXPECT_EQ(error_kind({{"AWS_PROFILE", "sso"}}), ErrorKind::kUnsupported);
  EXPECT_NE(message_.find("export-credentials --profile sso"), std::string::npos) << message_;
}

TEST_F(AwsSettingsTest, BrokenFilesAreNamedAndNotShown) {
  write_file("credentials", "[default]\naws_secret_access_key secret\n");
  EXPECT_EQ(error_kind({}), ErrorKind::kCorruptData);
  EXPECT_NE(message_.find("credentials: line 2"), std::string::npos) << message_;
  EXPECT_EQ(message_.find("aws_secret"), std::string::npos) << message_;
  for (const char* text : {"a = b\n", "[default\n", "[a]\n= b\n"})
    EXPECT_THROW(parse_aws_file(text), Error) << text;
}

}  // namespace
}  // namespace organon::storage
