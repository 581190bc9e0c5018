#include "organon/base/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace organon {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid argument";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kAlreadyExists:
      return "already exists";
    case ErrorKind::kCorruptData:
      return "corrupt data";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kIo:
      return "input/output error";
    case ErrorKind::kResourceExhausted:
      return "resource exhausted";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal error";
  }
  return "error";
}

Error::Error(ErrorKind kind, std::string message)
    : kind_(kind), message_(std::move(message)), text_(std::string(to_string(kind)) + ": " + message_) {}

Error Error::within(std::string_view context) const {
  return Error(kind_, std::string(context) + ": " + message_);
}

void throw_system_error(std::string_view what, std::string_view path) {
  const int code = errno;
  ErrorKind kind = ErrorKind::kIo;
  if (code == ENOSPC || code == EDQUOT || code == ENOMEM || code == EMFILE)
    kind = ErrorKind::kResourceExhausted;
  if (code == ENOENT) kind = ErrorKind::kNotFound;
  throw Error(kind, std::string(what) + " " + std::string(path) + ": " + std::strerror(code));
}

}  // namespace organon
