#pragma once

#include <string>
#include <string_view>

namespace organon::server {

/// How a file is announced, and whether gzip is worth its time.
struct ContentType {
  std::string name;
  bool is_compressible = true;
};

/// By the ending of the file name. Names without a known ending (precomputed chunks, mesh manifests and
/// fragments) are "application/octet-stream" and compressible: chunks are stored uncompressed. `info` and
/// `provenance` of precomputed layers are JSON.
ContentType content_type_of(std::string_view file_name);

}  // namespace organon::server
