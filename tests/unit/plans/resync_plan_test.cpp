// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/resync_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace mcv::plans::resync_plan_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const NodeName a = NodeName::trusted("A");
const NodeName b = NodeName::trusted("B");

/// vm1 was last Primary on A, and a verify marked 8 KiB.
struct Situation {
  VmRecord vm = test::vm1();
  VolumeRecord volume = test::vm1_disk();
  Facts facts = test::both();
  requests::ResyncVm request;

  Situation() {
    volume.last_primary = "A";
    for (auto& [name, node] : facts) node.volumes["vm1-0"].out_of_sync_kib = 8;
  }
  VolumeFacts& on(const char* node) { return facts[node].volumes["vm1-0"]; }
  void open_on(const char* node) {
    const char* other = std::string(node) == "A" ? "B" : "A";
    on(node).role = DiskRole::primary;
    on(other).peer_role = DiskRole::primary;
  }
  ClusterState state() const { return test::with_vm1(vm, volume); }
  Result<std::vector<ResyncPart>> parts() const { return resync_parts(state(), facts, vm, request); }
};

// --- who is right ------------------------------------------------------------------------------------------

struct AdviceCase {
  const char* what;
  void (*arrange)(Situation& now);
  const char* source;  ///< empty: nobody can tell
};

class AdviseSource : public testing::TestWithParam<AdviceCase> {};

TEST_P(AdviseSource, ByRecordAndKernelsWithOneVoice) {
  Situation now;
  GetParam().arrange(now);
  const SourceAdvice advice = advise_source(now.state(), now.facts, now.volume);
  EXPECT_EQ(advice.node ? advice.node->str() : "", GetParam().source) << GetParam().what << ": " << advice.reason;
  EXPECT_FALSE(advice.reason.empty());
}

INSTANTIATE_TEST_SUITE_P(Table, AdviseSource,
                         testing::Values(AdviceCase{"both closed, A was last", [](Situation&) {}, "A"},
                                         AdviceCase{"both closed, B was last", [](Situation& now) { now.volume.last_primary = "B"; }, "B"},
                                         AdviceCase{"open on A, A was last", [](Situation& now) { now.open_on("A"); }, "A"},
                                         AdviceCase{"open on B, A is recorded", [](Situation& now) { now.open_on("B"); }, ""},
                                         AdviceCase{"never recorded", [](Situation& now) { now.volume.last_primary.clear(); }, ""},
                                         AdviceCase{"never recorded and open on A", [](Situation& now) { now.volume.last_primary.clear(), now.open_on("A"); }, ""},
                                         AdviceCase{"a node that was removed", [](Situation& now) { now.volume.last_primary = "C"; }, ""}));

TEST(ResyncSource, ThatNobodyKnowsHasToBeNamed) {
  Situation now;
  now.volume.last_primary.clear();
  const auto refused = now.parts();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::not_confirmed);
  EXPECT_THAT(refused.error().next(), HasSubstr("hvctl resync --source A vm1"));
  EXPECT_THAT(refused.error().next(), HasSubstr("hvctl resync --source B vm1"));
  now.request.source = b;
  const auto named = now.parts();
  ASSERT_TRUE(named.ok()) << named.error().message();
  EXPECT_EQ(named->front().leg.source, b);
  EXPECT_FALSE(named->front().advised) << "a person has to confirm it";
}

TEST(ResyncSource, AgainstTheRecordIsNotAdvised) {
  Situation now;
  now.request.source = b;
  const auto parts = now.parts();
  ASSERT_TRUE(parts.ok()) << parts.error().message();
  EXPECT_FALSE(parts->front().advised);
  EXPECT_THAT(parts->front().reason, HasSubstr("A was its last Primary"));
  now.request.source = a;
  EXPECT_TRUE(now.parts()->front().advised) << "the one that is recorded needs no confirmation, typed or not";
}

// --- what speaks against it --------------------------------------------------------------------------------

struct Refusal {
  const char* what;
  void (*spoil)(Situation& now);
  ErrorCode code;
};

class ResyncRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(ResyncRefuses, AndTouchesNeitherCopy) {
  Situation now;
  GetParam().spoil(now);
  const auto parts = now.parts();
  ASSERT_FALSE(parts.ok()) << GetParam().what;
  EXPECT_EQ(parts.error().code(), GetParam().code) << GetParam().what << ": " << parts.error().message();
  EXPECT_FALSE(parts.error().next().empty()) << GetParam().what;
  EXPECT_THAT(parts.error().safe(), HasSubstr("neither copy was touched")) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ResyncRefuses,
    testing::Values(
        Refusal{"the target is in use", [](Situation& now) { now.open_on("B"), now.request.source = a; }, ErrorCode::peer_is_primary},
        Refusal{"the target is in use, and only the source's kernel says so", [](Situation& now) { now.on("A").peer_role = DiskRole::primary; }, ErrorCode::peer_is_primary},
        Refusal{"a guest runs on the target", [](Situation& now) { now.facts["B"].vms["vm1"].state = RunState::running; }, ErrorCode::guest_running},
        Refusal{"what the guest does on the target is not known", [](Situation& now) { now.facts["B"].vms["vm1"].state = RunState::unknown; }, ErrorCode::guest_running},
        Refusal{"the source is outdated", [](Situation& now) { now.on("A").disk = DiskState::outdated; }, ErrorCode::not_up_to_date},
        Refusal{"the source is not whole", [](Situation& now) { now.on("A").disk = DiskState::inconsistent; }, ErrorCode::not_up_to_date},
        Refusal{"the source lost its disk", [](Situation& now) { now.on("A").disk = DiskState::diskless; }, ErrorCode::not_up_to_date},
        Refusal{"the target lost its disk", [](Situation& now) { now.on("B").disk = DiskState::diskless; }, ErrorCode::not_up_to_date},
        Refusal{"not connected", [](Situation& now) { now.on("A").connection = ConnectionState::connecting; }, ErrorCode::not_up_to_date},
        Refusal{"the target stands alone", [](Situation& now) { now.on("B").connection = ConnectionState::standalone; }, ErrorCode::not_up_to_date},
        Refusal{"a verify runs", [](Situation& now) { now.on("A").replication = ReplicationState::verify_source; }, ErrorCode::busy},
        Refusal{"a copy runs", [](Situation& now) { now.on("B").replication = ReplicationState::sync_target; }, ErrorCode::busy},
        Refusal{"writes are held", [](Situation& now) { now.on("A").suspended = IoHold::parse("fencing"); }, ErrorCode::no_authority},
        Refusal{"B does not answer", [](Situation& now) { now.facts.erase("B"); }, ErrorCode::peer_unreachable},
        Refusal{"not in the kernel of B", [](Situation& now) { now.facts["B"].volumes.clear(); }, ErrorCode::not_up_to_date},
        Refusal{"nothing is marked", [](Situation& now) { now.on("A").out_of_sync_kib = now.on("B").out_of_sync_kib = 0; }, ErrorCode::bad_request},
        Refusal{"no such node", [](Situation& now) { now.request.source = NodeName::trusted("C"); }, ErrorCode::not_found},
        Refusal{"no such disk", [](Situation& now) { now.request.volumes = {VolumeName::trusted("vm1-7")}; }, ErrorCode::not_found},
        Refusal{"locked", [](Situation& now) { now.vm.lock = LockRecord{"root", "backup"}; }, ErrorCode::vm_locked},
        Refusal{"being deleted", [](Situation& now) { now.vm.deleting = true; }, ErrorCode::busy}));

// --- the plan ----------------------------------------------------------------------------------------------

TEST(ResyncPlan, KeepsWhatIsOverwrittenBeforeThePointOfNoReturn) {
  Situation now;
  now.open_on("A");
  const Plan plan = resync(now.vm, a, *now.parts());
  EXPECT_THAT(test::shape(plan), ElementsAre("resync.snapshot@B", "resync.source@A", "!resync.diverge@A", "resync.copy@A", "resync.release@A", "resync.summary@A"));
  EXPECT_EQ(plan.object, "vm/vm1");
  EXPECT_TRUE(plan.check().ok());
}

TEST(ResyncPlan, RecordsWhoseCopyIsTheGoodOneWhereThatChanges) {
  Situation now;
  now.request.source = b;
  now.request.full = true;
  now.on("A").out_of_sync_kib = now.on("B").out_of_sync_kib = 0;
  const auto parts = now.parts();
  ASSERT_TRUE(parts.ok()) << parts.error().message() << " (all is copied, marked or not)";
  const Plan plan = resync(now.vm, a, *parts);
  EXPECT_THAT(test::shape(plan), ElementsAre("resync.snapshot@A", "resync.source@B", "!resync.diverge@B", "record@A", "resync.mark_all@B", "resync.copy@B", "resync.release@B", "resync.summary@A"));
}

