#include "organon/storage/stores/store_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "organon/base/error.h"
#include "organon/storage/stores/file_store.h"
#include "organon/storage/stores/http_store.h"
#include "organon/storage/stores/memory_store.h"
#include "organon/storage/stores/s3_store.h"
#include "organon/storage/stores/url.h"

namespace organon::storage {
namespace {

constexpr std::string_view kSeparator = "://";

// The same name is the same store wherever it is opened.
std::shared_ptr<Store> memory_store(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<MemoryStore>> stores;
  const std::lock_guard lock(mutex);
  std::shared_ptr<MemoryStore>& store = stores[name];
  if (!store) store = std::make_shared<MemoryStore>("memory://" + name);
  return store;
}

}  // namespace

std::vector<std::string> store_schemes() { return {"memory", "http", "https", "s3", "gs"}; }

StoreAddress split_location(const std::string& location) {
  const std::size_t scheme_end = location.find(kSeparator);
  if (scheme_end == std::string::npos) return {"", location};
  const std::size_t authority_end =
      std::min(location.find('/', scheme_end + kSeparator.size()), location.size());
  StoreAddress address = {location.substr(0, authority_end),
                          location.substr(std::min(authority_end + 1, location.size()))};
  if (location.starts_with("http://") || location.starts_with("https://")) {
    if (location.find_first_of("?#") != std::string::npos) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: expected a web address without ? and #", without_password(location)));
    }
    address.key = percent_decode(address.key);
  }
  return address;
}

std::shared_ptr<Store> open_store(const std::string& scheme_and_authority) {
  static const auto files = std::make_shared<FileStore>();
  if (scheme_and_authority.empty()) return files;
  const std::size_t scheme_end = scheme_and_authority.find(kSeparator);
  const std::string scheme = scheme_and_authority.substr(0, scheme_end);
  const std::string authority = scheme_end == std::string::npos
                                    ? std::string()
                                    : scheme_and_authority.substr(scheme_end + kSeparator.size());
  if (scheme == "memory") return memory_store(authority);
  if (authority.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: expected a host or bucket after ://", scheme_and_authority));
  }
  if (scheme == "http" || scheme == "https") return std::make_shared<HttpStore>(scheme_and_authority);
  if (scheme == "s3") return std::make_shared<S3Store>(authority, S3Options{.aws = find_aws_settings()});
  if (scheme == "gs")
    return std::make_shared<HttpStore>("https://storage.googleapis.com/" +
                                       percent_encode(authority, Slash::kEncoded));
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: expected a path, memory://, http://, https://, s3:// or gs://",
                          without_password(scheme_and_authority)));
}

Place open_place(const std::string& location) {
  StoreAddress address = split_location(location);
  return {open_store(address.store), std::move(address.key)};
}

}  // namespace organon::storage
