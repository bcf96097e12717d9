// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/leave.h"

#include <algorithm>
#include <set>

#include "cluster/authority/acceptance.h"
#include "cluster/authority/confirm_down.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/authority/removal.h"
#include "cluster/authority/takeover.h"
#include "fixture.h"

namespace mcv::authority::test::leave_test {
namespace {

const VolumeName other_disk = VolumeName::trusted("vm2-0");

Leave a_leave(const char* id = "leave-1", const char* boot = "boot-1", std::vector<VolumeName> volumes = {disk}) { return {id, boot, 1'700'000'000, std::move(volumes)}; }

/// The leaver's own records, numbered in the order they are added.
class OwnRecords {
 public:
  OwnRecords& left(const Leave& leave) { return add(leaves_, leave.to_json()); }
  OwnRecords& returned(const char* id) { return add(ended_, leave_returned_to_json(id, "back")); }
  OwnRecords& equal(const char* id, const std::vector<VolumeName>& volumes) { return add(ended_, leave_equal_to_json(id, volumes)); }
  OwnRecords& torn() { return add(leaves_, Json("torn")); }
  OwnRecords& torn_end() { return add(ended_, Json("torn")); }
  LeaveLedger ledger() const { return LeaveLedger(leaves_, ended_); }

 private:
  OwnRecords& add(std::vector<NodeOwnedRecord>& list, Json body) {
    list.push_back({"A", "stream-A", ++number_, "", std::move(body)});
    return *this;
  }
  std::vector<NodeOwnedRecord> leaves_, ended_;
  std::uint64_t number_ = 0;
};

/// A, after B left in order: it took a generation by that, and named vm1-0.
Standpoint by_consent() {
  Standpoint standpoint = alone();
  standpoint.generations.back().proof = "left";
  standpoint.peer_left = a_leave().entry();
  return standpoint;
}

/// A left, was booted again and is alone.
Standpoint left_and_booted() {
  Standpoint standpoint = apart();
  standpoint.own_leave = OwnRecords().left(a_leave()).ledger();
  standpoint.own_left = a_leave().entry();
  standpoint.boot = "boot-2";
  return standpoint;
}

ClusterState with_left(const NodeName& leaver, const NodeName& other, const Leave& leave) {
  ClusterState state = state_with_vm1(node_a);
  Change change = left_change(leaver, other, leave);
  const Status applied = state.apply(change, 2);
  EXPECT_TRUE(applied.ok()) << (applied.ok() ? "" : applied.error().to_text());
  return state;
}

TEST(LeaveRecords, AreReadAsTheyWereWritten) {
  const auto read = Leave::from_json(a_leave().to_json());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, a_leave());
  const auto entry = LeftRecord::from_json(a_leave().entry().to_json());
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(*entry, a_leave().entry());
}

TEST(LeaveLedgerTest, StandsUntilItSaysThatItEnded) {
  EXPECT_EQ(LeaveLedger().standing(), nullptr);
  EXPECT_FALSE(LeaveLedger().bars(disk));
  const LeaveLedger left = OwnRecords().left(a_leave()).ledger();
  ASSERT_NE(left.standing(), nullptr);
  EXPECT_EQ(left.standing()->id, "leave-1");
  EXPECT_TRUE(left.bars(disk));
  EXPECT_FALSE(left.bars(other_disk));
  const LeaveLedger back = OwnRecords().left(a_leave()).returned("leave-1").ledger();
  EXPECT_EQ(back.standing(), nullptr);
  EXPECT_TRUE(back.bars(disk)) << "back, and its copy may still be older";
  const LeaveLedger over = OwnRecords().left(a_leave()).returned("leave-1").equal("leave-1", {disk}).ledger();
  EXPECT_FALSE(over.bars(disk));
  EXPECT_TRUE(over.barred().empty());
}

TEST(LeaveLedgerTest, EachLeaveEndsByItself) {
  const LeaveLedger twice = OwnRecords().left(a_leave("one")).returned("one").equal("one", {disk}).left(a_leave("two")).returned("other").equal("one", {disk}).ledger();
  ASSERT_NE(twice.standing(), nullptr);
  EXPECT_EQ(twice.standing()->id, "two");
  EXPECT_TRUE(twice.bars(disk));
}

TEST(LeaveLedgerTest, WhatCannotBeReadStandsAndBarsEverything) {
  const LeaveLedger torn = OwnRecords().torn().ledger();
  EXPECT_NE(torn.standing(), nullptr);
  EXPECT_TRUE(torn.bars(disk));
  EXPECT_NE(OwnRecords().left(a_leave()).torn_end().ledger().standing(), nullptr);
}

TEST(MayBeLeft, NamesWhatIsCurrentOnTheOtherNode) {
  const ClusterState state = state_with_vm1(node_a);
  struct Case {
    const char* what;
    void (*spoil)(VolumeFacts&);
    bool named;
  };
  const Case cases[] = {
      {"closed, connected, current there", [](VolumeFacts&) {}, true},
      {"this copy is the older one", [](VolumeFacts& f) { f.disk = DiskState::inconsistent; }, true},
      {"open here", [](VolumeFacts& f) { f.role = DiskRole::primary; }, false},
      {"the role is not known", [](VolumeFacts& f) { f.role = DiskRole::unknown; }, false},
      {"not connected", [](VolumeFacts& f) { f.connection = ConnectionState::connecting; }, false},
      {"being sent to the other node", [](VolumeFacts& f) { f.peer_disk = DiskState::inconsistent; }, false},
      {"outdated there", [](VolumeFacts& f) { f.peer_disk = DiskState::outdated; }, false},
      {"no disk there", [](VolumeFacts& f) { f.peer_disk = DiskState::diskless; }, false},
  };
  for (const Case& item : cases) {
    VolumeFacts facts = leg(DiskRole::secondary, ConnectionState::connected);
    item.spoil(facts);
    EXPECT_EQ(may_be_left(asking(), state, {{"vm1-0", facts}}).size(), item.named ? 1u : 0u) << item.what;
  }
  EXPECT_TRUE(may_be_left(asking(), state, {}).empty()) << "not configured";
}

TEST(MayBeLeft, NamesADiskOfTheOtherNodesVmWhoseCopyHereCannotBeNewer) {
  const ClusterState state = state_with_vm1(node_a);
  const VolumeFacts lost = leg(DiskRole::secondary, ConnectionState::connecting);
  const auto named = [&](const Standpoint& leaver, const VolumeFacts& facts) { return !may_be_left(leaver, state, {{"vm1-0", facts}}).empty(); };
  EXPECT_TRUE(named(asked(), lost)) << "B leaves, the VM is A's";
  EXPECT_FALSE(named(asking(), lost)) << "A leaves: what it wrote last may not be on B";
  Standpoint went_on = asked();
  went_on.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
  EXPECT_FALSE(named(went_on, lost)) << "B went on alone with it";
  Standpoint let_go_on = asked();
  let_go_on.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_FALSE(named(let_go_on, lost)) << "A set its own copy aside";
  VolumeFacts older_there = lost;
  older_there.peer_disk = DiskState::outdated;
  EXPECT_FALSE(named(asked(), older_there)) << "DRBD knows A's copy as outdated";
  VolumeFacts open = lost;
  open.role = DiskRole::primary;
  EXPECT_FALSE(named(asked(), open)) << "open here";
}

TEST(LeftChange, IsForOneNodeAtATime) {
  const ClusterState state = with_left(node_b, node_a, a_leave());
  ASSERT_TRUE(left(state, node_b));
  EXPECT_EQ(*left(state, node_b), a_leave().entry());
  EXPECT_FALSE(has_left(state, node_a));
  EXPECT_FALSE(state.check(left_change(node_a, node_b, a_leave("leave-2"))).ok()) << "then nobody could go on";
  EXPECT_FALSE(state.check(left_change(node_b, node_a, a_leave("leave-2"))).ok()) << "it is not back";
}

TEST(LeftChange, EndsWithTheLeaveItIsAbout) {
  ClusterState state = with_left(node_b, node_a, a_leave());
  EXPECT_FALSE(state.check(back_change(node_b, a_leave("another").entry())).ok());
  ASSERT_TRUE(state.apply(back_change(node_b, *left(state, node_b)), 3).ok());
  EXPECT_FALSE(has_left(state, node_b));
  EXPECT_TRUE(state.check(left_change(node_a, node_b, a_leave("leave-2"))).ok());
}

TEST(LeftChange, KeepsTheRestOfTheNodeRecord) {
  ClusterState state = with_left(node_b, node_a, a_leave());
  EXPECT_EQ(state.node(node_b)->id, 2u);
  ASSERT_TRUE(state.apply(back_change(node_b, *left(state, node_b)), 3).ok());
  EXPECT_EQ(state.node(node_b)->to_json(), state_with_vm1(node_a).node(node_b)->to_json());
}

TEST(ByConsent, Authority) {
  struct Case {
    const char* what;
    void (*spoil)(Standpoint&);
    Authority expected;
  };
  const Case cases[] = {
      {"B left", [](Standpoint&) {}, Authority::by_consent},
      {"booted since", [](Standpoint& s) { s.boot = "boot-2"; }, Authority::by_consent},
      {"before the record of volumes", [](Standpoint& s) { s.ledger = AloneLedger(); }, Authority::by_consent},
      {"B is back", [](Standpoint& s) { s.peer_left.reset(); s.boot = "boot-2"; }, Authority::earlier},
      {"contact", [](Standpoint& s) { s.link = LinkState::syncing; }, Authority::none},
      {"no generation was taken by it", [](Standpoint& s) { s.link = LinkState::apart; }, Authority::none},
      {"B's daemon appears in the group", [](Standpoint& s) { s.peer_in_group = true; }, Authority::none},
      {"this node left as well", [](Standpoint& s) { s.own_leave = OwnRecords().left(a_leave("mine")).ledger(); }, Authority::none},
      {"the entry says that this node left as well", [](Standpoint& s) { s.own_left = a_leave("mine").entry(); }, Authority::none},
      {"B took the last generation", [](Standpoint& s) { s.generations.push_back(generation(3, "B")); }, Authority::none},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = by_consent();
    item.spoil(standpoint);
    EXPECT_EQ(to_text(authority_over_peer(standpoint)), to_text(item.expected)) << item.what;
    EXPECT_EQ(may_act_alone(standpoint), item.expected == Authority::by_consent) << item.what;
  }
}

TEST(ByConsent, IsTakenWhenTheOtherNodeIsGone) {
  struct Case {
    const char* what;
    void (*spoil)(Standpoint&);
    bool taken;
  };
  const Case cases[] = {
      {"B left and is away", [](Standpoint&) {}, true},
      {"B did not leave", [](Standpoint& s) { s.peer_left.reset(); }, false},
      {"B's daemon is still there", [](Standpoint& s) { s.peer_in_group = true; }, false},
      {"together", [](Standpoint& s) { s.link = LinkState::together; }, false},
      {"taken already", [](Standpoint& s) { s.link = LinkState::alone; }, false},
      {"two histories", [](Standpoint& s) { s.link = LinkState::diverged; }, false},
      {"this node left as well", [](Standpoint& s) { s.own_leave = OwnRecords().left(a_leave("mine")).ledger(); }, false},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = apart();
    standpoint.peer_left = a_leave().entry();
    item.spoil(standpoint);
    EXPECT_EQ(may_go_on_by_consent(standpoint), item.taken) << item.what;
  }
}

TEST(ByConsent, CoversTheFreshCopiesTheLeaverNamed) {
  struct Case {
    const char* what;
    void (*spoil)(Standpoint&, VolumeFacts&);
    Freshness expected;
  };
  const Case cases[] = {
      {"named and whole", [](Standpoint&, VolumeFacts&) {}, Freshness::fresh},
      {"after a reboot the kernel is not sure", [](Standpoint&, VolumeFacts& f) { f.disk = DiskState::consistent; }, Freshness::fresh},
      {"not named", [](Standpoint& s, VolumeFacts&) { s.peer_left->volumes = {other_disk}; }, Freshness::not_covered},
      {"nobody left", [](Standpoint& s, VolumeFacts&) { s.peer_left.reset(); }, Freshness::not_covered},
      {"not whole", [](Standpoint&, VolumeFacts& f) { f.disk = DiskState::inconsistent; }, Freshness::not_current},
      {"B went on alone with it", [](Standpoint& s, VolumeFacts&) { s.ledger = Records().since(node_b, alone_since(generation(1, "B"), {disk})).ledger(); }, Freshness::peer_went_on},
      {"with what B went on is not known", [](Standpoint& s, VolumeFacts&) { s.generations.insert(s.generations.begin() + 1, generation(2, "B")); }, Freshness::peer_may_have},
      {"this node let B go on with it before", [](Standpoint& s, VolumeFacts&) { s.own_leave = OwnRecords().left(a_leave("mine")).returned("mine").ledger(); }, Freshness::left_here},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = by_consent();
    standpoint.ledger = AloneLedger();
    VolumeFacts facts = held();
    item.spoil(standpoint, facts);
    EXPECT_EQ(to_text(freshness_by_consent(standpoint, disk, &facts)), to_text(item.expected)) << item.what;
    EXPECT_EQ(newly_covered(standpoint, {{"vm1-0", facts}}).size(), item.expected == Freshness::fresh ? 1u : 0u) << item.what;
  }
  EXPECT_TRUE(newly_covered(by_consent(), {{"vm1-0", held()}}).empty()) << "it is in the record already";
}

TEST(ByConsent, AVmOfTheLeaverIsTakenOver) {
  const ClusterState state = with_left(node_b, node_a, a_leave());
  VmRecord vm = *state.vm(vm1);
  vm.owner = node_b;
  const std::map<std::string, VolumeFacts> here{{"vm1-0", leg(DiskRole::secondary, ConnectionState::standalone)}};
  const Standpoint standpoint = by_consent();
  EXPECT_TRUE(may_take_over({standpoint, state, vm, here, false}).ok());
  EXPECT_EQ(may_take_over({standpoint, state, vm, here, true}).error().code(), ErrorCode::peer_answers);
}

TEST(TheLeaver, OpensNothingUntilItIsBack) {
  const Standpoint standpoint = left_and_booted();
  const Status refused = may_open_replicated(standpoint, "vm1 is not started");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::no_authority);
  EXPECT_NE(refused.error().message().find("A left in order"), std::string::npos);
  EXPECT_NE(refused.error().next().find("switch B on"), std::string::npos);
  Standpoint entry_only = standpoint;
  entry_only.own_leave = LeaveLedger();
  EXPECT_FALSE(may_open_replicated(entry_only, "").ok());
  Standpoint record_only = standpoint;
  record_only.own_left.reset();
  EXPECT_FALSE(may_open_replicated(record_only, "").ok()) << "whether it was heard is not known";
  Standpoint back = standpoint;
  back.own_left.reset();
  back.own_leave = OwnRecords().left(a_leave()).returned("leave-1").ledger();
  EXPECT_TRUE(may_open_replicated(back, "").ok());
}

constexpr TypedFacts carried_on_by_nobody{true, true, false};
constexpr TypedFacts let_go_on{true, false, true};

TEST(TheLeaver, IsNotMadeFreshByAnOperatorsWord) {
  const Standpoint standpoint = left_and_booted();
  const VolumeFacts facts = held();
  EXPECT_EQ(freshness_by_word(standpoint, disk, &facts), Freshness::left_here);
  // Back, and the other one lost before the copies were equal: the word counts, and not for this copy.
  Standpoint back = standpoint;
  back.own_left.reset();
  back.own_leave = OwnRecords().left(a_leave()).returned("leave-1").ledger();
  EXPECT_TRUE(may_confirm_down({back, "B", silence(), {disk}, carried_on_by_nobody}).ok());
  EXPECT_EQ(coverage(back, state_with_vm1(node_a), {{"vm1-0", facts}}).left_out.at(disk), Freshness::left_here);
  back.own_leave = OwnRecords().left(a_leave()).returned("leave-1").equal("leave-1", {disk}).ledger();
  EXPECT_EQ(freshness_by_word(back, disk, &facts), Freshness::fresh);
}

TEST(TheLeaver, MayDecideAloneOnlyByTheFactThatItLetTheOtherOneGoOn) {
  struct Case {
    const char* what;
    void (*spoil)(Standpoint&, std::optional<TypedFacts>&, PathsToPeer&);
    std::optional<ErrorCode> code;
  };
  const Case cases[] = {
      {"both facts", [](auto&, auto&, auto&) {}, std::nullopt},
      {"asked before the question is put", [](auto&, auto& f, auto&) { f.reset(); }, std::nullopt},
      {"the second fact of a node that did not leave", [](auto&, auto& f, auto&) { f = carried_on_by_nobody; }, ErrorCode::not_confirmed},
      {"not powered off", [](auto&, auto& f, auto&) { f->is_powered_off = false; }, ErrorCode::not_confirmed},
      {"the record alone", [](auto& s, auto&, auto&) { s.own_left.reset(); }, std::nullopt},
      {"the entry alone", [](auto& s, auto&, auto&) { s.own_leave = LeaveLedger(); }, std::nullopt},
      {"a record that cannot be read", [](auto& s, auto&, auto&) { s.own_leave = OwnRecords().torn().ledger(); }, std::nullopt},
      {"in the boot that left", [](auto& s, auto&, auto&) { s.boot = "boot-1"; }, ErrorCode::no_authority},
      {"B answers", [](auto&, auto&, auto& p) { p.answers_on_peer_link = true; }, ErrorCode::peer_answers},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = left_and_booted();
    std::optional<TypedFacts> facts = let_go_on;
    PathsToPeer paths = silence();
    item.spoil(standpoint, facts, paths);
    const Status status = may_confirm_down({standpoint, "B", paths, {}, facts});
    EXPECT_EQ(status.ok(), !item.code) << item.what << (status.ok() ? "" : ": " + status.error().to_text());
    if (item.code && !status.ok()) {
      EXPECT_EQ(to_text(status.error().code()), to_text(*item.code)) << item.what;
    }
    EXPECT_TRUE(asks_about_leave(standpoint)) << item.what;
  }
  EXPECT_EQ(may_confirm_down({apart(), "B", silence(), {disk}, let_go_on}).error().code(), ErrorCode::not_confirmed) << "it did not leave";
  EXPECT_NE(deciding_command(left_and_booted()).find("hvctl cluster confirm-down B"), std::string::npos);
  Standpoint going_down = left_and_booted();
  going_down.boot = "boot-1";
  EXPECT_EQ(deciding_command(going_down).find("confirm-down"), std::string::npos);
}

/// A, after a person typed that B, which A had let go on, is lost for good.
Standpoint after_leave(bool is_back, std::vector<VolumeName> covered = {}) {
  Standpoint standpoint = left_and_booted();
  standpoint.link = LinkState::alone;
  standpoint.generations.push_back(generation(2, "A"));
  AloneSince since = alone_since(generation(2, "A"), std::move(covered), "boot-2");
  since.after_leave = true;
  standpoint.ledger = Records().since(node_a, since).ledger();
  if (!is_back) return standpoint;
  standpoint.own_left.reset();
  standpoint.own_leave = OwnRecords().left(a_leave()).returned("leave-1").ledger();
  return standpoint;
}

TEST(DecidingAfterALeave, IsAuthorityOnceTheLeaveHasEndedHere) {
  const ClusterState left_state = with_left(node_a, node_b, a_leave());
  const ClusterState plain = state_with_vm1(node_a);
  EXPECT_EQ(authority_over_peer(after_leave(false)), Authority::none);
  EXPECT_EQ(next_return_step(after_leave(false), left_state), ReturnStep::say_it);
  EXPECT_EQ(next_return_step(after_leave(false), plain), ReturnStep::write_it);
  EXPECT_EQ(next_return_step(after_leave(true), plain), ReturnStep::none);
  EXPECT_EQ(authority_over_peer(after_leave(true)), Authority::by_word);
  EXPECT_TRUE(may_open_replicated(after_leave(true), "").ok());
  Standpoint rebooted = after_leave(true);
  rebooted.boot = "boot-3";
  EXPECT_EQ(authority_over_peer(rebooted), Authority::earlier);
  EXPECT_EQ(may_confirm_down({rebooted, "B", silence(), {}, carried_on_by_nobody}).error().code(), ErrorCode::not_confirmed) << "the same fact is asked again";
  EXPECT_TRUE(may_confirm_down({rebooted, "B", silence(), {}, let_go_on}).ok());
  EXPECT_EQ(may_confirm_down({after_leave(true), "B", silence(), {}, let_go_on}).error().code(), ErrorCode::authority_taken);
  Standpoint together = after_leave(true);
  together.link = LinkState::together;
  EXPECT_FALSE(decides_after_leave(together)) << "over with the next contact";
  EXPECT_FALSE(decides_after_leave(alone()));
}

TEST(DecidingAfterALeave, CoversNothingUntilItIsAcceptedByName) {
  const ClusterState state = state_with_vm1(node_a);
  const VolumeFacts closed = leg(DiskRole::secondary, ConnectionState::standalone, DiskState::consistent);
  const std::map<std::string, VolumeFacts> here = {{"vm1-0", closed}};
  Standpoint unnamed = after_leave(true);
  unnamed.own_leave = OwnRecords().left(a_leave("leave-1", "boot-1", {})).returned("leave-1").ledger();
  Standpoint torn = after_leave(true);
  torn.own_leave = OwnRecords().torn().returned("").ledger();
  ASSERT_EQ(torn.own_leave.standing(), nullptr);
  Standpoint rebooted = unnamed;
  rebooted.boot = "boot-3";
  for (const Standpoint& standpoint : {left_and_booted(), after_leave(false), after_leave(true), unnamed, torn, rebooted}) {
    EXPECT_TRUE(coverage(standpoint, state, here).covered.empty());
    EXPECT_EQ(freshness_alone(standpoint, disk, &closed), Freshness::left_here);
  }
  for (const Standpoint& standpoint : {after_leave(true), unnamed, torn}) {
    EXPECT_NE(freshness(standpoint, disk, &closed), Freshness::fresh);
    EXPECT_FALSE(may_promote(standpoint, disk, &closed));
    EXPECT_EQ(may_accept_copy({standpoint, state, disk, &closed, silence()})->reason, Freshness::left_here);
  }
  EXPECT_EQ(may_accept_copy({left_and_booted(), state, disk, &closed, silence()}).error().code(), ErrorCode::no_authority);
  Standpoint accepted = after_leave(true);
  AloneSince since = alone_since(generation(2, "A"), {}, "boot-2");
  since.after_leave = true;
  AloneSince by_acceptance = alone_since(generation(2, "A"), {disk}, "boot-2");
  by_acceptance.cause = cause_accepted;
  by_acceptance.after_leave = true;
  accepted.ledger = Records().since(node_a, since).since(node_a, by_acceptance).ledger();
  EXPECT_EQ(freshness(accepted, disk, &closed), Freshness::fresh);
  EXPECT_TRUE(may_promote(accepted, disk, &closed));
  EXPECT_TRUE(may_remove_dead({accepted, state, here, silence()}).ok());
  EXPECT_EQ(may_remove_dead({after_leave(true), state, here, silence()}).error().code(), ErrorCode::not_up_to_date);
}

TEST(DecidingAfterALeave, ACopyThatTheKernelMarkedAsOlderIsAcceptedByNameToo) {
  // Taken down while the other node had it open: DRBD marks it.
  const ClusterState state = state_with_vm1(node_b);
  const std::map<std::string, VolumeFacts> here = {{"vm1-0", leg(DiskRole::secondary, ConnectionState::standalone, DiskState::outdated)}};
  const VolumeFacts& older = here.at("vm1-0");
  Standpoint unnamed = after_leave(true);
  unnamed.own_leave = OwnRecords().left(a_leave("leave-1", "boot-1", {})).returned("leave-1").ledger();
  for (const Standpoint& standpoint : {after_leave(true), unnamed}) {
    EXPECT_EQ(coverage(standpoint, state, here).left_out.at(disk), Freshness::left_here);
    const Status refused = may_take_over({standpoint, state, *state.vm(vm1), here, false});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().next().find("hvctl cluster accept-copy vm1-0"), std::string::npos) << refused.error().next();
    EXPECT_EQ(may_start_alone(standpoint, state, *state.vm(vm1), here).error().code(), ErrorCode::not_up_to_date);
    EXPECT_EQ(may_accept_copy({standpoint, state, disk, &older, silence()})->reason, Freshness::left_here);
  }
  EXPECT_EQ(freshness(alone(), disk, &older), Freshness::not_current) << "nobody left";
  const VolumeFacts torn = leg(DiskRole::secondary, ConnectionState::standalone, DiskState::inconsistent);
  EXPECT_EQ(freshness(after_leave(true), disk, &torn), Freshness::not_current);
  EXPECT_TRUE(may_start_alone(apart(), state, *state.vm(vm1), here).ok()) << "the deciding command comes first";
}

TEST(DecidingAfterALeave, KeepsWhatThisNodeWroteAloneBeforeItLeft) {
  // Not named by the leave: its copy on B was behind. Nobody but a person can have opened that one.
  Standpoint standpoint = left_and_booted();
  standpoint.own_leave = OwnRecords().left(a_leave("leave-1", "boot-1", {other_disk})).ledger();
  standpoint.ledger = Records().since(node_a, alone_since(generation(1, "A"), {disk})).ledger();
  EXPECT_EQ(coverage(standpoint, state_with_vm1(node_a), {{"vm1-0", held()}}).covered, std::vector<VolumeName>{disk});
}

TEST(EndedLeaves, GoWithWhatEndedThem) {
  std::vector<NodeOwnedRecord> leaves, ended;
  auto add = [number = std::uint64_t{0}](std::vector<NodeOwnedRecord>& list, Json body) mutable { list.push_back({"A", "stream-A", ++number, "", std::move(body)}); };
  add(leaves, a_leave("one").to_json());                     // 1: over
  add(ended, leave_returned_to_json("one", "back"));         // 2
  add(ended, leave_equal_to_json("one", {disk}));            // 3
  add(leaves, a_leave("two").to_json());                     // 4: back, its copy may be older
  add(ended, leave_returned_to_json("two", "back"));         // 5
  add(leaves, a_leave("three").to_json());                   // 6: not back
  add(ended, leave_equal_to_json("three", {disk}));          // 7
  add(leaves, Json("torn"));                                 // 8
  add(ended, Json("torn"));                                  // 9
  add(ended, leave_returned_to_json("gone before", "back")); // 10
  const std::vector<std::uint64_t> numbers = ended_leaves(leaves, ended);
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()), (std::set<std::uint64_t>{1, 2, 3, 10}));
  const auto is_gone = [&](const NodeOwnedRecord& record) { return std::find(numbers.begin(), numbers.end(), record.number) != numbers.end(); };
  const LeaveLedger before(leaves, ended);
  std::erase_if(leaves, is_gone);
  std::erase_if(ended, is_gone);
  const LeaveLedger after(leaves, ended);
  EXPECT_EQ(before.bars(disk), after.bars(disk));
  EXPECT_EQ(before.barred(), after.barred());
  EXPECT_EQ(before.standing() == nullptr, after.standing() == nullptr);
}

