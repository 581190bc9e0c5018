// The list of formats: the one place where they are told apart.

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset.h"
#include "organon/storage/n5/n5_dataset.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/precomputed/precomputed_dataset.h"
#include "organon/storage/zarr/zarr_dataset.h"

namespace organon::storage {
namespace {

constexpr Format kFormats[] = {Format::kN5, Format::kZarr2, Format::kPrecomputed};

std::optional<Format> format_of_metadata(const std::filesystem::path& path) {
  if (const auto attributes = read_n5_attributes(path); attributes && is_n5_dataset(*attributes))
    return Format::kN5;
  if (is_zarr_dataset(path)) return Format::kZarr2;
  if (std::filesystem::exists(path / "zarr.json")) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: Zarr version 3, only 2 is supported", path.string()));
  }
  if (is_precomputed(path)) return Format::kPrecomputed;
  return std::nullopt;
}

// The innermost component with a known ending decides: a.zarr/b.n5/c is N5.
std::optional<Format> format_of_name(const std::filesystem::path& path) {
  std::optional<Format> found;
  for (const std::filesystem::path& component : path) {
    for (const Format format : kFormats) {
      if (component.extension() == fmt::format(".{}", to_string(format))) found = format;
    }
  }
  return found;
}

// The standard library's errors of the file system become organon's.
template <class Call>
std::shared_ptr<Dataset> with_file_errors(const std::string& address, Call call) {
  try {
    return call();
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(ErrorKind::kIo, fmt::format("{}: {}", address, error.what()));
  }
}

std::shared_ptr<Dataset> open_parsed(const std::string& address, const Address& parsed) {
  std::optional<Format> format = parsed.format;
  if (!format) format = format_of_metadata(parsed.path);
  if (!format) {
    // Groups have attributes too, so the file alone does not make a dataset.
    if (std::filesystem::exists(parsed.path / "attributes.json")) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: no dataset there: its attributes.json lacks 'dimensions' or 'dataType'", address));
    }
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{}: no dataset there (neither attributes.json of N5, .zarray, nor precomputed info)",
                    address));
  }
  switch (*format) {
    case Format::kN5:
      return open_n5(address, parsed.path);
    case Format::kZarr2:
      return open_zarr(address, parsed.path);
    case Format::kPrecomputed:
      break;
  }
  return open_precomputed(address, parsed.path);
}

std::shared_ptr<Dataset> create_parsed(const std::string& address, Format format,
                                       const std::filesystem::path& path, const DatasetSpec& spec) {
  switch (format) {
    case Format::kN5:
      return create_n5(address, path, spec);
    case Format::kZarr2:
      return create_zarr(address, path, spec);
    case Format::kPrecomputed:
      break;
  }
  return create_precomputed(address, path, spec);
}

}  // namespace

Address parse_address(const std::string& text) {
  Address address;
  std::string path = text;
  if (const std::size_t colon = text.find("://"); colon != std::string::npos) {
    const std::string scheme = text.substr(0, colon);
    for (const Format format : kFormats) {
      if (scheme == to_string(format)) address.format = format;
    }
    if (!address.format) {
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("{}: '{}://' is not supported, only n5://, zarr:// and precomputed://", text, scheme));
    }
    path = text.substr(colon + 3);
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("'{}': the address has no path", text));
  address.path = path;
  return address;
}

std::string address_in(const std::filesystem::path& folder, const std::string& address) {
  const Address parsed = parse_address(address);
  const std::string path = (folder / parsed.path).lexically_normal().string();
  return parsed.format ? fmt::format("{}://{}", to_string(*parsed.format), path) : path;
}

std::shared_ptr<Dataset> open_dataset(const std::string& address) {
  const Address parsed = parse_address(address);
  return with_file_errors(address, [&] { return open_parsed(address, parsed); });
}

std::shared_ptr<Dataset> create_dataset(const std::string& address, const DatasetSpec& spec) {
  const Address parsed = parse_address(address);
  std::string problem = find_spec_problem(spec);
  if (problem.empty()) problem = find_level_problem(spec.codec, spec.level);
  if (!problem.empty()) throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", address, problem));
  const std::optional<Format> format = parsed.format ? parsed.format : format_of_name(parsed.path);
  if (!format) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: which format? Put n5://, zarr:// or precomputed:// before the path", address));
  }
  return with_file_errors(address, [&] { return create_parsed(address, *format, parsed.path, spec); });
}

}  // namespace organon::storage
