#include "organon/storage/stores/testing/store_contract.h"

#include "organon/storage/stores/file_store.h"
#include "organon/storage/stores/http_store.h"
#include "organon/storage/stores/memory_store.h"
#include "organon/storage/stores/s3_store.h"
#include "organon/storage/stores/testing/s3_server.h"
#include "organon/storage/stores/testing/web_server.h"

namespace organon::storage::testing {
namespace {

StoreBench file_bench() {
  const auto folder = std::make_shared<organon::testing::TemporaryFolder>();
  return {.store = std::make_shared<FileStore>(), .prefix = folder->path().string() + "/", .kept = folder};
}

StoreBench memory_bench() { return {.store = std::make_shared<MemoryStore>("memory://test")}; }

StoreBench web_bench(Ranges ranges) {
  const auto server = std::make_shared<WebServer>(ranges);
  return {.store = std::make_shared<HttpStore>(server->url()),
          .writer = std::shared_ptr<Store>(server, &server->values()),
          .kept = server};
}
StoreBench http_bench() { return web_bench(Ranges::kKnown); }
StoreBench http_without_ranges_bench() { return web_bench(Ranges::kUnknown); }

StoreBench s3_bench() {
  if (!S3Server::missing().empty()) return {.missing = S3Server::missing()};
  S3Server& server = S3Server::instance();
  return {.store = std::make_shared<S3Store>(server.make_bucket(), S3Options{.aws = server.settings()})};
}

// Values larger than 1 MB go up in parts of 5 MiB, one after the other.
StoreBench s3_parts_bench() {
  if (!S3Server::missing().empty()) return {.missing = S3Server::missing()};
  S3Server& server = S3Server::instance();
  const S3Options options = {.aws = server.settings(), .max_single_bytes = 1'000'000, .part_bytes = 5 << 20};
  return {.store = std::make_shared<S3Store>(server.make_bucket(), options)};
}

StoreBench public_bucket_bench() {
  if (!S3Server::missing().empty()) return {.missing = S3Server::missing()};
  S3Server& server = S3Server::instance();
  const std::string bucket = server.make_bucket();
  server.make_readable(bucket);
  return {.store = std::make_shared<HttpStore>(server.url() + "/" + bucket),
          .writer = std::make_shared<S3Store>(bucket, S3Options{.aws = server.settings()})};
}

std::string name_of(const ::testing::TestParamInfo<StoreCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Files, StoreContract, ::testing::Values(StoreCase{"File", file_bench}), name_of);
INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values(StoreCase{"Memory", memory_bench}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Web, StoreContract,
                         ::testing::Values(StoreCase{"Http", http_bench},
                                           StoreCase{"HttpWithoutRanges", http_without_ranges_bench},
                                           StoreCase{"PublicBucket", public_bucket_bench}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Bucket, StoreContract,
                         ::testing::Values(StoreCase{"S3", s3_bench}, StoreCase{"S3InParts", s3_parts_bench}),
                         name_of);

}  // namespace
}  // namespace organon::storage::testing