TEST(TheWayBack, StepByStep) {
  const ClusterState left_state = with_left(node_a, node_b, a_leave());
  const ClusterState plain = state_with_vm1(node_a);
  struct Case {
    const char* what;
    void (*spoil)(Standpoint&);
    bool entry;
    ReturnStep expected;
  };
  const Case cases[] = {
      {"in contact after a boot", [](Standpoint&) {}, true, ReturnStep::say_it},
      {"said", [](Standpoint&) {}, false, ReturnStep::write_it},
      {"written", [](Standpoint& s) { s.own_leave = OwnRecords().left(a_leave()).returned("leave-1").ledger(); }, false, ReturnStep::none},
      {"no contact", [](Standpoint& s) { s.link = LinkState::apart; }, true, ReturnStep::none},
      {"comparing", [](Standpoint& s) { s.link = LinkState::syncing; }, true, ReturnStep::none},
      {"the boot that left", [](Standpoint& s) { s.boot = "boot-1"; }, true, ReturnStep::none},
      {"which boot this is cannot be read", [](Standpoint& s) { s.boot.clear(); }, true, ReturnStep::none},
      {"an entry without a record", [](Standpoint& s) { s.own_leave = LeaveLedger(); }, true, ReturnStep::say_it},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = left_and_booted();
    standpoint.link = LinkState::together;
    item.spoil(standpoint);
    EXPECT_EQ(next_return_step(standpoint, item.entry ? left_state : plain), item.expected) << item.what;
  }
}