TEST(ResyncPlan, OpensAllSourcesBeforeTheFirstTargetGetsOlder) {
  Situation now;
  VolumeRecord second = now.volume;
  second.name = VolumeName::trusted("vm1-1");
  now.vm.volumes.push_back(second.name);
  for (auto& [name, node] : now.facts) node.volumes["vm1-1"] = node.volumes["vm1-0"];
  const ClusterState state = test::pair_state({put_new(now.vm), put_new(now.volume), put_new(second)});
  const auto both = resync_parts(state, now.facts, now.vm, now.request);
  ASSERT_TRUE(both.ok()) << both.error().message();
  EXPECT_THAT(test::shape(resync(now.vm, a, *both)),
              ElementsAre("resync.snapshot@B", "resync.snapshot@B", "resync.source@A", "resync.source@A", "!resync.diverge@A", "resync.diverge@A", "resync.copy@A", "resync.release@A",
                          "resync.copy@A", "resync.release@A", "resync.summary@A"));
  EXPECT_EQ(resync(now.vm, a, *both).steps[5].params.at("asked_by"), 3) << "each goes by the generation of its own disk";

  for (auto& [name, node] : now.facts) node.volumes["vm1-1"].out_of_sync_kib = 0;
  const auto one = resync_parts(state, now.facts, now.vm, now.request);
  ASSERT_EQ(one->size(), 1u) << "a disk without a mark is left alone";
  EXPECT_EQ(one->front().leg.volume.name.str(), "vm1-0");
  now.request.volumes = {second.name};
  EXPECT_FALSE(resync_parts(state, now.facts, now.vm, now.request).ok()) << "of the one that was named nothing differs";
}

// Each snapshot alone would be made, and the second one undone with the first.
TEST(ResyncPlan, WhatIsKeptOfAllDisksTogetherHasToFit) {
  Situation now;
  VolumeRecord second = now.volume;
  second.name = VolumeName::trusted("vm1-1");
  now.vm.volumes.push_back(second.name);
  now.request.full = true;
  for (auto& [name, node] : now.facts) {
    node.volumes["vm1-1"] = node.volumes["vm1-0"];
    node.written = {{"vm1-0", Bytes::mib(100)}, {"vm1-1", Bytes::mib(100)}};
    node.thin_pools["vg0/mcv-fast"] = {Bytes::gib(1), Bytes::mib(800), 10, Bytes::kib(64), false, true};
  }
  const ClusterState state = test::pair_state({put_new(now.vm), put_new(now.volume), put_new(second)});
  const auto fits = resync_parts(state, now.facts, now.vm, now.request);
  ASSERT_TRUE(fits.ok()) << fits.error().message();
  EXPECT_EQ(fits->front().leg.overwritten, Bytes::mib(100)) << "not its whole size";
  const auto passed_on = ResyncLeg::from_json(fits->front().leg.to_json());
  EXPECT_EQ(passed_on->overwritten, Bytes::mib(100));
  now.facts.at("A").written = {{"vm1-0", Bytes::mib(130)}, {"vm1-1", Bytes::mib(100)}};
  const auto refused = resync_parts(state, now.facts, now.vm, now.request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::pool_full);
  EXPECT_THAT(refused.error().message(), HasSubstr("storage pool fast on B has 224 MiB of 1 GiB free, and the copies of vm1-0, vm1-1 take 230 MiB: 6 MiB are missing"));
  EXPECT_EQ(refused.error().next(), "on B: lvextend --size +8M vg0/mcv-fast");
}

TEST(ResyncPlan, WaitingForTheCopyIsInNobodysWay) {
  const Situation now;
  const auto plan = follow_resync(now.state(), now.vm, a);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(test::shape(*plan), ElementsAre("resync.follow@A"));
  EXPECT_EQ(plan->lock_needs(), (std::vector<LockNeed>{{"resync-follow/vm1", true}}));
}

}  // namespace
}  // namespace mcv::plans::resync_plan_test
