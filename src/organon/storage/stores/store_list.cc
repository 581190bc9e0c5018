#include "organon/storage/stores/store_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/stores/file_store.h"

namespace organon::storage {

std::shared_ptr<Store> open_store(const std::string& name) {
  static const auto files = std::make_shared<FileStore>();
  if (name.empty()) return files;
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: no such store", name));
}

std::vector<std::string> store_schemes() { return {}; }

bool is_store_scheme(const std::string& scheme) {
  const auto schemes = store_schemes();
  return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

}  // namespace organon::storage