TEST(TheWayBack, EndsPerVolumeWhenTheCopiesAreEqual) {
  Standpoint back = apart();
  back.link = LinkState::together;
  back.own_leave = OwnRecords().left(a_leave("leave-1", "boot-0", {disk, other_disk})).returned("leave-1").ledger();
  const ClusterState state = state_with_vm1(node_a);
  const VolumeFacts equal = leg(DiskRole::secondary, ConnectionState::connected);
  VolumeFacts behind = equal;
  behind.disk = DiskState::inconsistent;
  behind.replication = ReplicationState::sync_target;
  // vm2-0 does not exist any more.
  EXPECT_EQ(equal_again(back, state, {{"vm1-0", behind}}), (std::map<std::string, std::vector<VolumeName>>{{"leave-1", {other_disk}}}));
  EXPECT_EQ(equal_again(back, state, {{"vm1-0", equal}}), (std::map<std::string, std::vector<VolumeName>>{{"leave-1", {disk, other_disk}}}));
  Standpoint lost = back;
  lost.link = LinkState::apart;
  EXPECT_TRUE(equal_again(lost, state, {{"vm1-0", equal}}).empty());
  Standpoint not_back = back;
  not_back.own_leave = OwnRecords().left(a_leave("leave-1", "boot-0")).ledger();
  EXPECT_TRUE(equal_again(not_back, state, {{"vm1-0", equal}}).empty());
}

}  // namespace
}  // namespace mcv::authority::test::leave_test
