#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace organon {

/// What went wrong, in the nine words used everywhere (exit codes, ledgers, messages).
enum class ErrorKind {
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kCorruptData,
  kUnsupported,
  kIo,
  kResourceExhausted,
  kCancelled,
  kInternal,
};

/// "corrupt data", "not found", ... as shown to users.
std::string_view to_string(ErrorKind kind);

/// The one exception of organon. The message says what was expected, what was found, and where.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  /// "corrupt data: <message>".
  const char* what() const noexcept override { return text_.c_str(); }

  /// The same error with "<context>: " put before its message; used at the dataset, block and stage
  /// boundaries.
  Error within(std::string_view context) const;

 private:
  ErrorKind kind_;
  std::string message_;
  std::string text_;
};

/// Throws Error(kIo) for the current errno: "<what> <path>: <reason of the system>"; kResourceExhausted where
/// the disk or quota is full, kNotFound where the file does not exist.
[[noreturn]] void throw_system_error(std::string_view what, std::string_view path);

}  // namespace organon
