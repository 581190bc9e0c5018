#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/tables/histogram.h"
#include "organon/tables/object_table.h"
#include "organon/tables/overlap_table.h"
#include "organon/tables/sqlite_file.h"
#include "organon/tables/table_text.h"

namespace organon::tables {
namespace {

const double kMissing = std::numeric_limits<double>::quiet_NaN();

ObjectTable example_table() {
  ObjectTable table({7, 2, 9'007'199'254'740'993});
  table.add_column<double>("volume_nm3", {12.5, 64, kMissing});
  table.add_column<std::int64_t>("begin_x", {-3, 0, 5});
  table.add_column<std::uint64_t>("num_voxels", {1, 2, 3});
  table.add_column<std::string>("note", {"a, \"b\"\nc", "", "12"});
  return table;
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::kInternal;
}

TEST(ObjectTable, UnitComesFromTheName) {
  EXPECT_EQ(unit_of_name("volume_nm3"), "nm3");
  EXPECT_EQ(unit_of_name("area_nm2"), "nm2");
  EXPECT_EQ(unit_of_name("curvature_per_nm"), "per_nm");
  EXPECT_EQ(unit_of_name("num_voxels"), "voxels");
  EXPECT_EQ(unit_of_name("class"), "");
  EXPECT_EQ(unit_of_name("nm"), "");
}

TEST(ObjectTable, RefusesDoubledIdsAndColumns) {
  EXPECT_EQ(kind_of([] { ObjectTable({1, 2, 1}); }), ErrorKind::kInvalidArgument);
  ObjectTable table({1});
  table.add_column<double>("a", {1});
  EXPECT_EQ(kind_of([&] { table.add_column<double>("a", {1}); }), ErrorKind::kAlreadyExists);
  EXPECT_EQ(kind_of([&] { table.add_column<double>("id", {1}); }), ErrorKind::kAlreadyExists);
}

TEST(ObjectTable, NamesTheNearestColumn) {
  try {
    example_table().column<double>("volume_nm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'volume_nm3'"), std::string::npos);
  }
}

TEST(ObjectTable, ConvertsOnlyExactly) {
  const ObjectTable table = example_table();
  EXPECT_EQ(table.values_as<double>("begin_x"), (std::vector<double>{-3, 0, 5}));
  EXPECT_EQ(table.values_as<std::int64_t>("num_voxels"), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(kind_of([&] { table.values_as<std::uint64_t>("begin_x"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { table.values_as<std::int64_t>("volume_nm3"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { table.values_as<double>("note"); }), ErrorKind::kInvalidArgument);
  ObjectTable large({1});
  large.add_column<std::uint64_t>("count", {(std::uint64_t{1} << 53) + 1});
  EXPECT_EQ(kind_of([&] { large.values_as<double>("count"); }), ErrorKind::kInvalidArgument);
}

TEST(ObjectTable, FindsRowsWhenSorted) {
  const ObjectTable table = example_table().sorted_by_id();
  EXPECT_EQ(table.row_of(7), 1u);
  EXPECT_EQ(table.row_of(8), std::nullopt);
  EXPECT_EQ(table.column<std::int64_t>("begin_x"), (std::vector<std::int64_t>{0, -3, 5}));
}

TEST(ObjectTable, IsCopiedOnlyWhereItIsOutOfOrder) {
  std::optional<ObjectTable> sorted;
  const ObjectTable table = example_table();
  EXPECT_EQ(table.in_order(sorted).ids(), (std::vector<ObjectId>{2, 7, 9'007'199'254'740'993}));
  ASSERT_TRUE(sorted.has_value());
  std::optional<ObjectTable> unused;
  EXPECT_EQ(&sorted->in_order(unused), &*sorted);
  EXPECT_FALSE(unused.has_value());
}

TEST(Csv, IsTheRfcForm) {
  EXPECT_EQ(to_csv(example_table()),
            "id,volume_nm3,begin_x,num_voxels,note\r\n"
            "2,64.0,0,2,\"\"\r\n"
            "7,12.5,-3,1,\"a, \"\"b\"\"\nc\"\r\n"
            "9007199254740993,,5,3,\"12\"\r\n");
}

TEST(Csv, RoundTripsRandomTables) {
  Random random(1);
  const std::string letters = "a,\"\n\r 1.e";
  for (int round = 0; round < 200; ++round) {
    const auto num_rows = static_cast<std::size_t>(random.below(5));
    std::vector<ObjectId> ids;
    std::vector<double> doubles;
    std::vector<std::int64_t> integers;
    std::vector<std::string> texts;
    for (std::size_t row = 0; row < num_rows; ++row) {
      ids.push_back(random.next() | row << 60);
      doubles.push_back(random.below(4) == 0
                            ? kMissing
                            : std::ldexp(random.normal(), static_cast<int>(random.below(200)) - 100));
      integers.push_back(static_cast<std::int64_t>(random.next()));
      std::string text;
      for (std::uint64_t i = random.below(5); i > 0; --i) text += letters[random.below(letters.size())];
      texts.push_back(text);
    }
    std::sort(ids.begin(), ids.end());
    if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) continue;
    ObjectTable table(ids);
    table.add_values("value_nm", doubles).add_values("number", integers).add_values("text, of \"it\"", texts);
    const std::string csv = to_csv(table);
    const ObjectTable read = from_csv(csv, "test");
    EXPECT_EQ(to_csv(read), csv);
    EXPECT_EQ(read.ids(), ids);
    if (num_rows > 0) {
      EXPECT_EQ(read.column<std::string>("text, of \"it\""), texts);
      EXPECT_EQ(read.values_as<std::int64_t>("number"), integers);
    }
  }
}

TEST(Csv, ReadsTheFormsOfOthers) {
  const ObjectTable table = from_csv("\xEF\xBB\xBFobject,size,name\n3,1e3,\"x\"\n1,,y\n", "other.csv");
  EXPECT_EQ(table.key_name(), "object");
  EXPECT_EQ(table.ids(), (std::vector<ObjectId>{3, 1}));
  EXPECT_EQ(table.column<double>("size")[0], 1000);
  EXPECT_TRUE(std::isnan(table.column<double>("size")[1]));
  EXPECT_EQ(from_csv("id\n", "x").num_rows(), 0u);
}

TEST(Csv, NameThatBeginsWithAByteOrderMarkRoundTrips) {
  const std::string text = to_csv(from_csv("\xEF\xBB\xBF\xEF\xBB\xBFid\n1\n", "x"));
  EXPECT_EQ(to_csv(from_csv(text, "written")), text);
}

TEST(Csv, RefusesBrokenTextNamingTheLine) {
  const auto message = [](std::string_view text) {
    try {
      from_csv(text, "t.csv");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      return error.message();
    }
    return std::string("no error");
  };
  EXPECT_EQ(message("id,a\n1,2\n3\n"), "t.csv, line 3: 1 fields, the header has 2");
  EXPECT_EQ(message("id,a\nx,2\n"), "t.csv, line 2: column id: 'x' is no object id");
  EXPECT_EQ(message("id,a\n1,\"b\n"), "t.csv, line 2: a quoted field without end");
  EXPECT_EQ(message("id,a\n1,\"b\"c\n"), "t.csv, line 2: text after a closing quote");
  EXPECT_EQ(message(""), "t.csv, line 1: no header");
  EXPECT_EQ(message("id\n1\n1\n"), "t.csv: table: id 1 stands twice");
  EXPECT_EQ(message("id,a,a\n"), "t.csv: table: column 'a' stands twice");
}

TEST(Csv, SurvivesRandomText) {
  Random random(3);
  const std::string letters = "id,1\"\r\n -.";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t i = random.below(30); i > 0; --i) text += letters[random.below(letters.size())];
    try {
      const std::string once = to_csv(from_csv(text, "random"));
      EXPECT_EQ(to_csv(from_csv(once, "again")), once);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
}

TEST(TableJson, HasColumnsWithUnitsAndRows) {
  EXPECT_EQ(to_json(example_table()),
            "{\"columns\": [{\"name\":\"id\",\"unit\":\"\",\"type\":\"uint64\"},"
            "{\"name\":\"volume_nm3\",\"unit\":\"nm3\",\"type\":\"double\"},"
            "{\"name\":\"begin_x\",\"unit\":\"\",\"type\":\"int64\"},"
            "{\"name\":\"num_voxels\",\"unit\":\"voxels\",\"type\":\"uint64\"},"
            "{\"name\":\"note\",\"unit\":\"\",\"type\":\"string\"}],\n"
            "\"rows\": [\n"
            "[2,64.0,0,2,\"\"],\n"
            "[7,12.5,-3,1,\"a, \\\"b\\\"\\nc\"],\n"
            "[\"9007199254740993\",null,5,3,\"12\"]\n]}\n");
}

TEST(Sqlite, RoundTripsAndKeepsOtherTables) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "cell.sqlite";
  write_sqlite(path, {{"mito", example_table()}, {"nucleus \"1\"", ObjectTable({1})}});
  ObjectTable changed({5});
  changed.add_column<double>("volume_nm3", {1});
  write_sqlite(path, {{"er", changed}});
  EXPECT_EQ(list_sqlite_tables(path), (std::vector<std::string>{"er", "mito", "nucleus \"1\""}));
  EXPECT_EQ(to_csv(read_sqlite(path, "mito")), to_csv(example_table()));
  write_sqlite(path, {{"mito", changed}});
  EXPECT_EQ(to_csv(read_sqlite(path, "mito")), to_csv(changed));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "a temporary file was left";
}

TEST(Sqlite, RefusesWhatItCannotHoldAndKeepsTheOldFile) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "cell.sqlite";
  write_sqlite(path, {{"mito", example_table()}});
  const auto before = read_file_if_exists(path);
  ObjectTable large({std::uint64_t{1} << 63});
  EXPECT_EQ(kind_of([&] { write_sqlite(path, {{"mito", large}}); }), ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of([&] { write_sqlite(path, {{"sqlite_x", ObjectTable()}}); }), ErrorKind::kInvalidArgument);
  ObjectTable cases({1});
  cases.add_column<double>("a", {1}).add_column<double>("A", {1});
  EXPECT_EQ(kind_of([&] { write_sqlite(path, {{"mito", cases}}); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(read_file_if_exists(path), before);
  EXPECT_EQ(kind_of([&] { read_sqlite(path, "er"); }), ErrorKind::kNotFound);

  write_text_atomically(path, std::string(4096, 'x'));
  EXPECT_EQ(kind_of([&] { read_sqlite(path, "mito"); }), ErrorKind::kCorruptData);
  EXPECT_EQ(kind_of([&] { write_sqlite(path, {{"mito", example_table()}}); }), ErrorKind::kCorruptData);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "a temporary file was left";
}

template <class T>
void expect_counts_equal_brute_force() {
  Random random(5);
  Array<T> voxels({3, 4, 5});
  for (std::int64_t i = 0; i < voxels.size(); ++i) voxels.data()[i] = static_cast<T>(random.below(40));
  Histogram histogram = Histogram::of_integers(5, 20);
  histogram.add_voxels<T>(voxels.view().part({{1, 0, 1}, {3, 4, 5}}));
  std::map<std::int64_t, std::uint64_t> expected;
  for (std::int64_t z = 1; z < 3; ++z)
    for (std::int64_t y = 0; y < 4; ++y)
      for (std::int64_t x = 1; x < 5; ++x) ++expected[static_cast<std::int64_t>(voxels(z, y, x))];
  std::uint64_t outside = 0;
  for (const auto& [value, count] : expected) {
    if (value >= 5 && value <= 20) {
      EXPECT_EQ(histogram.counts()[static_cast<std::size_t>(value - 5)], count);
    } else {
      outside += count;
    }
  }
  EXPECT_EQ(histogram.below() + histogram.above(), outside);
  EXPECT_EQ(histogram.total() + outside, 32u);
}

TEST(Histogram, CountsEqualBruteForceForEveryType) {
  expect_counts_equal_brute_force<std::uint8_t>();
  expect_counts_equal_brute_force<std::int8_t>();
  expect_counts_equal_brute_force<std::uint16_t>();
  expect_counts_equal_brute_force<std::int16_t>();
  expect_counts_equal_brute_force<std::uint32_t>();
  expect_counts_equal_brute_force<std::int64_t>();
  expect_counts_equal_brute_force<float>();
}

TEST(Histogram, RangeHoldsItsEnds) {
  Random random(8);
  for (int round = 0; round < 1000; ++round) {
    const double low = random.normal() * 1e3;
    const double high = low + std::ldexp(random.uniform(), static_cast<int>(random.below(40)) - 30);
    Histogram histogram = Histogram::of_range(low, high, 1 + random.below(300));
    histogram.add(low);
    histogram.add(high);
    EXPECT_EQ(histogram.total(), 2u) << low << " " << high;
    EXPECT_EQ(histogram.counts().front(), high > low && histogram.counts().size() > 1 ? 1u : 2u);
  }
}

TEST(Histogram, NotANumberAndInfinitiesAreCountedApart) {
  Histogram histogram = Histogram::of_range(0, 1, 4);
  histogram.add(kMissing);
  histogram.add(std::numeric_limits<double>::infinity());
  histogram.add(-std::numeric_limits<double>::infinity());
  EXPECT_EQ(histogram.not_a_number(), 1u);
  EXPECT_EQ(histogram.above(), 1u);
  EXPECT_EQ(histogram.below(), 1u);
  EXPECT_EQ(histogram.total(), 0u);
}

TEST(Histogram, QuantileIsTheLeastBinReachingTheFraction) {
  Histogram histogram = Histogram::of_integers(0, 9);
  for (int value = 0; value < 10; ++value) histogram.add(value);
  EXPECT_EQ(histogram.quantile_bin(0), 0u);
  EXPECT_EQ(histogram.quantile_bin(0.1), 0u);
  EXPECT_EQ(histogram.quantile_bin(0.11), 1u);
  EXPECT_EQ(histogram.quantile_bin(0.5), 4u);
  EXPECT_EQ(histogram.quantile_bin(1), 9u);
  EXPECT_EQ(histogram.without_bin(0).quantile_bin(0), 1u);
  EXPECT_EQ(histogram.rebinned(4), (std::vector<std::uint64_t>{3, 3, 3, 1}));
}

TEST(Histogram, MergeIsTheHistogramOfAllAndEncodingRoundTrips) {
  Histogram a = Histogram::of_integers(-2, 5);
  Histogram b = a;
  Histogram both = a;
  Random random(4);
  for (int i = 0; i < 100; ++i) {
    const double value = static_cast<double>(random.below(10)) - 3;
    (i % 3 == 0 ? a : b).add(value);
    both.add(value);
  }
  a.merge(b);
  EXPECT_EQ(a, both);
  EXPECT_EQ(Histogram::decode(a.encode()), a);
}

TEST(Histogram, HostileBytesAreRefused) {
  Histogram histogram = Histogram::of_integers(0, 3);
  const auto bytes = histogram.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(kind_of([&] { Histogram::decode(std::span(bytes).first(size)); }), ErrorKind::kCorruptData);
  }
  Random random(6);
  for (int round = 0; round < 2000; ++round) {
    auto changed = bytes;
    changed[random.below(changed.size())] = static_cast<std::byte>(random.below(256));
    try {
      Histogram::decode(changed);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
}

TEST(OverlapTable, EqualsBruteForceAndMerges) {
  Random random(11);
  for (int round = 0; round < 20; ++round) {
    Array<ObjectId> a({3, 4, 6});
    Array<ObjectId> b({3, 4, 6});
    std::map<std::pair<ObjectId, ObjectId>, std::uint64_t> expected;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      a.data()[i] = random.below(3);
      b.data()[i] = random.below(2) << 40;
      ++expected[{a.data()[i], b.data()[i]}];
    }
    OverlapTable whole;
    whole.add_voxels(a, b);
    std::vector<Overlap> rows;
    rows.reserve(expected.size());
    for (const auto& [pair, count] : expected) rows.push_back({pair.first, pair.second, count});
    EXPECT_EQ(whole.overlaps(), rows);
    EXPECT_EQ(whole.total(), 72u);

    OverlapTable parts;
    for (std::int64_t z = 2; z >= 0; --z) {
      OverlapTable part;
      const Box box{{z, 0, 0}, {z + 1, 4, 6}};
      part.add_voxels(a.view().part(box), b.view().part(box));
      parts.merge(part);
    }
    EXPECT_EQ(parts.encode(), whole.encode());
    EXPECT_EQ(OverlapTable::decode(whole.encode()).overlaps(), rows);
  }
}

TEST(OverlapTable, EmptyViewsLeaveItEmpty) {
  OverlapTable table;
  table.add_voxels(Array<ObjectId>({0, 4, 4}), Array<ObjectId>({0, 4, 4}));
  EXPECT_EQ(table.num_pairs(), 0u);
  EXPECT_EQ(OverlapTable::decode(table.encode()).num_pairs(), 0u);
}

TEST(OverlapTable, HostileBytesAreRefused) {
  OverlapTable table;
  table.add(1, 2, 3);
  table.add(1, 3, 4);
  const auto bytes = table.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(kind_of([&] { OverlapTable::decode(std::span(bytes).first(size)); }), ErrorKind::kCorruptData);
  }
  auto huge = bytes;
  huge[11] = std::byte{0xff};
  EXPECT_EQ(kind_of([&] { OverlapTable::decode(huge); }), ErrorKind::kCorruptData);
  auto swapped = bytes;
  std::swap_ranges(swapped.begin() + 12, swapped.begin() + 36, swapped.begin() + 36);
  EXPECT_EQ(kind_of([&] { OverlapTable::decode(swapped); }), ErrorKind::kCorruptData);
}

}  // namespace
}  // namespace organon::tables
