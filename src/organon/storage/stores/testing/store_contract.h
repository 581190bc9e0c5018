#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/stores/store.h"
#include "organon/storage/stores/testing/bytes.h"

namespace organon::storage::testing {

/// A store made for one test.
struct StoreBench {
  std::shared_ptr<Store> store = {};
  /// Another way to the same bytes, where `store` is read only.
  std::shared_ptr<Store> writer = store;
  std::string prefix = {};          ///< put before each key
  std::shared_ptr<void> kept = {};  ///< what must live as long: a server, a folder
  std::string missing = {};         ///< why there is none
};

/// One member: "Memory", a function that makes an empty store.
struct StoreCase {
  std::string name;
  std::function<StoreBench()> make;
};

inline void PrintTo(const StoreCase& c, std::ostream* out) { *out << c.name; }

/// The laws of Store.
class StoreContract : public ::testing::TestWithParam<StoreCase> {
 protected:
  void SetUp() override {
    bench_ = GetParam().make();
    if (!bench_.missing.empty()) {
      ASSERT_FALSE(organon::testing::is_continuous_integration()) << bench_.missing;
      GTEST_SKIP() << bench_.missing;
    }
  }
  bool is_read_only() const { return bench_.store != bench_.writer; }
  Store& store() const { return *bench_.store; }
  std::string key(const std::string& name) const { return bench_.prefix + name; }

  void put(const std::string& name, std::string_view text) const {
    bench_.writer->write(key(name), std::as_bytes(std::span(text)));
  }
  static std::string shown(const std::optional<std::vector<std::byte>>& bytes) {
    return bytes ? "'" + std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) + "'"
                 : "absent";
  }
  std::string get(const std::string& name) const { return shown(store().read(key(name))); }

 private:
  StoreBench bench_;
};

TEST_P(StoreContract, ReadsWhatWasWritten) {
  put("a/b/c", "0123456789");
  EXPECT_EQ(get("a/b/c"), "'0123456789'");
  EXPECT_TRUE(store().exists(key("a/b/c")));
}

TEST_P(StoreContract, ReadsParts) {
  put("a", "0123456789");
  EXPECT_EQ(shown(store().read_range(key("a"), 0, 4)), "'0123'");
  EXPECT_EQ(shown(store().read_range(key("a"), 3, 4)), "'3456'");
  EXPECT_EQ(shown(store().read_range(key("a"), 0, 10)), "'0123456789'");
  EXPECT_EQ(shown(store().read_end(key("a"), 3)), "'789'");
  EXPECT_EQ(shown(store().read_end(key("a"), 10)), "'0123456789'");
}

TEST_P(StoreContract, PartsEndWhereTheValueEnds) {
  put("a", "0123456789");
  EXPECT_EQ(shown(store().read_range(key("a"), 8, 4)), "'89'");
  EXPECT_EQ(shown(store().read_range(key("a"), 10, 4)), "''");
  EXPECT_EQ(shown(store().read_range(key("a"), 1'000'000, 4)), "''");
  EXPECT_EQ(shown(store().read_range(key("a"), std::uint64_t{1} << 62, 4)), "''");
  EXPECT_EQ(shown(store().read_end(key("a"), 100)), "'0123456789'");
  EXPECT_EQ(shown(store().read_range(key("a"), 3, 0)), "''");
  EXPECT_EQ(shown(store().read_end(key("a"), 0)), "''");
}

TEST_P(StoreContract, AbsentKeysAreNoErrors) {
  put("folder/a", "1");
  for (const char* name : {"b", "folder/b", "other/a", "folder/a.", "Folder/a"}) {
    EXPECT_EQ(get(name), "absent") << name;
    EXPECT_EQ(shown(store().read_range(key(name), 0, 1)), "absent") << name;
    EXPECT_EQ(shown(store().read_range(key(name), 0, 0)), "absent") << name;
    EXPECT_EQ(shown(store().read_end(key(name), 1)), "absent") << name;
    EXPECT_FALSE(store().exists(key(name))) << name;
  }
}

TEST_P(StoreContract, EmptyValuesExist) {
  put("empty", "");
  EXPECT_TRUE(store().exists(key("empty")));
  EXPECT_EQ(get("empty"), "''");
  EXPECT_EQ(shown(store().read_range(key("empty"), 0, 5)), "''");
  EXPECT_EQ(shown(store().read_end(key("empty"), 5)), "''");
}

