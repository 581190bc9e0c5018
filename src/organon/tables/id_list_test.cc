#include "organon/tables/id_list.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::tables {
namespace {

TEST(IdList, ReadsIdsBetweenPlusAndComma) {
  EXPECT_EQ(parse_id_list("3+4,5"), (std::vector<std::uint64_t>{3, 4, 5}));
  EXPECT_EQ(parse_id_list("18446744073709551615"), (std::vector<std::uint64_t>{18446744073709551615U}));
  EXPECT_TRUE(parse_id_list("").empty());
}

TEST(IdList, RefusesAllElse) {
  for (const char* text : {"0", "-1", "3+", "+3", "3++4", "3 4", "x", "1.5", "99999999999999999999"}) {
    EXPECT_THROW(parse_id_list(text), Error) << text;
  }
}

}  // namespace
}  // namespace organon::tables
