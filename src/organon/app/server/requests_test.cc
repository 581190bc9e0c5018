#include <gtest/gtest.h>

#include "organon/app/server/byte_range.h"
#include "organon/app/server/content_type.h"
#include "organon/app/server/request_path.h"

namespace organon::server {
namespace {

TEST(PathOfTarget, NamesFilesBelowTheFolder) {
  EXPECT_EQ(path_of_target("/"), "");
  EXPECT_EQ(path_of_target("/index.html?x=../y"), "index.html");
  EXPECT_EQ(path_of_target("/precomputed/mito/mesh/1:0"), "precomputed/mito/mesh/1:0");
  EXPECT_EQ(path_of_target("/mesh/1%3A0"), "mesh/1:0");
  EXPECT_EQ(path_of_target("/a%20b/"), "a b/");
  EXPECT_EQ(path_of_target("/..."), "...");
  EXPECT_EQ(path_of_target("/%252e%252e/x"), "%2e%2e/x");
}

TEST(PathOfTarget, RefusesWhatIsNoPlainPath) {
  for (const std::string target : {"",
                                   "x",
                                   "/..",
                                   "/../x",
                                   "/a/../../x",
                                   "/%2e%2e/x",
                                   "/%2E./x",
                                   "/.",
                                   "/a/./b",
                                   "//etc/passwd",
                                   "/a//b",
                                   "/a%2fb",
                                   "/..%2f..%2fetc%2fpasswd",
                                   "/a%5c..",
                                   "/..\\x",
                                   "/a%00",
                                   "/a%00.html",
                                   "/%",
                                   "/%4",
                                   "/%zz",
                                   "/a%0ab",
                                   "http://localhost/",
                                   "*"}) {
    EXPECT_FALSE(path_of_target(target)) << target;
  }
}

TEST(ParseRange, ReadsTheThreeForms) {
  const auto expect = [](std::string_view header, std::int64_t size, std::int64_t begin, std::int64_t end) {
    const RequestedBytes bytes = parse_range(header, size);
    const auto* range = std::get_if<ByteRange>(&bytes);
    ASSERT_NE(range, nullptr) << header;
    EXPECT_EQ(range->begin, begin) << header;
    EXPECT_EQ(range->end, end) << header;
  };
  expect("bytes=0-0", 10, 0, 1);
  expect("bytes=2-5", 10, 2, 6);
  expect("bytes=2-", 10, 2, 10);
  expect("bytes=-3", 10, 7, 10);
  expect("bytes=-30", 10, 0, 10);
  expect("bytes=5-99", 10, 5, 10);
  expect(" bytes=5-9223372036854775807", 10, 5, 10);
}

TEST(ParseRange, TellsOutsideFromMalformed) {
  for (const std::string_view header : {"bytes=10-", "bytes=10-12", "bytes=-0"}) {
    EXPECT_TRUE(std::holds_alternative<OutsideFile>(parse_range(header, 10))) << header;
  }
  EXPECT_TRUE(std::holds_alternative<OutsideFile>(parse_range("bytes=0-0", 0)));
  for (const std::string_view header :
       {"", "bytes=", "bytes=-", "bytes=a-b", "bytes=3-2", "items=0-1", "bytes=0-1,3-4", "bytes=--1",
        "bytes=1--2", "bytes=99999999999999999999-"}) {
    EXPECT_TRUE(std::holds_alternative<WholeFile>(parse_range(header, 10))) << header;
  }
}

TEST(ContentTypeOf, KnowsThePublishedFiles) {
  EXPECT_EQ(content_type_of("index.html").name, "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("main.JS").name, "text/javascript; charset=utf-8");
  EXPECT_EQ(content_type_of("x.wasm").name, "application/wasm");
  EXPECT_EQ(content_type_of("info").name, "application/json");
  EXPECT_EQ(content_type_of("0-64_0-64_0-64").name, "application/octet-stream");
  EXPECT_TRUE(content_type_of("1:0:fragment").is_compressible);
  EXPECT_FALSE(content_type_of("a.png").is_compressible);
}

}  // namespace
}  // namespace organon::server
