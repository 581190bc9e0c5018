#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "organon/storage/stores/aws_signature.h"

namespace organon::storage {

/// Section -> setting -> value; settings that are nested under another are named "s3.endpoint_url".
using AwsFile = std::map<std::string, std::map<std::string, std::string>>;

/// The text of ~/.aws/config or ~/.aws/credentials. Later settings win. Errors: kCorruptData with the line,
/// never with what stands there.
AwsFile parse_aws_file(std::string_view text);

/// Who asks S3, and where.
struct AwsSettings {
  std::optional<AwsCredentials> credentials = {};  ///< without: requests are not signed
  std::string region = "us-east-1";
  std::string endpoint_url = {};  ///< empty: Amazon's own
};

/// As AWS's own programs find them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else the
/// profile AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE
/// (~/.aws/config), else none; AWS_REGION, AWS_DEFAULT_REGION; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the
/// profile's `services` or endpoint_url. ORGANON_S3_ANONYMOUS=1 leaves credentials out. `environment` gives
/// the value of a variable. Errors: kNotFound where AWS_PROFILE names none; kUnsupported where the profile
/// gets its credentials elsewhere (single sign-on, roles, programs), with what to do; kInvalidArgument for
/// half a pair of keys; kCorruptData; kIo.
AwsSettings find_aws_settings(
    const std::function<std::optional<std::string>(const std::string&)>& environment);
/// With that of this process.
AwsSettings find_aws_settings();

}  // namespace organon::storage
