// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/model/cluster_state.h"

namespace mcv {
namespace {

VmRecord vm_named(const char* name) {
  VmRecord vm;
  vm.name = VmName::trusted(name);
  vm.uuid = "00000000-0000-4000-8000-000000000001";
  vm.owner = NodeName::trusted("A");
  vm.volumes = {VolumeName::trusted(std::string(name) + "-0")};
  vm.nics = {{NetworkName::trusted("lan"), "52:54:00:00:00:01"}};
  vm.boot.kernel = "/boot/vmlinuz";
  vm.lock = LockRecord{"root", "backup"};
  return vm;
}

VolumeRecord replicated_volume(const char* vm) {
  VolumeRecord volume;
  volume.name = VolumeName::trusted(std::string(vm) + "-0");
  volume.vm = VmName::trusted(vm);
  volume.pool = PoolName::trusted("fast");
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(256);
  volume.verdict = {VerdictKind::mismatch, 1700000000, "A", {{8, 16}}, {1, "u", 3}};
  return volume;
}

Change change_of(std::vector<Mutation> mutations) { return {"c1", "test", std::move(mutations)}; }

TEST(Records, ReadBackFromTheirJson) {
  EXPECT_EQ(*VmRecord::from_json(vm_named("vm1").to_json()), vm_named("vm1"));
  EXPECT_EQ(*VolumeRecord::from_json(replicated_volume("vm1").to_json()), replicated_volume("vm1"));
}

TEST(ClusterState, AllocatesTheLowestFreeNumbersInTheStateMachine) {
  ClusterState state;
  ASSERT_TRUE(state.apply(change_of({put_new(replicated_volume("a")), put_new(replicated_volume("b"))}), 1).ok());
  ASSERT_TRUE(state.apply(change_of({erase_at(state, Kind::volume, "a-0")}), 2).ok());
  ASSERT_TRUE(state.apply(change_of({put_new(replicated_volume("c"))}), 3).ok());
  EXPECT_EQ(state.volume(VolumeName::trusted("b-0"))->minor, 101u);
  EXPECT_EQ(state.volume(VolumeName::trusted("c-0"))->minor, 100u);
  EXPECT_EQ(state.volume(VolumeName::trusted("c-0"))->port, 7900);
}

TEST(ClusterState, RefusesALostUpdateAndChangesNothing) {
  ClusterState state;
  ASSERT_TRUE(state.apply(change_of({put_new(vm_named("vm1"))}), 1).ok());
  const std::string before = state.hash();
  Mutation stale = put_at(state, vm_named("vm1"));
  stale.expected_revision = 7;
  EXPECT_EQ(state.apply(change_of({put_new(vm_named("vm2")), stale}), 2).error().code(), ErrorCode::revision_conflict);
  EXPECT_EQ(state.apply(change_of({put_new(vm_named("vm1"))}), 2).error().code(), ErrorCode::already_exists);
  EXPECT_EQ(state.hash(), before);
}

TEST(ClusterState, RefusesToDeleteWhatIsUsed) {
  ClusterState state;
  NetworkRecord lan{NetworkName::trusted("lan"), "br0"};
  ASSERT_TRUE(state.apply(change_of({put_new(lan), put_new(vm_named("vm1"))}), 1).ok());
  EXPECT_EQ(state.apply(change_of({erase_at(state, Kind::network, "lan")}), 2).error().code(), ErrorCode::in_use);
  EXPECT_TRUE(state.apply(change_of({erase_at(state, Kind::network, "lan"), erase_at(state, Kind::vm, "vm1")}), 2).ok());
}

TEST(ClusterState, ReadsBackWithTheSameHash) {
  ClusterState state;
  ASSERT_TRUE(state.apply(change_of({put_new(vm_named("vm1")), put_new(replicated_volume("vm1")), put_setting(state, "drbd", "enabled")}), 5).ok());
  const auto copy = ClusterState::from_json(*parse_json(canonical(state.to_json())));
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->hash(), state.hash());
  EXPECT_EQ(*copy, state);
}

TEST(ClusterState, AChangeReadsBackFromItsBytes) {
  const Change change = change_of({put_new(vm_named("vm1")), patch(Kind::vm, "vm1", {{"owner", "B"}}, Json{{"owner", "A"}})});
  EXPECT_EQ(Change::decode(change.encode())->encode(), change.encode());
  EXPECT_FALSE(Change::decode("{}").ok());
}

TEST(ClusterState, APatchKeepsWhatOthersWroteAndIsGuarded) {
  ClusterState state;
  ASSERT_TRUE(state.apply(change_of({put_new(vm_named("vm1"))}), 1).ok());
  ASSERT_TRUE(state.apply(change_of({patch(Kind::vm, "vm1", {{"autostart", true}})}), 2).ok());
  ASSERT_TRUE(state.apply(change_of({patch(Kind::vm, "vm1", {{"owner", "B"}}, Json{{"owner", "A"}})}), 3).ok());
  EXPECT_EQ(state.vm(VmName::trusted("vm1"))->owner.str(), "B");
  EXPECT_TRUE(state.vm(VmName::trusted("vm1"))->autostart);
  EXPECT_EQ(state.apply(change_of({patch(Kind::vm, "vm1", {{"owner", "B"}}, Json{{"owner", "A"}})}), 4).error().code(), ErrorCode::revision_conflict);
  EXPECT_EQ(state.apply(change_of({patch(Kind::vm, "gone", {{"owner", "B"}})}), 4).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(state.apply(change_of({patch(Kind::vm, "vm1", {{"cpus", "many"}})}), 4).ok());
}

TEST(ClusterState, EveryChangeLeavesItAsAFreshReadOfItWouldBe) {
  ClusterState state;
  std::uint64_t index = 0;
  const auto change = [&](std::vector<Mutation> mutations) {
    const Status applied = state.apply(change_of(std::move(mutations)), ++index);
    ASSERT_TRUE(applied.ok()) << applied.error().to_text();
    EXPECT_EQ(state, *ClusterState::from_json(state.to_json()));
    for (const VmRecord& vm : state.vms()) EXPECT_EQ(*state.vm(vm.name), vm);
    for (const VolumeRecord& volume : state.volumes()) EXPECT_EQ(*state.volume(volume.name), volume);
  };
  for (const char* name : {"m", "c", "z", "a", "vm10", "vm2"}) change({put_new(vm_named(name)), put_new(replicated_volume(name))});
  EXPECT_EQ(state.vms().size(), 6u);
  change({patch(Kind::vm, "c", {{"owner", "B"}}), patch(Kind::vm, "c", {{"autostart", true}})});
  EXPECT_EQ(state.vm(VmName::trusted("c"))->owner.str(), "B");
  change({erase_at(state, Kind::volume, "a-0"), erase_at(state, Kind::vm, "a")});
  change({erase_at(state, Kind::volume, "z-0"), erase_at(state, Kind::vm, "z"), put_new(vm_named("b"))});
  NodeRecord second;
  second.name = NodeName::trusted("A");
  second.id = 2;
  NodeRecord first;
  first.name = NodeName::trusted("B");
  change({put_new(second), put_new(first)});
  EXPECT_EQ(state.nodes().front().name.str(), "B");
  for (const char* gone : {"a", "z", "vm", "vm1", ""}) EXPECT_EQ(state.vm(VmName::trusted(gone)).error().code(), ErrorCode::not_found) << gone;
}

TEST(ClusterState, RefusesARecordFiledUnderAnotherName) {
  ClusterState state;
  Mutation wrong = put_new(vm_named("vm1"));
  wrong.key = "vm2";
  EXPECT_EQ(state.apply(change_of({wrong}), 1).error().code(), ErrorCode::bad_request);
}

}  // namespace
}  // namespace mcv
