// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/peer_loss.h"

#include "cluster/authority/acceptance.h"
#include "cluster/authority/confirm_down.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/authority/legs.h"
#include "cluster/authority/takeover.h"
#include "fixture.h"

namespace mcv::authority::test::peer_loss_test {
namespace {

constexpr auto run_alone = PeerLoss::run_alone;
constexpr auto freeze = PeerLoss::freeze;
constexpr auto primary = DiskRole::primary;
constexpr auto secondary = DiskRole::secondary;
constexpr auto connecting = ConnectionState::connecting;
constexpr auto standalone = ConnectionState::standalone;

AloneSince by_policy(const char* boot = "boot-1") {
  AloneSince since = alone_since(generation(1, "A"), {disk}, boot);
  since.cause = cause_policy;
  return since;
}

AloneSince by_acceptance() {
  AloneSince since = alone_since(generation(2, "A"), {disk});
  since.cause = cause_accepted;
  return since;
}

/// A lost B, and both knew the policy. vm1 is A's.
Standpoint lost() {
  Standpoint standpoint = apart();
  standpoint.peer_loss = {run_alone, run_alone};
  standpoint.own_volumes = {disk};
  return standpoint;
}

/// The same, seen by the node that does not own vm1 and had its operator confirm the owner down.
Standpoint heir() {
  Standpoint standpoint = alone();
  standpoint.peer_loss = {run_alone, run_alone};
  AloneSince since = alone_since(generation(2, "A"), {});
  since.peer_may_run_alone = true;
  standpoint.ledger = Records().since(node_a, since).ledger();
  return standpoint;
}

PeerLossView view(std::optional<std::string> committed, std::optional<std::string> tentative) {
  ClusterState state = state_with_vm1(node_a);
  if (committed) {
    const Status applied = state.apply({"p", "policy", {put_setting(state, peer_loss_setting, *committed)}}, 2);
    if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
  }
  return peer_loss_view(state, tentative ? std::optional(Json(*tentative)) : std::nullopt);
}

TEST(PeerLoss, TheWordsAreTwo) {
  EXPECT_EQ(peer_loss_from("freeze"), freeze);
  EXPECT_EQ(peer_loss_from("run-alone"), run_alone);
  EXPECT_EQ(peer_loss_from("Run-alone"), std::nullopt);
  EXPECT_EQ(peer_loss(ClusterState()), freeze);
}

TEST(PeerLoss, AHalfMadeChangeIsTakenFromItsWorseSide) {
  EXPECT_EQ(view({}, {}), (PeerLossView{freeze, freeze}));
  EXPECT_EQ(view("run-alone", "run-alone"), (PeerLossView{run_alone, run_alone}));
  EXPECT_EQ(view("freeze", "freeze"), (PeerLossView{freeze, freeze}));
  EXPECT_EQ(view({}, "run-alone"), (PeerLossView{freeze, run_alone})) << "the other node may have committed it";
  EXPECT_EQ(view("run-alone", "freeze"), (PeerLossView{freeze, run_alone})) << "it was told to be freeze, there perhaps";
  EXPECT_EQ(view("run-alone", {}), (PeerLossView{freeze, run_alone}));
  EXPECT_EQ(view("later-word", "later-word"), (PeerLossView{freeze, run_alone})) << "of a later build";
}

TEST(PeerLoss, OnlyOwnCurrentCopiesGoOn) {
  VolumeFacts facts = held();
  facts.connection = connecting;
  EXPECT_TRUE(may_run_alone(lost(), disk, &facts));
  const VolumeFacts closed = leg(secondary, connecting);
  EXPECT_TRUE(may_run_alone(lost(), disk, &closed)) << "owned here, and started later";
  EXPECT_FALSE(may_run_alone(lost(), disk, nullptr));
  const VolumeFacts connected = leg(primary, ConnectionState::connected);
  EXPECT_FALSE(may_run_alone(lost(), disk, &connected));
  for (const DiskState state : {DiskState::consistent, DiskState::outdated, DiskState::inconsistent, DiskState::failed}) {
    VolumeFacts other = facts;
    other.disk = state;
    EXPECT_FALSE(may_run_alone(lost(), disk, &other)) << to_text(state);
  }
  using Spoil = void (*)(Standpoint&);
  const std::pair<const char*, Spoil> spoils[] = {
      {"the policy is freeze", [](Standpoint& s) { s.peer_loss = {freeze, freeze}; }},
      {"a change to freeze is half made", [](Standpoint& s) { s.peer_loss = {freeze, run_alone}; }},
      {"the other node's VM", [](Standpoint& s) { s.own_volumes.clear(); }},
      {"in contact", [](Standpoint& s) { s.link = LinkState::together; }},
      {"its daemon is there", [](Standpoint& s) { s.peer_in_group = true; }},
      {"two histories", [](Standpoint& s) { s.link = LinkState::diverged; }},
      {"this boot is not known", [](Standpoint& s) { s.boot.clear(); }},
      {"set aside by consent", [](Standpoint& s) { s.consents = Records().consent(node_a, node_b, disk).consents(); }},
      {"the other node went on with it", [](Standpoint& s) { s.ledger = Records().since(node_b, by_policy()).ledger(); }},
      {"this node left", [](Standpoint& s) { s.own_left = LeftRecord{"id", 1, {disk}}; }},
  };
  for (const auto& [why, spoil] : spoils) {
    Standpoint standpoint = lost();
    spoil(standpoint);
    EXPECT_FALSE(may_run_alone(standpoint, disk, &facts)) << why;
  }
}

TEST(PeerLoss, AfterARebootTheRecordIsNoReasonToOpenIt) {
  Standpoint rebooted = lost();
  rebooted.boot = "boot-2";
  rebooted.ledger = Records().since(node_a, by_policy("boot-1")).ledger();
  // The kernel was told once that the other copy is outdated, and calls this one up to date.
  const VolumeFacts closed = leg(secondary, connecting);
  EXPECT_FALSE(may_run_alone(rebooted, disk, &closed));
  EXPECT_FALSE(may_promote(rebooted, disk, &closed)) << "nor does mcvd where the kernel would not ask";
  const VolumeFacts open = leg(primary, connecting);
  EXPECT_TRUE(may_run_alone(rebooted, disk, &open)) << "opened in this boot, connected, and lost once more";
  Standpoint same = lost();
  same.ledger = Records().since(node_a, by_policy()).ledger();
  EXPECT_TRUE(may_promote(same, disk, &closed)) << "stopped and started while alone";
}

TEST(PeerLoss, ThePolicyIsNoAuthority) {
  Standpoint standpoint = lost();
  standpoint.ledger = Records().since(node_a, by_policy()).ledger();
  EXPECT_EQ(authority_over_peer(standpoint), Authority::none);
  EXPECT_FALSE(may_act_alone(standpoint));
  // A generation of before the last contact does not come to life again by a record that the policy wrote.
  Standpoint earlier = alone();
  earlier.boot = "boot-2";
  AloneSince since = alone_since(generation(2, "A"), {disk}, "boot-2");
  since.cause = cause_policy;
  earlier.ledger = Records().since(node_a, alone_since(generation(2, "A"), {disk}, "boot-1")).since(node_a, since).ledger();
  EXPECT_EQ(authority_over_peer(earlier), Authority::earlier);
}

TEST(PeerLoss, WhatTheKernelAskedInVainStandsAloneBeforeItGoesOn) {
  VolumeFacts facts = held();
  facts.connection = connecting;
  const auto next = [](const Standpoint& standpoint, const VolumeFacts& here, bool has_asked = true) {
    LegQuestion question{standpoint, disk, node_a, &here};
    question.kernel_has_asked = has_asked;
    return next_leg_step(question);
  };
  EXPECT_EQ(next(lost(), facts), LegStep::disconnect);
  EXPECT_EQ(next(lost(), held()), LegStep::run_alone);
  EXPECT_EQ(next(lost(), facts, /*has_asked=*/false), LegStep::leave) << "it is being answered";
  EXPECT_EQ(next(apart(), held()), LegStep::leave) << "freeze";
  for (const char* suspended : {"no", "user", "fencing,no-data"}) {
    VolumeFacts other = held();
    other.suspended = IoHold::parse(suspended);
    EXPECT_EQ(next(lost(), other), LegStep::leave) << suspended;
  }
}

TEST(PeerLoss, NoWordCoversWhatTheOtherNodeMayHaveGoneOnWith) {
  Standpoint standpoint = apart();
  standpoint.peer_loss = {run_alone, run_alone};
  const VolumeFacts facts = leg(secondary, connecting);
  EXPECT_EQ(freshness_by_word(standpoint, disk, &facts), Freshness::peer_may_run_alone);
  EXPECT_EQ(freshness_by_word(lost(), disk, &facts), Freshness::fresh) << "an own VM: the policy lets nobody else open it";
  Standpoint half = standpoint;
  half.peer_loss = {freeze, run_alone};
  EXPECT_EQ(freshness_by_word(half, disk, &facts), Freshness::peer_may_run_alone);
  Standpoint left = standpoint;
  left.peer_left = LeftRecord{"id", 1, {disk}};
  EXPECT_EQ(freshness_by_consent(left, disk, &facts), Freshness::fresh) << "who left in order opens nothing";
  const Coverage covered = coverage(standpoint, state_with_vm1(node_b), {{"vm1-0", facts}});
  EXPECT_TRUE(covered.covered.empty());
  EXPECT_EQ(covered.left_out.at(disk), Freshness::peer_may_run_alone);
}

TEST(PeerLoss, AChangeMadeAloneDoesNotUndoWhatThePolicyAllowedBefore) {
  Standpoint standpoint = heir();
  standpoint.peer_loss = {freeze, freeze};
  const VolumeFacts facts = leg(secondary, standalone);
  EXPECT_EQ(freshness_by_word(standpoint, disk, &facts), Freshness::peer_may_run_alone);
  Standpoint later = standpoint;
  later.link = LinkState::together;
  EXPECT_FALSE(policy_lets_peer_run_alone(later)) << "over with the next contact";
}

TEST(AcceptCopy, OpensACopyThatIsClosedForAnyReasonButBeingTorn) {
  const ClusterState state = state_with_vm1(node_b);
  const auto ask = [&](const Standpoint& standpoint, const VolumeFacts* here, const PathsToPeer& paths = silence()) { return may_accept_copy({standpoint, state, disk, here, paths}); };
  const VolumeFacts closed = leg(secondary, standalone);
  const auto accepted = ask(heir(), &closed);
  ASSERT_TRUE(accepted.ok()) << accepted.error().to_text();
  EXPECT_EQ(accepted->reason, Freshness::peer_may_run_alone);
  const VolumeFacts aside = leg(secondary, standalone, DiskState::outdated);
  Standpoint consented = heir();
  consented.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_EQ(ask(consented, &aside)->reason, Freshness::set_aside);
  Standpoint went_on = heir();
  AloneSince taken = alone_since(generation(2, "A"), {});
  went_on.ledger = Records().since(node_b, by_policy()).since(node_a, taken).ledger();
  EXPECT_EQ(ask(went_on, &closed)->reason, Freshness::peer_went_on);
  for (const DiskState torn : {DiskState::inconsistent, DiskState::failed, DiskState::diskless}) {
    const VolumeFacts facts = leg(secondary, standalone, torn);
    EXPECT_EQ(ask(heir(), &facts).error().code(), ErrorCode::not_up_to_date) << to_text(torn);
  }
  EXPECT_EQ(ask(heir(), nullptr).error().code(), ErrorCode::not_up_to_date);
  PathsToPeer corosync_alone;
  corosync_alone.in_membership = true;
  EXPECT_EQ(ask(heir(), &closed, corosync_alone).error().code(), ErrorCode::peer_answers);
  EXPECT_EQ(ask(lost(), &closed).error().code(), ErrorCode::no_authority) << "the policy is none";
  Standpoint rebooted = heir();
  rebooted.boot = "boot-2";
  EXPECT_EQ(ask(rebooted, &closed).error().code(), ErrorCode::no_authority);
  EXPECT_EQ(ask(alone(), &closed).error().code(), ErrorCode::already_exists);
  EXPECT_EQ(may_accept_copy({heir(), state, VolumeName::trusted("vm9-0"), &closed, silence()}).error().code(), ErrorCode::not_found);
}

TEST(AcceptCopy, IsFreshnessWhateverElseIsKnownOfTheCopy) {
  Standpoint standpoint = heir();
  standpoint.consents = Records().consent(node_a, node_b, disk).consents();
  AloneSince taken = alone_since(generation(2, "A"), {});
  standpoint.ledger = Records().since(node_b, by_policy()).since(node_a, taken).since(node_a, by_acceptance()).ledger();
  const VolumeFacts aside = leg(secondary, standalone, DiskState::outdated);
  EXPECT_EQ(freshness(standpoint, disk, &aside), Freshness::fresh);
  EXPECT_TRUE(may_promote(standpoint, disk, &aside));
  EXPECT_EQ(answer_fence_peer(standpoint, disk, &aside), FenceAnswer::peer_powered_off);
  const VolumeFacts torn = leg(secondary, standalone, DiskState::inconsistent);
  EXPECT_EQ(freshness(standpoint, disk, &torn), Freshness::not_current);
  EXPECT_FALSE(may_promote(standpoint, disk, &torn));
  EXPECT_TRUE(has_two_copies(standpoint, disk, &aside));
  // After a reboot the two facts are typed again, as ever.
  standpoint.boot = "boot-2";
  EXPECT_FALSE(may_promote(standpoint, disk, &aside));
  EXPECT_EQ(answer_fence_peer(standpoint, disk, &aside), FenceAnswer::hold);
}

TEST(AcceptCopy, EndsWhenBothCopiesAreEqual) {
  AloneSince accepted = by_acceptance();
  const AloneLedger ledger = Records().since(node_a, accepted).withdrawn(node_a, {disk}).ledger();
  EXPECT_FALSE(ledger.accepted(node_a, disk));
  EXPECT_TRUE(Records().since(node_a, accepted).ledger().accepted(node_a, disk));
  EXPECT_FALSE(Records().since(node_b, accepted).ledger().accepted(node_a, disk)) << "the other node's choice";
}

TEST(AcceptCopy, TheTakeoverNamesTheCommand) {
  const VolumeFacts closed = leg(secondary, standalone);
  const ClusterState state = state_with_vm1(node_b);
  const auto vm = state.vm(vm1);
  const std::map<std::string, VolumeFacts> here = {{"vm1-0", closed}};
  const Standpoint standpoint = heir();
  const Status refused = may_take_over({standpoint, state, *vm, here, false});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::not_up_to_date);
  EXPECT_NE(refused.error().next().find("hvctl cluster accept-copy vm1-0"), std::string::npos) << refused.error().next();
  Standpoint accepted = standpoint;
  AloneSince taken = alone_since(generation(2, "A"), {});
  accepted.ledger = Records().since(node_a, taken).since(node_a, by_acceptance()).ledger();
  EXPECT_TRUE(may_take_over({accepted, state, *vm, here, false}).ok());
}

TEST(AloneSince, OfAnEarlierBuildIsReadAndALaterOneKeepsItsFields) {
  Json old = {{"counter", 2}, {"uuid", "u"}, {"index", 7}, {"cause", "confirm-down"}, {"boot", "b"}, {"by", "root"}, {"volumes", {"vm1-0"}}};
  const auto read = AloneSince::from_json(old);
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->peer_may_run_alone);
  AloneSince since = by_policy();
  since.wall_seconds = 5;
  since.peer_may_run_alone = true;
  EXPECT_EQ(*AloneSince::from_json(since.to_json()), since);
}

}  // namespace
}  // namespace mcv::authority::test::peer_loss_test
