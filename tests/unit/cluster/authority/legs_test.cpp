// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/legs.h"

#include "fixture.h"

namespace mcv::authority::test::legs_test {
namespace {

constexpr auto primary = DiskRole::primary;
constexpr auto secondary = DiskRole::secondary;
constexpr auto connected = ConnectionState::connected;
constexpr auto connecting = ConnectionState::connecting;
constexpr auto standalone = ConnectionState::standalone;

LegStep step(const Standpoint& standpoint, const VolumeFacts& here, const NodeName& owner = node_a, const VolumeFacts* at_peer = nullptr, bool taken_apart = false) {
  return next_leg_step({standpoint, disk, owner, &here, at_peer, taken_apart});
}

/// A after B came back and both daemons agree; the record stands until both copies are equal.
Standpoint together() {
  Standpoint standpoint = alone();
  standpoint.link = LinkState::together;
  standpoint.peer_in_group = true;
  return standpoint;
}

/// B after it learnt that A had decided alone.
Standpoint loser() {
  Standpoint standpoint = together();
  std::swap(standpoint.self, standpoint.peer);
  return standpoint;
}

TEST(Legs, WithoutAuthorityNothingIsTouched) {
  for (const ConnectionState connection : {connecting, standalone, connected}) {
    VolumeFacts facts = held();
    facts.connection = connection;
    EXPECT_EQ(step(apart(), facts), LegStep::leave);
  }
}

TEST(Legs, AloneTheyAreDisconnectedBeforeAnythingGoesOn) {
  VolumeFacts facts = held();
  facts.connection = connecting;
  EXPECT_EQ(step(alone(), facts), LegStep::disconnect);
  EXPECT_EQ(step(alone(), held()), LegStep::resume_io);
  EXPECT_EQ(step(alone(), leg(secondary, connecting)), LegStep::disconnect) << "before a promotion as well";
  EXPECT_EQ(step(alone(), leg(secondary, connecting), node_b), LegStep::disconnect) << "also of a VM that is not here";
}

TEST(Legs, AConnectedLegIsLeftAlone) {
  VolumeFacts facts = held();
  facts.connection = connected;
  EXPECT_EQ(step(alone(), facts), LegStep::leave);
}

TEST(Legs, HeldStaysHeldInEveryDoubt) {
  Standpoint rebooted = alone();
  rebooted.boot = "boot-2";
  EXPECT_EQ(step(rebooted, held()), LegStep::leave);
  Standpoint uncovered = alone();
  uncovered.ledger = Records().since(node_a, alone_since(generation(2, "A"), {})).ledger();
  EXPECT_EQ(step(uncovered, held()), LegStep::leave);
  Standpoint older = alone();
  older.ledger = Records().since(node_b, alone_since(generation(1, "B"), {disk})).since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
  EXPECT_EQ(step(older, held()), LegStep::leave);
  EXPECT_EQ(step(alone(), held(), node_b), LegStep::leave) << "the VM is the other node's";
  for (const char* suspended : {"no", "user", "no-data", "fencing,no-data", "user,fencing"}) {
    VolumeFacts facts = held();
    facts.suspended = IoHold::parse(suspended);
    EXPECT_EQ(step(alone(), facts), LegStep::leave) << suspended;
  }
  for (const DiskState state : {DiskState::consistent, DiskState::inconsistent, DiskState::outdated, DiskState::failed}) {
    VolumeFacts facts = held();
    facts.disk = state;
    EXPECT_EQ(step(alone(), facts), LegStep::leave) << to_text(state);
  }
}

TEST(Legs, ReconnectWhenBothDaemonsAgreeAndTheOtherLegIsClosed) {
  const VolumeFacts here = leg(primary, standalone);
  const VolumeFacts closed = leg(secondary, connecting);
  const VolumeFacts open = leg(primary, connecting);
  EXPECT_EQ(step(together(), here, node_a, &closed), LegStep::connect);
  EXPECT_EQ(step(together(), here, node_a, nullptr), LegStep::leave) << "what the other node has is not known";
  EXPECT_EQ(step(together(), here, node_a, &open), LegStep::leave) << "its guest has not ended yet";
  EXPECT_EQ(step(together(), leg(secondary, standalone), node_a, &open), LegStep::leave);
  EXPECT_EQ(step(together(), leg(secondary, standalone), node_b, &open), LegStep::connect) << "it was never taken over: its owner goes on";
  for (const LinkState link : {LinkState::apart, LinkState::syncing, LinkState::diverged}) {
    Standpoint standpoint = together();
    standpoint.link = link;
    EXPECT_EQ(step(standpoint, here, node_a, &closed), LegStep::leave) << to_text(link);
  }
}

TEST(Legs, WhatStandsAloneForAnotherReasonIsAPersonsBusiness) {
  const VolumeFacts closed = leg(secondary, connecting);
  Standpoint standpoint = together();
  standpoint.ledger = AloneLedger();
  EXPECT_EQ(step(standpoint, leg(primary, standalone), node_a, &closed), LegStep::leave);
  EXPECT_EQ(step(standpoint, leg(primary, standalone), node_a, &closed, /*taken_apart=*/true), LegStep::connect);
}

TEST(Legs, ALoserIsNeverThawedByAReconnect) {
  VolumeFacts facts = held();
  facts.connection = connecting;
  EXPECT_EQ(step(loser(), facts, node_a), LegStep::disconnect);
  EXPECT_EQ(step(loser(), held(), node_a), LegStep::leave);
  const VolumeFacts winner = leg(primary, standalone);
  EXPECT_EQ(step(loser(), held(), node_a, &winner, true), LegStep::leave);
  EXPECT_EQ(step(loser(), leg(secondary, standalone), node_a, &winner, true), LegStep::connect) << "its guest has ended";
  EXPECT_EQ(step(loser(), facts, node_b), LegStep::leave) << "its own VM: it goes on when the legs meet";
}

TEST(Legs, WhatTheKernelHoldsAndAsksNoMoreGoesOnByConsent) {
  VolumeFacts facts = held();
  facts.connection = connecting;
  const auto next = [](const Standpoint& standpoint, const VolumeFacts& here, bool has_asked = true, const NodeName& owner = node_a) {
    LegQuestion question{standpoint, disk, owner, &here};
    question.kernel_has_asked = has_asked;
    return next_leg_step(question);
  };
  EXPECT_EQ(next(asking(), facts), LegStep::ask_consent);
  EXPECT_EQ(next(asking(), facts, /*has_asked=*/false), LegStep::leave) << "it is being answered";
  EXPECT_EQ(next(asking(), facts, true, node_b), LegStep::leave);
  EXPECT_EQ(next(asking(), held()), LegStep::leave) << "connected first";
  EXPECT_EQ(next(apart(), facts), LegStep::leave);
  EXPECT_EQ(next(alone(), facts), LegStep::disconnect) << "authority needs no consent";
  for (const char* suspended : {"no", "user", "fencing,no-data"}) {
    VolumeFacts other = facts;
    other.suspended = IoHold::parse(suspended);
    EXPECT_EQ(next(asking(), other), LegStep::leave) << suspended;
  }
  VolumeFacts older = facts;
  older.disk = DiskState::consistent;
  EXPECT_EQ(next(asking(), older), LegStep::leave);
}

TEST(Legs, WhatConsentTookApartIsConnectedAlsoByADaemonThatDoesNotRememberIt) {
  const VolumeFacts closed = leg(secondary, connecting);
  Standpoint goes_on = asking();
  goes_on.consents = Records().consent(node_b, node_a, disk).consents();
  EXPECT_EQ(step(goes_on, leg(primary, standalone), node_a, &closed), LegStep::connect);
  Standpoint aside = asked();
  aside.consents = goes_on.consents;
  const VolumeFacts open = leg(primary, connecting);
  EXPECT_EQ(step(aside, leg(secondary, standalone, DiskState::outdated), node_a, &open), LegStep::connect);
  EXPECT_EQ(step(asked(), leg(secondary, standalone, DiskState::outdated), node_a, &open), LegStep::leave);
}

TEST(Legs, WhoMustComeUpWithoutAConnection) {
  EXPECT_TRUE(must_stay_apart(alone(), disk, node_a, nullptr));
  Standpoint met = alone();
  met.link = LinkState::apart;
  EXPECT_TRUE(must_stay_apart(met, disk, node_a, nullptr)) << "contact ended before the other one was told";
  EXPECT_FALSE(must_stay_apart(together(), disk, node_a, nullptr));
  EXPECT_FALSE(must_stay_apart(apart(), disk, node_a, nullptr));
  const VolumeFacts facts = leg(primary, connecting);
  EXPECT_TRUE(must_stay_apart(loser(), disk, node_a, &facts));
  EXPECT_FALSE(must_stay_apart(loser(), disk, node_b, &facts));
}

TEST(Withdrawal, WhenBothCopiesAreEqualOrTheVolumeIsGone) {
  const ClusterState state = state_with_vm1(node_a);
  std::map<std::string, VolumeFacts> here{{"vm1-0", leg(primary, connected)}};
  EXPECT_EQ(to_withdraw(together(), state, here), std::vector<VolumeName>{disk});
  EXPECT_TRUE(to_withdraw(alone(), state, here).empty()) << "the daemons do not agree";
  here["vm1-0"].peer_disk = DiskState::inconsistent;
  EXPECT_TRUE(to_withdraw(together(), state, here).empty());
  here["vm1-0"] = leg(primary, connecting);
  EXPECT_TRUE(to_withdraw(together(), state, here).empty());
  EXPECT_TRUE(to_withdraw(together(), state, {}).empty()) << "not known";
  EXPECT_EQ(to_withdraw(together(), ClusterState(), {}), std::vector<VolumeName>{disk});
}

TEST(LostGuests, OnlyThoseTheOtherNodeTookAlone) {
  const ClusterState state = state_with_vm1(node_a);
  VmFacts runs;
  runs.state = RunState::running;
  EXPECT_EQ(lost_guests(loser(), state, {{"vm1", runs}}), std::vector<VmName>{vm1});
  EXPECT_TRUE(lost_guests(loser(), state_with_vm1(node_b), {{"vm1", runs}}).empty()) << "its own";
  EXPECT_TRUE(lost_guests(together(), state_with_vm1(node_b), {{"vm1", runs}}).empty()) << "this node decided last: a move is under way";
  VmFacts stopped;
  stopped.state = RunState::stopped;
  EXPECT_TRUE(lost_guests(loser(), state, {{"vm1", stopped}}).empty());
  EXPECT_TRUE(lost_guests(loser(), state, {}).empty());
}

}  // namespace
}  // namespace mcv::authority::test::legs_test
