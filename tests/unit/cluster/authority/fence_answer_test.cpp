// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/fence_answer.h"

#include "fixture.h"

namespace mcv::authority::test::fence_answer_test {
namespace {

VolumeFacts unpromoted(DiskState state) { return leg(DiskRole::secondary, ConnectionState::standalone, state); }

TEST(FenceAnswer, WithAuthorityAndAFreshCopyThatStandsAlone) {
  const VolumeFacts current = unpromoted(DiskState::up_to_date);
  EXPECT_EQ(answer_fence_peer(alone(), disk, &current), FenceAnswer::peer_unreachable);
  const VolumeFacts rebooted = unpromoted(DiskState::consistent);
  EXPECT_EQ(answer_fence_peer(alone(), disk, &rebooted), FenceAnswer::peer_powered_off);
}

TEST(FenceAnswer, IsNoAnswerWithoutAuthority) {
  const VolumeFacts facts = unpromoted(DiskState::up_to_date);
  for (const LinkState link : {LinkState::uninitialised, LinkState::single, LinkState::apart, LinkState::syncing, LinkState::together, LinkState::diverged,
                               LinkState::removed, LinkState::failed}) {
    Standpoint standpoint = alone();
    standpoint.link = link;
    EXPECT_EQ(answer_fence_peer(standpoint, disk, &facts), FenceAnswer::hold) << to_text(link);
  }
  Standpoint rebooted = alone();
  rebooted.boot = "boot-2";
  EXPECT_EQ(answer_fence_peer(rebooted, disk, &facts), FenceAnswer::hold);
  Standpoint seen = alone();
  seen.peer_in_group = true;
  EXPECT_EQ(answer_fence_peer(seen, disk, &facts), FenceAnswer::hold);
}

TEST(FenceAnswer, IsNoAnswerForACopyThatMayBeOlder) {
  for (const DiskState state : {DiskState::diskless, DiskState::inconsistent, DiskState::outdated, DiskState::unknown, DiskState::negotiating}) {
    const VolumeFacts facts = unpromoted(state);
    EXPECT_EQ(answer_fence_peer(alone(), disk, &facts), FenceAnswer::hold) << to_text(state);
  }
  const VolumeFacts facts = unpromoted(DiskState::up_to_date);
  EXPECT_EQ(answer_fence_peer(alone(), VolumeName::trusted("vm2-0"), &facts), FenceAnswer::hold) << "not covered";
  EXPECT_EQ(answer_fence_peer(alone(), disk, nullptr), FenceAnswer::hold) << "not known";
}

TEST(FenceAnswer, IsNoAnswerWhileTheLegCouldReconnectByItself) {
  for (const ConnectionState connection : {ConnectionState::connecting, ConnectionState::connected, ConnectionState::other}) {
    VolumeFacts facts = unpromoted(DiskState::up_to_date);
    facts.connection = connection;
    EXPECT_EQ(answer_fence_peer(alone(), disk, &facts), FenceAnswer::hold) << to_text(connection);
  }
}

TEST(Promotion, AfterARebootTheKernelsMemoryOfOurOwnWordIsNoProof) {
  const VolumeFacts facts = unpromoted(DiskState::up_to_date);
  EXPECT_TRUE(may_promote(alone(), disk, &facts));
  Standpoint rebooted = alone();
  rebooted.boot = "boot-2";
  EXPECT_FALSE(may_promote(rebooted, disk, &facts));
  Standpoint met = alone();
  met.link = LinkState::apart;
  EXPECT_FALSE(may_promote(met, disk, &facts)) << "contact ended the authority";
  const VolumeFacts connected = leg(DiskRole::secondary, ConnectionState::connected);
  EXPECT_TRUE(may_promote(met, disk, &connected));
  EXPECT_FALSE(may_promote(alone(), VolumeName::trusted("vm2-0"), &facts)) << "not covered";
  EXPECT_TRUE(may_promote(apart(), disk, &facts)) << "the kernel asks, unless the other leg outdated itself when it left";
}

}  // namespace
}  // namespace mcv::authority::test::fence_answer_test
