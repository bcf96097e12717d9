// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/convert_plan.h"

#include <gtest/gtest.h>

#include "cluster/plans/orphan_plan.h"

namespace mcv::plans::convert_plan_test {
namespace {

const NodeName a = NodeName::trusted("A");
const NodeName b = NodeName::trusted("B");
const VmName vm1 = VmName::trusted("vm1");
const VolumeName disk = VolumeName::trusted("vm1-0");

/// vm1 of A's, stopped, with one disk; both nodes answer and have the pool.
struct Story {
  ClusterState state;
  Facts facts;
  VolumeKind wanted = VolumeKind::drbd;
  bool suspect = false;

  explicit Story(VolumeKind kind, PoolKind pool_kind = PoolKind::thin, bool two_nodes = true) {
    wanted = kind == VolumeKind::drbd ? VolumeKind::local : VolumeKind::drbd;
    NodeRecord first, second;
    first.name = a;
    second.name = b;
    second.id = 2;
    PoolRecord pool;
    pool.name = PoolName::trusted("fast");
    pool.kind = pool_kind;
    pool.volume_group = "vg0";
    VmRecord vm;
    vm.name = vm1;
    vm.owner = a;
    vm.volumes = {disk};
    VolumeRecord volume;
    volume.name = disk;
    volume.vm = vm1;
    volume.pool = pool.name;
    volume.kind = kind;
    volume.size = Bytes::mib(64);
    if (kind == VolumeKind::local) volume.node = "A";
    std::vector<Mutation> made = {put_new(first), put_new(pool), put_new(vm), put_new(volume), put_setting(state, "drbd", "enabled")};
    if (two_nodes) made.push_back(put_new(second));
    const Status applied = state.apply(Change{"c", "fixture", std::move(made)}, 1);
    if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
    for (const NodeName& node : {a, b}) {
      if (node == b && !two_nodes) continue;
      NodeFacts there;
      there.name = node;
      there.volume_group_free["vg0"] = Bytes::gib(10);
      VolumeFacts seen;
      seen.role = DiskRole::secondary;
      seen.peer_role = DiskRole::secondary;
      seen.disk = seen.peer_disk = DiskState::up_to_date;
      seen.connection = two_nodes ? ConnectionState::connected : ConnectionState::standalone;
      if (kind == VolumeKind::drbd) there.volumes[disk.str()] = seen;
      facts[node.str()] = std::move(there);
    }
  }
  Result<Plan> plan() const {
    const VmRecord vm = *state.vm(vm1);
    return convert_vm({state, facts, vm, wanted, [this](const VolumeName&) { return suspect; }});
  }
  ErrorCode refusal() const {
    const auto made = plan();
    if (made.ok()) return ErrorCode::internal;
    EXPECT_FALSE(made.error().next().empty()) << made.error().to_text();
    return made.error().code();
  }
  void change(Mutation mutation) {
    const Status applied = state.apply(Change{"x", "fixture", {std::move(mutation)}}, 2);
    if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
  }
};

std::vector<std::string> steps_of(const Plan& plan) {
  std::vector<std::string> list;
  for (const PlannedStep& step : plan.steps) list.push_back(step.node.str() + " " + step.action + (step.commits ? "!" : ""));
  return list;
}

TEST(ConvertPlan, ToReplicatedIsUndoneAsAWhole) {
  const auto plan = Story(VolumeKind::local).plan();
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  EXPECT_EQ(steps_of(*plan), (std::vector<std::string>{"A record", "A volume.metadata", "B volume.backing", "A volume.configure", "B volume.configure", "A volume.up", "B volume.up", "A volume.identical"}));
  EXPECT_EQ(plan->object, "vm/vm1");
  EXPECT_TRUE(plan->steps[0].params.contains("reverse")) << "the record is taken back";
}

TEST(ConvertPlan, ToLocalLooksOnceMoreCommitsAndFreesItsNumbersLast) {
  const auto plan = Story(VolumeKind::drbd).plan();
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  EXPECT_EQ(steps_of(*plan), (std::vector<std::string>{"A volume.last_look", "A record!", "A volume.localise", "B volume.remove", "A record"}));
  const auto lone = Story(VolumeKind::drbd, PoolKind::thin, /*two_nodes=*/false).plan();
  ASSERT_TRUE(lone.ok()) << lone.error().to_text();
  EXPECT_EQ(steps_of(*lone), (std::vector<std::string>{"A volume.last_look", "A record!", "A volume.localise", "A record"}));
}

TEST(ConvertPlan, RefusalsToReplicate) {
  Story running(VolumeKind::local);
  running.facts.at("A").vms["vm1"].state = RunState::running;
  EXPECT_EQ(running.refusal(), ErrorCode::guest_running);
  Story already(VolumeKind::local);
  already.wanted = VolumeKind::local;
  EXPECT_EQ(already.refusal(), ErrorCode::bad_request);
  EXPECT_EQ(Story(VolumeKind::local, PoolKind::directory).refusal(), ErrorCode::not_suitable);
  EXPECT_EQ(Story(VolumeKind::local, PoolKind::thin, false).refusal(), ErrorCode::drbd_disabled);
  Story silent(VolumeKind::local);
  silent.facts.erase("B");
  EXPECT_EQ(silent.refusal(), ErrorCode::peer_unreachable);
  Story elsewhere(VolumeKind::local);
  elsewhere.facts.at("B").volume_group_free.clear();
  EXPECT_EQ(elsewhere.refusal(), ErrorCode::pool_missing);
  Story locked(VolumeKind::local);
  locked.change(patch(Kind::vm, "vm1", {{"lock", {{"by", "root"}, {"reason", "check"}}}}));
  EXPECT_EQ(locked.refusal(), ErrorCode::vm_locked);
  Story remains(VolumeKind::local);
  PendingDelete pending;
  pending.node = b;
  pending.volume = *remains.state.volume(disk);
  pending.pool = *remains.state.pool(PoolName::trusted("fast"));
  remains.change(remember_delete(pending));
  EXPECT_EQ(remains.refusal(), ErrorCode::in_use);
}

TEST(ConvertPlan, RoomForTheWholeCopyIsLookedForFirst) {
  Story story(VolumeKind::local);
  story.facts.at("A").written["vm1-0"] = Bytes::mib(40);
  for (const char* node : {"A", "B"}) story.facts.at(node).thin_pools["vg0/"] = {Bytes::mib(100), Bytes::mib(40), 10, Bytes::kib(64), false, true};
  EXPECT_TRUE(story.plan().ok());
  story.facts.at("B").thin_pools["vg0/"].used = Bytes::mib(60);
  EXPECT_EQ(story.refusal(), ErrorCode::pool_full);
  EXPECT_NE(story.plan().error().message().find("storage pool fast on B has 30 MiB of 100 MiB left below 90 %, and the copies of vm1-0 take 41 MiB: 11 MiB are missing"), std::string::npos) << story.plan().error().message();
  story.facts.at("B").thin_pools["vg0/"].used = Bytes::mib(1);
  story.facts.at("A").thin_pools["vg0/"].used = Bytes::mib(90);
  EXPECT_EQ(story.refusal(), ErrorCode::pool_full) << "DRBD's metadata beside the data";
  story.facts.at("A").thin_pools["vg0/"] = story.facts.at("B").thin_pools["vg0/"];
  story.facts.at("B").thin_pools["vg0/"].waits_when_full = true;
  EXPECT_EQ(story.refusal(), ErrorCode::pool_waits);
}

TEST(ConvertPlan, RefusalsToLocalise) {
  Story apart(VolumeKind::drbd);
  apart.facts.at("A").volumes.at("vm1-0").connection = ConnectionState::connecting;
  EXPECT_EQ(apart.refusal(), ErrorCode::not_up_to_date);
  Story behind(VolumeKind::drbd);
  behind.facts.at("A").volumes.at("vm1-0").disk = DiskState::inconsistent;
  EXPECT_EQ(behind.refusal(), ErrorCode::not_up_to_date);
  Story open(VolumeKind::drbd);
  open.facts.at("A").volumes.at("vm1-0").role = DiskRole::primary;
  EXPECT_EQ(open.refusal(), ErrorCode::not_up_to_date);
  Story suspect(VolumeKind::drbd);
  suspect.suspect = true;
  EXPECT_EQ(suspect.refusal(), ErrorCode::verify_gate);
}

TEST(LateDeletePlan, OnlyWhatIsHereIsRemovedAndTheRestRemembered) {
  const Story story(VolumeKind::drbd);
  Facts here = story.facts;
  here.erase("B");
  AbsentNode absent{b, {{disk, {"00000000000000A0", "0000000000000090"}}}, 7};
  const auto plan = delete_vm(story.state, here, vm1, absent);
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  EXPECT_EQ(steps_of(*plan), (std::vector<std::string>{"A record!", "A volume.remove", "A guest.release", "A guest.forget", "A record"}));
  ClusterState after = story.state;
  Change last;
  last.id = "last";
  for (const Json& item : plan->steps.back().params.at("mutations")) last.mutations.push_back(*Mutation::from_json(item));
  ASSERT_TRUE(after.apply(last, 3).ok());
  ASSERT_EQ(pending_deletes(after).size(), 1u);
  const PendingDelete kept = pending_deletes(after)[0];
  EXPECT_EQ(kept.node, b);
  EXPECT_TRUE(is_deleted_copy(kept, "0000000000000090")) << "it went on from there";
  EXPECT_FALSE(is_deleted_copy(kept, "00000000000000B0"));
  EXPECT_FALSE(check_no_remains(after, {kept.volume}).ok());
  // Not to be told apart: nothing is deleted.
  absent.generations.clear();
  EXPECT_EQ(delete_vm(story.state, here, vm1, absent).error().code(), ErrorCode::peer_unreachable);
  const Story local(VolumeKind::local);
  AbsentNode owner{a, {}, 7};
  EXPECT_EQ(delete_vm(local.state, {}, vm1, owner).error().code(), ErrorCode::peer_unreachable);
}

TEST(LateDeletePlan, IsOneOperationOfTheNodeThatWasAway) {
  PendingDelete pending;
  pending.node = b;
  pending.volume.name = disk;
  pending.volume.vm = vm1;
  const Plan plan = late_delete(pending, true);
  EXPECT_EQ(steps_of(plan), (std::vector<std::string>{"B orphan.remove_deleted", "B guest.forget", "B record!"}));
  EXPECT_EQ(steps_of(late_delete(pending, false)), (std::vector<std::string>{"B orphan.remove_deleted", "B record!"})) << "another VM has the name";
}

}  // namespace
}  // namespace mcv::plans::convert_plan_test
