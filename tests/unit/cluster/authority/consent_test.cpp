// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/consent.h"

#include "cluster/authority/confirm_down.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/authority/takeover.h"
#include "fixture.h"

namespace mcv::authority::test::consent_test {
namespace {

constexpr auto primary = DiskRole::primary;
constexpr auto secondary = DiskRole::secondary;
constexpr auto connected = ConnectionState::connected;
constexpr auto connecting = ConnectionState::connecting;
constexpr auto standalone = ConnectionState::standalone;

const GenerationRef agreed = generation(1, "A").ref;

/// B, asked by A.
Result<ConsentStep> ask(const Standpoint& standpoint, const VolumeFacts* here, const NodeName& owner = node_a, const GenerationRef& generation = agreed, bool asks_itself = false) {
  return may_consent({standpoint, disk, owner, agreed, generation, here, asks_itself});
}

ErrorCode refusal(const Standpoint& standpoint, const VolumeFacts* here, const NodeName& owner = node_a, const GenerationRef& generation = agreed, bool asks_itself = false) {
  const auto answer = ask(standpoint, here, owner, generation, asks_itself);
  return answer.ok() ? ErrorCode::internal : answer.error().code();
}

/// B after it let A go on.
Standpoint set_aside() {
  Standpoint standpoint = asked();
  standpoint.consents = Records().consent(node_b, node_a, disk).consents();
  return standpoint;
}

TEST(Consent, IsGivenByASecondaryThatLostTheOtherCopy) {
  for (const ConnectionState connection : {connecting, standalone}) {
    for (const DiskState state : {DiskState::up_to_date, DiskState::consistent}) {
      const VolumeFacts here = leg(secondary, connection, state);
      const auto step = ask(asked(), &here);
      ASSERT_TRUE(step.ok()) << to_text(connection) << to_text(state);
      EXPECT_EQ(*step, ConsentStep::outdate);
    }
    for (const DiskState state : {DiskState::outdated, DiskState::inconsistent}) {
      const VolumeFacts here = leg(secondary, connection, state);
      const auto step = ask(asked(), &here);
      ASSERT_TRUE(step.ok()) << to_text(connection) << to_text(state);
      EXPECT_EQ(*step, ConsentStep::already_older);
    }
  }
}

TEST(Consent, WaitsUntilThisKernelHasNoticedTheLossToo) {
  for (const ConnectionState connection : {connected, ConnectionState::other}) {
    const VolumeFacts here = leg(secondary, connection);
    const auto step = ask(asked(), &here);
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(*step, ConsentStep::wait) << to_text(connection);
  }
}

TEST(Consent, IsNotGivenByWhoWrites) {
  for (const DiskRole role : {primary, DiskRole::unknown}) {
    const VolumeFacts here = leg(role, connecting);
    EXPECT_EQ(refusal(asked(), &here), ErrorCode::peer_is_primary);
  }
  const VolumeFacts here = leg(secondary, connecting);
  EXPECT_EQ(refusal(asked(), &here, node_a, agreed, /*asks_itself=*/true), ErrorCode::busy) << "a promotion of its own is under way";
}

TEST(Consent, IsNotGivenUnlessBothDaemonsAgree) {
  const VolumeFacts here = leg(secondary, connecting);
  for (const LinkState link : {LinkState::uninitialised, LinkState::single, LinkState::apart, LinkState::syncing, LinkState::alone, LinkState::diverged, LinkState::removed, LinkState::failed}) {
    Standpoint standpoint = asked();
    standpoint.link = link;
    EXPECT_EQ(refusal(standpoint, &here), ErrorCode::no_authority) << to_text(link);
  }
  EXPECT_EQ(refusal(asked(), &here, node_a, generation(2, "A").ref), ErrorCode::no_authority) << "another generation";
  EXPECT_EQ(refusal(asked(), &here, node_a, generation(1, "B").ref), ErrorCode::no_authority) << "the same counter, taken by another";
  EXPECT_EQ(refusal(asked(), &here, node_b), ErrorCode::no_authority) << "its own VM";
  EXPECT_EQ(refusal(asked(), &here, NodeName()), ErrorCode::no_authority) << "nobody's";
}

TEST(Consent, IsNotGivenForAnOlderCopyThanItsOwn) {
  const VolumeFacts here = leg(secondary, connecting);
  Standpoint went_on = asked();
  went_on.ledger = Records().since(node_b, alone_since(generation(1, "B"), {disk})).ledger();
  EXPECT_EQ(refusal(went_on, &here), ErrorCode::not_up_to_date);
  Standpoint other_aside = asked();
  other_aside.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_EQ(refusal(other_aside, &here), ErrorCode::not_up_to_date) << "A let B go on before";
  for (const DiskState known : {DiskState::outdated, DiskState::inconsistent}) {
    VolumeFacts remembers = here;
    remembers.peer_disk = known;
    EXPECT_EQ(refusal(asked(), &remembers), ErrorCode::not_up_to_date) << to_text(known);
  }
}

TEST(Consent, IsNotGivenForALegThatIsNotSeenOrCannotBeMarked) {
  EXPECT_EQ(refusal(asked(), nullptr), ErrorCode::not_found);
  for (const DiskState state : {DiskState::diskless, DiskState::attaching, DiskState::failed, DiskState::negotiating, DiskState::unknown}) {
    const VolumeFacts here = leg(secondary, connecting, state);
    EXPECT_EQ(refusal(asked(), &here), ErrorCode::not_up_to_date) << to_text(state);
  }
}

TEST(Consent, IsAskedForOnlyByTheOwnerOfACurrentCopy) {
  const auto may_ask = [](const Standpoint& standpoint, const VolumeFacts* here, const NodeName& owner = node_a) { return may_ask_for_consent(standpoint, disk, owner, here).ok(); };
  for (const DiskRole role : {primary, secondary}) {
    for (const DiskState state : {DiskState::up_to_date, DiskState::consistent}) {
      const VolumeFacts here = leg(role, connecting, state);
      EXPECT_TRUE(may_ask(asking(), &here));
    }
  }
  const VolumeFacts here = leg(primary, connecting);
  EXPECT_FALSE(may_ask(asking(), nullptr));
  EXPECT_FALSE(may_ask(asking(), &here, node_b));
  for (const DiskState state : {DiskState::outdated, DiskState::inconsistent, DiskState::diskless, DiskState::negotiating}) {
    const VolumeFacts older = leg(secondary, connecting, state);
    EXPECT_FALSE(may_ask(asking(), &older)) << to_text(state);
  }
  for (const LinkState link : {LinkState::apart, LinkState::syncing, LinkState::alone, LinkState::diverged}) {
    Standpoint standpoint = asking();
    standpoint.link = link;
    EXPECT_FALSE(may_ask(standpoint, &here)) << to_text(link);
  }
  Standpoint newer_there = asking();
  newer_there.ledger = Records().since(node_b, alone_since(generation(1, "B"), {disk})).ledger();
  EXPECT_FALSE(may_ask(newer_there, &here));
  Standpoint aside = asking();
  aside.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_FALSE(may_ask(aside, &here));
}

TEST(SetAside, IsWhatTheKernelSays) {
  const VolumeFacts marked = leg(secondary, connecting, DiskState::outdated);
  EXPECT_TRUE(is_set_aside(&marked));
  const VolumeFacts not_whole = leg(secondary, connecting, DiskState::inconsistent);
  EXPECT_TRUE(is_set_aside(&not_whole));
  const VolumeFacts current = leg(secondary, connecting);
  EXPECT_FALSE(is_set_aside(&current));
  const VolumeFacts open = leg(primary, connecting, DiskState::outdated);
  EXPECT_FALSE(is_set_aside(&open));
  EXPECT_FALSE(is_set_aside(nullptr));
}

TEST(SetAside, NothingOpensIt) {
  for (const DiskState state : {DiskState::up_to_date, DiskState::consistent, DiskState::outdated}) {
    const VolumeFacts here = leg(secondary, standalone, state);
    // Alone by an operator's word, typed after the consent.
    Standpoint standpoint = set_aside();
    standpoint.link = LinkState::alone;
    standpoint.peer_in_group = false;
    standpoint.generations.push_back(generation(2, "B"));
    standpoint.ledger = Records().since(node_b, alone_since(generation(2, "B"), {})).ledger();
    ASSERT_TRUE(may_act_alone(standpoint));
    EXPECT_EQ(freshness(standpoint, disk, &here), Freshness::set_aside);
    EXPECT_EQ(freshness_by_word(standpoint, disk, &here), Freshness::set_aside);
    EXPECT_EQ(answer_fence_peer(standpoint, disk, &here), FenceAnswer::hold);
    EXPECT_FALSE(may_promote(standpoint, disk, &here));
    const ClusterState state_of_b = state_with_vm1(node_a);
    const Coverage found = coverage(standpoint, state_of_b, {{"vm1-0", here}});
    EXPECT_TRUE(found.covered.empty());
    EXPECT_EQ(found.left_out.at(disk), Freshness::set_aside);
    EXPECT_NE(reason_text(disk, node_a, Freshness::set_aside).find("older"), std::string::npos);
    const VmRecord vm = *state_of_b.vm(vm1);
    const std::map<std::string, VolumeFacts> volumes{{"vm1-0", here}};
    const Status taken = may_take_over({standpoint, state_of_b, vm, volumes});
    ASSERT_FALSE(taken.ok());
    EXPECT_EQ(taken.error().code(), ErrorCode::not_up_to_date);
  }
}

TEST(SetAside, EndsWhenBothCopiesAreEqualOrTheVolumeIsGone) {
  const ClusterState state = state_with_vm1(node_a);
  std::map<std::string, VolumeFacts> here{{"vm1-0", leg(secondary, connected)}};
  EXPECT_EQ(consent_to_withdraw(set_aside(), state, here), std::vector<VolumeName>{disk});
  here["vm1-0"].replication = ReplicationState::sync_target;
  EXPECT_TRUE(consent_to_withdraw(set_aside(), state, here).empty());
  here["vm1-0"] = leg(secondary, connected, DiskState::inconsistent);
  EXPECT_TRUE(consent_to_withdraw(set_aside(), state, here).empty());
  here["vm1-0"] = leg(secondary, connecting);
  EXPECT_TRUE(consent_to_withdraw(set_aside(), state, here).empty());
  EXPECT_TRUE(consent_to_withdraw(set_aside(), state, {}).empty()) << "not known";
  EXPECT_EQ(consent_to_withdraw(set_aside(), ClusterState(), {}), std::vector<VolumeName>{disk});
  EXPECT_TRUE(consent_to_withdraw(asking(), state, here).empty()) << "the other node's is not this node's to withdraw";
}

TEST(ConsentLedger, AWithdrawalEndsOnlyWhatWasGivenBefore) {
  const VolumeName other = VolumeName::trusted("vm2-0");
  Records records;
  records.consent(node_b, node_a, disk);
  EXPECT_TRUE(records.consents().stands(node_b, disk));
  EXPECT_FALSE(records.consents().stands(node_b, other));
  EXPECT_FALSE(records.consents().stands(node_a, disk));
  records.consent_withdrawn(node_b, {other});
  EXPECT_TRUE(records.consents().stands(node_b, disk));
  records.consent_withdrawn(node_b, {disk});
  EXPECT_FALSE(records.consents().stands(node_b, disk));
  EXPECT_TRUE(records.consents().standing(node_b).empty());
  records.consent(node_b, node_a, disk);
  EXPECT_TRUE(records.consents().stands(node_b, disk)) << "given again, for another loss";
  EXPECT_EQ(records.consents().standing(node_b), std::vector<VolumeName>{disk});
}

TEST(ConsentLedger, WhatHasEndedIsForgotten) {
  const auto record = [](std::uint64_t number, Json body) { return NodeOwnedRecord{"B", "stream-B", number, "", std::move(body)}; };
  const auto given = [&](std::uint64_t number, const VolumeName& volume) { return record(number, Consent{volume, node_a, agreed, 7, "boot-1"}.to_json()); };
  const VolumeName other = VolumeName::trusted("vm2-0");
  const NodeOwnedRecord ended = record(3, withdrawal_to_json({disk}));
  EXPECT_EQ(ended_consents({given(1, disk)}, {ended}), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(ended_consents({given(1, disk), given(2, other)}, {ended}), std::vector<std::uint64_t>{1}) << "the other one stands";
  EXPECT_EQ(ended_consents({given(1, disk), given(4, disk)}, {ended}), std::vector<std::uint64_t>{1}) << "given again";
  EXPECT_EQ(ended_consents({record(1, Json("torn"))}, {ended}), std::vector<std::uint64_t>{});
  EXPECT_EQ(ended_consents({}, {ended}), std::vector<std::uint64_t>{3});
}

TEST(ConsentLedger, WhatCannotBeReadStandsForEveryVolume) {
  Records records;
  records.consent_unreadable(node_b);
  EXPECT_TRUE(records.consents().stands(node_b, disk));
  EXPECT_FALSE(records.consents().stands(node_a, disk));
  EXPECT_TRUE(Records().consents().standing(node_b).empty());
}

TEST(ConsentRecord, ReadsWhatItWrites) {
  const Consent consent{disk, node_a, agreed, 12, "boot-3"};
  const auto read = Consent::from_json(consent.to_json());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, consent);
  EXPECT_FALSE(Consent::from_json(Json::object()).ok());
}

}  // namespace
}  // namespace mcv::authority::test::consent_test
