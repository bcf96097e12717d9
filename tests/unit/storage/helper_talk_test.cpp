// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/helper_talk.h"

#include <gtest/gtest.h>

namespace mcv::drbd::helper_talk_test {
namespace {

TEST(HelperTalk, UnderstandsTheKernelsQuestion) {
  const auto volume = fence_question(R"({"event":"fence-peer","resource":"mcv-vm1-0","peer_address":"10.77.1.12"})");
  ASSERT_TRUE(volume);
  EXPECT_EQ(volume->str(), "vm1-0");
}

TEST(HelperTalk, AnythingElseIsNoQuestion) {
  for (const char* line : {"", "fence-peer", "[]", "null", R"({"event":"fence-peer"})", R"({"event":"split-brain","resource":"mcv-vm1-0"})", R"({"event":"fence-peer","resource":7})",
                           R"({"event":"fence-peer","resource":"other-vm1-0"})", R"({"event":"fence-peer","resource":"mcv-../x"})", R"({"event":["fence-peer"],"resource":"mcv-vm1-0"})"}) {
    EXPECT_FALSE(fence_question(line)) << line;
  }
}

TEST(HelperTalk, GivesOnlyTheAnswersThatNeedAuthorityOrConsentOrNone) {
  EXPECT_EQ(fence_reply(4), R"({"exit":4})");
  EXPECT_EQ(fence_reply(5), R"({"exit":5})");
  EXPECT_EQ(fence_reply(7), R"({"exit":7})");
  for (const int code : {1, 0, 3, 6, -1, 255}) EXPECT_EQ(fence_reply(code), R"({"exit":1})") << code;
}

}  // namespace
}  // namespace mcv::drbd::helper_talk_test
