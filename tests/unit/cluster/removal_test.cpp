// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/removal.h"

#include <gtest/gtest.h>

namespace mcv {
namespace {

const NodeName a = NodeName::trusted("A");
const NodeName b = NodeName::trusted("B");
const OperationId removal = OperationId::trusted("A-17");

NodeRecord member(const NodeName& name, std::uint32_t id) {
  NodeRecord record;
  record.name = name;
  record.id = id;
  record.fingerprint = "key-of-" + name.str();
  return record;
}

VmRecord vm_of(const NodeName& owner) {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.owner = owner;
  vm.volumes = {VolumeName::trusted("vm1-0")};
  return vm;
}

VolumeRecord disk() {
  VolumeRecord volume;
  volume.name = VolumeName::trusted("vm1-0");
  volume.vm = VmName::trusted("vm1");
  volume.pool = PoolName::trusted("fast");
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(64);
  volume.verdict.kind = VerdictKind::mismatch;
  volume.verdict.ranges = {{8, 16}};
  return volume;
}

ClusterState pair(const NodeName& owner, std::vector<Mutation> more = {}) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {}};
  Change change{"c", "", {put_new(member(a, 1)), put_new(member(b, 2)), put_new(pool), put_new(vm_of(owner)), put_new(disk())}};
  change.mutations.insert(change.mutations.end(), more.begin(), more.end());
  if (!state.apply(change, 1).ok()) std::abort();
  return state;
}

TEST(Removal, OneChangeLeavesAClusterOfOneThatRemembersTheKey) {
  ClusterState state = pair(b, {put_setting(ClusterState(), removing_setting, "B")});
  const Change change{"r", "", removal_mutations(state, member(b, 2), a, removal, {3, "g3", 41})};
  const Status applied = state.apply(change, 42);
  ASSERT_TRUE(applied.ok()) << applied.error().to_text();
  EXPECT_FALSE(state.is_cluster());
  EXPECT_FALSE(state.node(b).ok());
  EXPECT_FALSE(being_removed(state));
  EXPECT_EQ(state.vm(VmName::trusted("vm1"))->owner, a);
  const VolumeRecord volume = *state.volume(VolumeName::trusted("vm1-0"));
  EXPECT_EQ(volume.verdict.kind, VerdictKind::never);
  EXPECT_TRUE(volume.verdict.ranges.empty());
  EXPECT_EQ(volume.verdict.after, (LogStamp{3, "g3", 41}));
  const auto removed = removed_by_key(state, "key-of-B");
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, (RemovedNode{member(b, 2), 3, removal}));
  EXPECT_FALSE(removed_by_key(state, "key-of-A"));
  // Joining again takes it from the list; a key that never was there needs nothing.
  EXPECT_FALSE(forget_removal(state, "key-of-A"));
  const auto forget = forget_removal(state, "key-of-B");
  ASSERT_TRUE(forget);
  ASSERT_TRUE(state.apply({"j", "", {put_new(member(b, 2)), *forget}}, 43).ok());
  EXPECT_FALSE(removed_by_key(state, "key-of-B"));
}

TEST(Removal, AMemberThatOwnsSomethingIsNotErased) {
  ClusterState state = pair(b);
  const Change bare{"r", "", {erase_at(state, Kind::node, "B")}};
  EXPECT_EQ(state.apply(bare, 2).error().code(), ErrorCode::in_use);
  VolumeRecord local = disk();
  local.name = VolumeName::trusted("vm2-0");
  local.kind = VolumeKind::local;
  local.node = "B";
  ClusterState with_disk = pair(a, {put_new(local)});
  const Change removes{"r", "", removal_mutations(with_disk, member(b, 2), a, removal, {})};
  EXPECT_EQ(with_disk.apply(removes, 2).error().code(), ErrorCode::in_use);
  EXPECT_TRUE(with_disk.is_cluster());
}

TEST(Removal, NothingIsMadeOrMovedFromTheAnnouncementOn) {
  ClusterState state = pair(a, {put_setting(ClusterState(), removing_setting, "B")});
  VmRecord other = vm_of(a);
  other.name = VmName::trusted("vm2");
  VolumeRecord fresh = disk();
  fresh.name = VolumeName::trusted("vm2-0");
  const Mutation moved = patch(Kind::vm, "vm1", {{"owner", "B"}});
  const struct { const char* what; Mutation mutation; } refused[] = {
      {"VM", put_new(other)}, {"volume", put_new(fresh)}, {"owner", moved}, {"network", put_new(NetworkRecord{NetworkName::trusted("lan"), "br0"})}, {"node", put_new(member(NodeName::trusted("C"), 3))}};
  for (const auto& item : refused) EXPECT_EQ(state.check({"x", "", {item.mutation}}).error().code(), ErrorCode::busy) << item.what;
  // A lock, a verdict, the last Primary, and the end of the announcement itself.
  EXPECT_TRUE(state.check({"x", "", {patch(Kind::vm, "vm1", {{"autostart", true}})}}).ok());
  EXPECT_TRUE(state.check({"x", "", {patch(Kind::volume, "vm1-0", {{"last_primary", "A"}})}}).ok());
  EXPECT_TRUE(state.check({"x", "", {erase_at(state, Kind::vm, "vm1")}}).ok());
  EXPECT_TRUE(state.check({"x", "", {erase_at(state, Kind::setting, removing_setting)}}).ok());
  EXPECT_TRUE(pair(a).check({"x", "", {moved}}).ok());
}

}  // namespace
}  // namespace mcv