TEST_P(StoreContract, ValuesOfManyBytesStayAsTheyAre) {
  std::string value(3'000'001, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 2654435761u >> 11);
  put("large", value);
  EXPECT_TRUE(get("large") == "'" + value + "'");
  EXPECT_TRUE(shown(store().read_range(key("large"), 1'234'567, 1'000'000)) ==
              "'" + value.substr(1'234'567, 1'000'000) + "'");
  EXPECT_TRUE(shown(store().read_end(key("large"), 70'000)) ==
              "'" + value.substr(value.size() - 70'000) + "'");
}

TEST_P(StoreContract, RefusesMoreThanAsked) {
  put("a", "0123456789");
  EXPECT_EQ(shown(store().read(key("a"), 10)), "'0123456789'");
  try {
    store().read(key("a"), 9);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.what();
  }
}

TEST_P(StoreContract, KeysMayHoldAnyCharacter) {
  const std::vector<std::string> names = {
      "with space", "plus+sign", "100%",       "%41",
      "%2F",        "a&b=c",     "semi;colon", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\xac",
      "quote'\"",   "<x>",       "~tilde",     "#?",
      "at@colon:",  "a*(b)!",    "$",          "comma,",
      "[1]",        "..."};
  for (const std::string& name : names) put("odd/" + name, name);
  for (const std::string& name : names) {
    EXPECT_EQ(get("odd/" + name), "'" + name + "'");
    EXPECT_TRUE(store().exists(key("odd/" + name))) << name;
  }
  EXPECT_EQ(get("odd/A"), "absent");
  EXPECT_EQ(get("odd/with%20space"), "absent");
  EXPECT_EQ(get("odd/plus sign"), "absent");
  if (is_read_only()) return;
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  EXPECT_EQ(store().list(key("odd")), sorted);
  for (const std::string& name : names) EXPECT_TRUE(store().remove(key("odd/" + name))) << name;
}

TEST_P(StoreContract, DescribesKeysByName) {
  EXPECT_NE(store().describe(key("a/b")).find("a/b"), std::string::npos);
}

TEST_P(StoreContract, ManyThreadsReadAndWriteKeysOfTheirOwn) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 12;
  put("shared", "shared value");
  std::atomic<int> num_wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kRounds; ++i) {
          const std::string name = "threads/" + std::to_string(t);
          const std::string value = std::to_string(t * 1000 + i) + std::string(5000, 'x');
          put(name, value);
          if (get(name) != "'" + value + "'") ++num_wrong;
          if (get("shared") != "'shared value'") ++num_wrong;
          if (shown(store().read_range(key("shared"), 7, 5)) != "'value'") ++num_wrong;
        }
      });
    }
  }
  EXPECT_EQ(num_wrong, 0);
}

TEST_P(StoreContract, ReadersSeeOldOrNewNeverParts) {
  const std::string old_value(100'000, 'a');
  const std::string new_value(60'000, 'b');
  put("a", old_value);
  std::atomic<bool> is_done{false};
  std::atomic<int> num_torn{0};
  std::jthread reader([&] {
    while (!is_done) {
      const std::string seen = get("a");
      if (seen != "'" + old_value + "'" && seen != "'" + new_value + "'") ++num_torn;
    }
  });
  for (int i = 0; i < 20; ++i) put("a", i % 2 == 0 ? new_value : old_value);
  is_done = true;
  reader.join();
  EXPECT_EQ(num_torn, 0);
}

TEST_P(StoreContract, OverwritesAndRemoves) {
  if (is_read_only()) {
    EXPECT_THROW(store().write(key("a"), {}), Error);
    EXPECT_THROW(store().remove(key("a")), Error);
    return;
  }
  put("a/b", "first and longer");
  put("a/b", "second");
  EXPECT_EQ(get("a/b"), "'second'");
  EXPECT_TRUE(store().remove(key("a/b")));
  EXPECT_EQ(get("a/b"), "absent");
  EXPECT_FALSE(store().remove(key("a/b")));
  put("a/b", "third");
  EXPECT_EQ(get("a/b"), "'third'");
}

TEST_P(StoreContract, ListsNamesRightBelowAFolder) {
  if (is_read_only()) {
    EXPECT_THROW(store().list(key("a")), Error);
    return;
  }
  for (const char* name : {"a/z", "a/b/c", "a/b/d/e", "a/b.txt", "a/b-c/x", "ab", "a/A"}) put(name, "1");
  const std::vector<std::string> expected = {"A", "b-c/", "b.txt", "b/", "z"};
  EXPECT_EQ(store().list(key("a")), expected);
  EXPECT_EQ(store().list(key("a/")), expected);
  EXPECT_EQ(store().list(key("a/b")), (std::vector<std::string>{"c", "d/"}));
  EXPECT_EQ(store().list(key("nothing")), std::vector<std::string>());
  EXPECT_EQ(store().list(key("a/bb")), std::vector<std::string>());
}

TEST_P(StoreContract, WhatThrowsBeforeTheCommitLeavesTheOldValue) {
  if (is_read_only()) return;
  const std::vector<std::byte> value = bytes_of("new");
  const auto refuse = [] { throw std::runtime_error("claim lost"); };
  put("a", "old");
  EXPECT_THROW(store().write(key("a"), value, Fsync::kYes, refuse), std::runtime_error);
  EXPECT_EQ(get("a"), "'old'");
  EXPECT_THROW(store().write(key("b"), value, Fsync::kYes, refuse), std::runtime_error);
  EXPECT_EQ(get("b"), "absent");
  EXPECT_EQ(store().list(key("")).size(), 1u);
}

TEST_P(StoreContract, TheOldValueStandsUntilTheCommit) {
  if (is_read_only()) return;
  put("a", "old");
  std::string seen;
  store().write(key("a"), bytes_of("new"), Fsync::kNo, [&] { seen = get("a"); });
  EXPECT_EQ(seen, "'old'");
  EXPECT_EQ(get("a"), "'new'");
}

}  // namespace organon::storage::testing
