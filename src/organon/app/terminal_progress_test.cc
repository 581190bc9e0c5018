#include "organon/app/terminal_progress.h"

#include <gtest/gtest.h>

namespace organon::app {
namespace {

TEST(Pace, CountsWhatThisRunDid) {
  Pace fresh;
  fresh.note(0, 0);
  EXPECT_EQ(fresh.rate(), 0);
  fresh.note(2, 1);
  fresh.note(12, 6);
  EXPECT_DOUBLE_EQ(fresh.rate(), 2);

  // As a training at 700 of 1000 that goes on, and says so with its first steps.
  Pace resumed(true);
  resumed.note(0, 0);
  resumed.note(700, 20);
  EXPECT_EQ(resumed.rate(), 0);
  resumed.note(710, 40);
  EXPECT_DOUBLE_EQ(resumed.rate(), 0.5);
}

TEST(Pace, BlocksThatEndTogetherCountFromTheBeginning) {
  Pace blocks;
  blocks.note(0, 0);
  for (int i = 1; i <= 8; ++i) blocks.note(i, 600 + 0.1 * i);
  EXPECT_NEAR(blocks.rate(), 8 / 600.0, 1e-4);
}

TEST(Clock, IsShort) {
  EXPECT_EQ(clock_text(7), "0:07");
  EXPECT_EQ(clock_text(245), "4:05");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(bytes_text(12), "12 B");
  EXPECT_EQ(bytes_text(1.25 * 1024 * 1024 * 1024), "1.2 GiB");
}

}  // namespace
}  // namespace organon::app
