#include "organon/storage/stores/store_list.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/storage/stores/url.h"

namespace organon::storage {
namespace {

ErrorKind kind_of_error(const std::string& store) {
  try {
    open_store(store);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << store;
  return ErrorKind::kInternal;
}

TEST(StoreList, SplitsLocations) {
  const auto expect = [](const std::string& location, const std::string& store, const std::string& key) {
    const StoreAddress address = split_location(location);
    EXPECT_EQ(address.store, store) << location;
    EXPECT_EQ(address.key, key) << location;
  };
  expect("/data/a b.n5", "", "/data/a b.n5");
  expect("relative/%41", "", "relative/%41");
  expect("s3://bucket/a/b", "s3://bucket", "a/b");
  expect("s3://bucket", "s3://bucket", "");
  expect("s3://bucket/", "s3://bucket", "");
  expect("s3://bucket/a%20b?c", "s3://bucket", "a%20b?c");
  expect("https://host:8080/a%20b/c+d", "https://host:8080", "a b/c+d");
  expect("memory:///a", "memory://", "a");
  EXPECT_THROW(split_location("https://host/a?token=b"), Error);
}

TEST(StoreList, OpensEachKind) {
  EXPECT_EQ(open_store("")->describe("/a"), "/a");
  EXPECT_EQ(open_store("https://host")->describe("a b"), "https://host/a b");
  EXPECT_EQ(open_store("https://user:secret@host")->describe("a"), "https://host/a");
  EXPECT_EQ(open_store("gs://bucket")->describe("a"), "https://storage.googleapis.com/bucket/a");
  EXPECT_EQ(open_store("s3://bucket")->describe("a"), "s3://bucket/a");
  EXPECT_EQ(open_place("s3://bucket/a/b").describe(), "s3://bucket/a/b");
}

TEST(StoreList, MemoryOfOneNameIsOne) {
  const Place place = open_place("memory://list_test/a");
  place.store->write(place.key, {});
  EXPECT_TRUE(open_store("memory://list_test")->exists("a"));
  EXPECT_FALSE(open_store("memory://other_list_test")->exists("a"));
}

TEST(StoreList, RefusesOtherNames) {
  EXPECT_EQ(kind_of_error("ftp://host"), ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of_error("s3://"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of_error("s3://user@host"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of_error("s3://bucket:80"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of_error("http://host?a"), ErrorKind::kInvalidArgument);
}

TEST(Url, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("a b/c+%\xc3\xbc~", Slash::kKept), "a%20b/c%2B%25%C3%BC~");
  EXPECT_EQ(percent_encode("a/b", Slash::kEncoded), "a%2Fb");
  EXPECT_EQ(percent_decode("a%20b+%c3%BC%2"), "a b+\xc3\xbc%2");
  EXPECT_EQ(percent_decode("%zz%"), "%zz%");
  EXPECT_EQ(without_password("http://a:b@c/d@e"), "http://c/d@e");
  EXPECT_EQ(without_password("http://c/d@e"), "http://c/d@e");
}

}  // namespace
}  // namespace organon::storage
