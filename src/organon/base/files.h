#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace organon {

/// Whether writes wait for the disk. kNo gives up the promise that a power cut loses nothing finished.
enum class Fsync { kNo, kYes };

/// Writes `bytes` to `path` so that at every moment the file is absent, old or whole: a temporary file beside
/// it, fsync, close, rename, fsync of the folder. Missing folders are made. Errors: kIo, kResourceExhausted
/// (disk full) with the path; the temporary file is removed then. `before_rename` is called as late as can
/// be: where it throws, the file stays as it was.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes, Fsync fsync,
                           const std::function<void()>& before_rename = {});
void write_text_atomically(const std::filesystem::path& path, std::string_view text,
                           Fsync fsync = Fsync::kYes);

/// The whole file; nothing where it does not exist. Errors: kIo; kResourceExhausted above `max_bytes`.
std::optional<std::vector<std::byte>> read_file_if_exists(const std::filesystem::path& path,
                                                          std::size_t max_bytes = std::size_t{1} << 34);
/// `num_bytes` from `begin` on, or the last `num_bytes`; fewer where the file ends before or is shorter,
/// nothing where it does not exist. Errors: kIo.
std::optional<std::vector<std::byte>> read_file_range_if_exists(const std::filesystem::path& path,
                                                                std::uint64_t begin, std::size_t num_bytes);
std::optional<std::vector<std::byte>> read_file_end_if_exists(const std::filesystem::path& path,
                                                              std::size_t num_bytes);
/// The whole file as text. Errors: kNotFound, kIo.
std::string read_text(const std::filesystem::path& path);

/// Writes all of `bytes` to an open file; `path` is for the message. Errors: kIo, kResourceExhausted.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path);

/// Makes the names in `folder` durable.
void sync_folder(const std::filesystem::path& folder);

}  // namespace organon
