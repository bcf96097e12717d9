// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "engine/last_words.h"

namespace mcv::sim::last_words_test {
namespace {

TEST(LastWords, ACrashNamesItsSchedule) {
  EXPECT_DEATH(
      {
        set_last_words("an earlier one");
        set_last_words("CRASHED in convert seed 3870");
        ::raise(SIGSEGV);
      },
      "CRASHED in convert seed 3870\n");
}

TEST(LastWords, TheEarlierOneIsForgotten) {
  EXPECT_DEATH(
      {
        set_last_words("CRASHED in a schedule with a long name");
        set_last_words("short");
        ::raise(SIGSEGV);
      },
      "(^|\n)short\n");
}

TEST(LastWords, LongOnesAreCut) {
  EXPECT_DEATH(
      {
        set_last_words(std::string(10'000, 'x'));
        ::raise(SIGSEGV);
      },
      "x{500}\n");
}

}  // namespace
}  // namespace mcv::sim::last_words_test
