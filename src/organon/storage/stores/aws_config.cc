#include "organon/storage/stores/aws_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::storage {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// "value # comment".
std::string_view without_comment(std::string_view value) {
  for (const std::string_view mark : {" #", " ;", "\t#", "\t;"}) value = value.substr(0, value.find(mark));
  return value;
}

AwsFile read_aws_file(const std::string& path) {
  const auto bytes = read_file_if_exists(path, kMaxFileBytes);
  if (!bytes) return {};
  try {
    return parse_aws_file({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  } catch (const Error& error) {
    throw error.within(path);
  }
}

}  // namespace

AwsFile parse_aws_file(std::string_view text) {
  AwsFile file;
  std::map<std::string, std::string>* section = nullptr;
  std::string parent;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::size_t line_end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, line_end);
    text.remove_prefix(std::min(line_end + 1, text.size()));
    const std::string_view line = trimmed(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto fail = [&](std::string_view expected) {
      throw Error(ErrorKind::kCorruptData, fmt::format("line {}: expected {}", line_number, expected));
    };
    const bool is_nested = raw.front() == ' ' || raw.front() == '\t';
    if (line.front() == '[' && !is_nested) {
      const std::size_t end = line.find(']');
      if (end == std::string_view::npos) fail("a ] after [");
      section = &file[std::string(trimmed(line.substr(1, end - 1)))];
      parent.clear();
      continue;
    }
    const std::size_t equals = line.find('=');
    if (section == nullptr) fail("a [section] first");
    if (equals == std::string_view::npos || equals == 0) fail("name = value");
    std::string name(trimmed(line.substr(0, equals)));
    const std::string_view value = trimmed(without_comment(line.substr(equals + 1)));
    if (is_nested && !parent.empty()) {
      name = parent + "." + name;
    } else {
      parent = value.empty() ? name : std::string();
    }
    (*section)[name] = value;
  }
  return file;
}

AwsSettings find_aws_settings(
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  const auto first_of = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      const std::optional<std::string> value = environment(name);
      if (value && !value->empty()) return *value;
    }
    return {};
  };
  const std::string home = first_of({"HOME"});
  const auto file_at = [&](const char* name, const char* usual) -> AwsFile {
    const std::string path = first_of({name});
    if (!path.empty()) return read_aws_file(path);
    return home.empty() ? AwsFile() : read_aws_file(home + usual);
  };
  AwsFile credentials_file = file_at("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  AwsFile config_file = file_at("AWS_CONFIG_FILE", "/.aws/config");

  const std::string asked_profile = first_of({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
  const std::string profile_name = asked_profile.empty() ? "default" : asked_profile;
  const std::string config_section = profile_name == "default" && !config_file.contains("profile default")
                                         ? "default"
                                         : "profile " + profile_name;
  if (!asked_profile.empty() && !credentials_file.contains(profile_name) &&
      !config_file.contains(config_section))
    throw Error(ErrorKind::kNotFound,
                fmt::format("AWS_PROFILE={}: no such profile in the files of AWS", profile_name));
  // The credentials file wins.
  std::map<std::string, std::string> profile = credentials_file[profile_name];
  profile.insert(config_file[config_section].begin(), config_file[config_section].end());

  AwsSettings settings;
  const auto choose = [](std::string& setting, std::initializer_list<std::string> values) {
    for (const std::string& value : values) {
      if (!value.empty()) {
        setting = value;
        return;
      }
    }
  };
  choose(settings.region, {first_of({"AWS_REGION", "AWS_DEFAULT_REGION"}), profile["region"]});
  choose(settings.endpoint_url,
         {first_of({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}),
          config_file["services " + profile["services"]]["s3.endpoint_url"], profile["endpoint_url"]});
  if (first_of({"ORGANON_S3_ANONYMOUS"}) == "1") return settings;

  const AwsCredentials from_environment = {
      first_of({"AWS_ACCESS_KEY_ID"}), first_of({"AWS_SECRET_ACCESS_KEY"}), first_of({"AWS_SESSION_TOKEN"})};
  const AwsCredentials from_profile = {profile["aws_access_key_id"], profile["aws_secret_access_key"],
                                       profile["aws_session_token"]};
  for (const AwsCredentials& found : {from_environment, from_profile}) {
    if (found.access_key_id.empty() != found.secret_access_key.empty()) {
      throw Error(
          ErrorKind::kInvalidArgument,
          "AWS credentials: expected both an access key id and a secret access key, found one of them");
    }
    if (!found.access_key_id.empty()) {
      settings.credentials = found;
      return settings;
    }
  }
  for (const char* elsewhere :
       {"credential_process", "sso_session", "sso_start_url", "role_arn", "login_session"}) {
    if (profile.contains(elsewhere) && !profile[elsewhere].empty()) {
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("AWS profile {} takes its credentials from {}; put them into the environment first: "
                      "eval \"$(aws configure export-credentials --profile {} --format env)\"",
                      profile_name, elsewhere, profile_name));
    }
  }
  return settings;
}

AwsSettings find_aws_settings() {
  return find_aws_settings([](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

}  // namespace organon::storage
