#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace organon::blockwise {

/// Who works on which batch of blocks: a batch is claimed by exclusive creation (a link) of the file
/// `<batch>.<epoch>`, which holds the worker's name and is never deleted; taking over from a dead worker is
/// creation of epoch + 1. Two workers can never hold the same epoch, whatever clocks or caches do.
class Claims {
 public:
  explicit Claims(std::filesystem::path folder);

  /// Claims `batch` for `worker` where nobody holds it or its holder `is_dead`. Returns false where another
  /// does.
  bool try_claim(std::int64_t batch, const std::string& worker,
                 const std::function<bool(const std::string& holder)>& is_dead);
  /// True where another took `batch` over after this object claimed it or saw it claimed: one look at the
  /// file system.
  bool is_taken_over(std::int64_t batch) const;
  /// Reads what others claimed since.
  void refresh();

 private:
  struct Claim {
    std::int64_t epoch = 0;
    std::string holder;  ///< empty: not read yet
  };
  std::filesystem::path file_of(std::int64_t batch, std::int64_t epoch) const;

  std::filesystem::path folder_;
  std::map<std::int64_t, Claim> newest_;
};

}  // namespace organon::blockwise
