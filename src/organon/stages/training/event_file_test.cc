#include "organon/stages/training/event_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/training/curves.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

// CRC-32C bit by bit, with the reversed polynomial, and its mask.
std::uint32_t masked_checksum(std::string_view bytes) {
  std::uint32_t state = 0xffffffff;
  for (const char byte : bytes) {
    state ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0x82f63b78u : 0u);
  }
  return (~state >> 15 | ~state << 17) + 0xa282ead8u;
}

// Takes numbers and bytes from the front of a message.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool is_at_end() const { return bytes_.empty(); }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = number<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) throw std::runtime_error("the bytes end too early");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::string_view text() { return take(varint()); }

 private:
  std::string_view bytes_;
};

// The data of each record, once its checksums were found right.
std::vector<std::string_view> records_of(std::string_view file) {
  std::vector<std::string_view> records;
  for (Reader reader(file); !reader.is_at_end();) {
    const std::string_view length = reader.take(8);
    EXPECT_EQ(reader.number<std::uint32_t>(), masked_checksum(length));
    records.push_back(reader.take(Reader(length).number<std::uint64_t>()));
    EXPECT_EQ(reader.number<std::uint32_t>(), masked_checksum(records.back()));
  }
  return records;
}

struct DecodedEvent {
  double unix_seconds = 0;
  std::optional<std::int64_t> step;
  std::string version;
  std::map<std::string, float> scalars;
};

void decode_value(std::string_view bytes, DecodedEvent& event) {
  Reader reader(bytes);
  EXPECT_EQ(reader.varint(), 1 << 3 | 2U) << "tag";
  const std::string tag(reader.text());
  EXPECT_EQ(reader.varint(), 2 << 3 | 5U) << "simple_value";
  EXPECT_TRUE(event.scalars.emplace(tag, reader.number<float>()).second) << tag << " is there twice";
  EXPECT_TRUE(reader.is_at_end());
}

DecodedEvent decode(std::string_view bytes) {
  DecodedEvent event;
  for (Reader reader(bytes); !reader.is_at_end();) {
    switch (const std::uint64_t key = reader.varint()) {
      case 1 << 3 | 1:
        event.unix_seconds = reader.number<double>();
        break;
      case 2 << 3 | 0:
        event.step = static_cast<std::int64_t>(reader.varint());
        break;
      case 3 << 3 | 2:
        event.version = reader.text();
        break;
      case 5 << 3 | 2:
        for (Reader summary(reader.text()); !summary.is_at_end();) {
          EXPECT_EQ(summary.varint(), 1 << 3 | 2U) << "value";
          decode_value(summary.text(), event);
        }
        break;
      default:
        throw std::runtime_error("a field that was not expected: " + std::to_string(key));
    }
  }
  return event;
}

std::string text_of(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

// Of RFC 3720: 32 zeros have 8a9136aa, "123456789" has e3069283.
TEST(EventFile, TheTwinOfTheChecksumHasTheValuesOfTheStandard) {
  const auto masked = [](std::uint32_t checksum) { return (checksum >> 15 | checksum << 17) + 0xa282ead8u; };
  EXPECT_EQ(masked_checksum("123456789"), masked(0xe3069283u));
  EXPECT_EQ(masked_checksum(std::string(32, '\0')), masked(0x8a9136aau));
  EXPECT_EQ(masked_checksum(""), 0xa282ead8u);
}

TEST(EventFile, OneEventIsTheseBytes) {
  const std::string file = encode_events(1.0, {{300, 2.0, {{"f1/a", 0.5}}}});
  const auto records = records_of(file);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0], text_of({0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x1a, 13}) + "brain.Event:2");
  EXPECT_EQ(records[1], text_of({0x09, 0,  0,    0, 0,   0,   0,   0,   0x40, 0x10, 0xac, 0x02, 0x2a, 13,
                                 0x0a, 11, 0x0a, 4, 'f', '1', '/', 'a', 0x15, 0,    0,    0,    0x3f}));
}

