#include "organon/blockwise/claims.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>

#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/files.h"

namespace organon::blockwise {
namespace {

std::optional<std::pair<std::int64_t, std::int64_t>> parse_name(const std::string& name) {
  std::int64_t batch = 0;
  std::int64_t epoch = 0;
  const char* end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, batch);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, epoch);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return std::pair(batch, epoch);
}

bool is_held_by(const std::string& worker, const std::filesystem::path& claim) {
  const auto holder = read_file_if_exists(claim);
  return holder && std::ranges::equal(*holder, std::as_bytes(std::span(worker)));
}

}  // namespace

Claims::Claims(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  refresh();
}

void Claims::refresh() {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const auto name = parse_name(entry.path().filename().string());
    if (!name) continue;
    Claim& claim = newest_[name->first];
    if (name->second <= claim.epoch) continue;
    claim = {name->second, {}};
  }
}

std::filesystem::path Claims::file_of(std::int64_t batch, std::int64_t epoch) const {
  return folder_ / fmt::format("{}.{}", batch, epoch);
}

bool Claims::is_taken_over(std::int64_t batch) const {
  const auto claim = newest_.find(batch);
  return claim != newest_.end() && std::filesystem::exists(file_of(batch, claim->second.epoch + 1));
}

bool Claims::try_claim(std::int64_t batch, const std::string& worker,
                       const std::function<bool(const std::string& holder)>& is_dead) {
  Claim& claim = newest_[batch];
  if (claim.epoch > 0) {
    // Read late: most claims are never asked about, and a cluster has many.
    if (claim.holder.empty()) claim.holder = read_text(file_of(batch, claim.epoch));
    if (!is_dead(claim.holder)) return false;
  }
  const std::filesystem::path path = file_of(batch, claim.epoch + 1);
  // The name is written first and then linked into place, so that a claim without its holder is never seen;
  // link() fails where the file exists, on network file systems too.
  const std::filesystem::path own = folder_ / fmt::format(".{}", worker);
  if (!std::filesystem::exists(own)) write_text_atomically(own, worker, Fsync::kNo);
  fault_point("claim");
  if (::link(own.c_str(), path.c_str()) != 0) {
    if (errno != EEXIST) throw_system_error("cannot claim", path.string());
    // Over a network the answer to a link that was made may be lost, and the link asked for again.
    if (!is_held_by(worker, path)) {
      refresh();
      return false;
    }
  }
  claim = {claim.epoch + 1, worker};
  return true;
}

}  // namespace organon::blockwise