TEST(EventFile, EventsComeBackForAnyStepAndLengthOfNames) {
  Random random(1);
  std::vector<ScalarEvent> events;
  for (int i = 0; i < 64; ++i) {
    ScalarEvent event{static_cast<std::int64_t>(random.next() >> (1 + i % 63)), 1.7e9 + 0.1 * i, {}};
    for (int k = 0; k < i % 5; ++k) {
      const auto length = static_cast<std::size_t>(random.below(300));
      event.scalars.push_back(
          {std::to_string(k) + std::string(length, 'n'), std::ldexp(random.below(999), -9)});
    }
    events.push_back(event);
  }
  const std::string file = encode_events(1.7e9, events);
  const auto records = records_of(file);
  ASSERT_EQ(records.size(), events.size() + 1);
  EXPECT_EQ(decode(records[0]).version, "brain.Event:2");
  EXPECT_FALSE(decode(records[0]).step);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const DecodedEvent event = decode(records[i + 1]);
    EXPECT_EQ(event.step, events[i].step);
    EXPECT_EQ(event.unix_seconds, events[i].unix_seconds);
    ASSERT_EQ(event.scalars.size(), events[i].scalars.size());
    for (const Scalar& scalar : events[i].scalars)
      EXPECT_EQ(event.scalars.at(scalar.tag), static_cast<float>(scalar.value));
  }
}

TEST(EventFile, AnOpenReaderSeesWhatIsAdded) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "events" / "file";
  update_event_file(path, "begin");
  std::ifstream reader(path, std::ios::binary);
  std::string seen;
  std::getline(reader, seen);
  EXPECT_EQ(seen, "begin");
  update_event_file(path, "begin and more");
  reader.clear();
  std::getline(reader, seen);
  EXPECT_EQ(seen, " and more");
}

TEST(EventFile, WhateverWasThereItHoldsTheBytes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "file";
  for (const char* found : {"", "abc", "abcdef", "abcxyz", "x", "abcdefghi"}) {
    for (const char* wanted : {"abcdef", "", "abc"}) {
      write_text_atomically(path, found, Fsync::kNo);
      update_event_file(path, wanted);
      EXPECT_EQ(read_text(path), wanted) << found;
    }
  }
}

TEST(EventFile, AFolderInItsPlaceIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THROW(update_event_file(folder.path(), "a"), Error);
}

TEST(Curves, RowsAreEvents) {
  const TemporaryFolder folder;
  Curves curves({"er", "mito"});
  curves.add({10, 1.5, {0.5, 0.25}, {}, 0.003});
  curves.write(folder.path(), 1.7e9);
  const std::string begin = read_text(event_file_in(folder.path()));
  curves.add({20, 3.5, {0.125, 0.0625}, {0.75, 0.5}});
  curves.write(folder.path(), 1.7e9);
  const std::string file = read_text(event_file_in(folder.path()));
  EXPECT_EQ(file.substr(0, begin.size()), begin);
  const auto records = records_of(file);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(decode(records[0]).unix_seconds, 1.7e9);
  const DecodedEvent first = decode(records[1]);
  EXPECT_EQ(first.step, 10);
  EXPECT_EQ(first.unix_seconds, 1.7e9 + 1.5);
  EXPECT_EQ(first.scalars,
            (std::map<std::string, float>{
                {"loss/er", 0.5F}, {"loss/mito", 0.25F}, {"loss/total", 0.75F}, {"learning_rate", 0.003F}}));
  EXPECT_EQ(decode(records[2]).scalars, (std::map<std::string, float>{{"loss/er", 0.125F},
                                                                      {"loss/mito", 0.0625F},
                                                                      {"loss/total", 0.1875F},
                                                                      {"f1/er", 0.75F},
                                                                      {"f1/mito", 0.5F}}));

  // A training that goes on from step 10 and gives the same rows leaves the same file.
  Curves resumed({"er", "mito"});
  resumed.read(folder.path() / "curves.csv", 10);
  resumed.add({20, 3.5, {0.125, 0.0625}, {0.75, 0.5}});
  resumed.write(folder.path(), 1.7e9);
  EXPECT_EQ(read_text(event_file_in(folder.path())), file);
}

}  // namespace
}  // namespace organon::stages
