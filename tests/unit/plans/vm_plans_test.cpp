// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/host/packages.h"
#include "cluster/model/access_records.h"
#include "cluster/model/pending_delete.h"
#include "cluster/plans/cluster_plans.h"
#include "fixture.h"

namespace mcv::vm_plans_test {
namespace {

using test::both;
using test::shape;
using testing::ElementsAre;

const NodeName a = NodeName::trusted("A");
const VmName vm1 = VmName::trusted("vm1");

requests::CreateVm request() {
  requests::CreateVm create;
  create.name = VmName::trusted("web");
  create.disks = {Bytes::mib(256)};
  create.networks = {NetworkName::trusted("lan")};
  create.boot.kernel = "/boot/k";
  return create;
}

const plans::VmIdentity identity{"00000000-0000-4000-8000-000000000009", {"52:54:00:00:00:09"}};

TEST(CreateVm, RecordsThenBuildsBothSidesThenWaitsForRedundancy) {
  const auto plan = plans::create_vm(test::pair_state(), both(), a, request(), identity);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_THAT(shape(*plan), ElementsAre("record@A", "volume.backing@A", "volume.backing@B", "volume.configure@A", "volume.configure@B", "volume.up@A",
                                        "volume.up@B", "volume.identical@A", "volume.redundant@A"));
  EXPECT_TRUE(plan->check().ok());
}

TEST(CreateVm, LocalDiskNeedsOnlyTheOwner) {
  auto create = request();
  create.storage_type = VolumeKind::local;
  create.node = NodeName::trusted("B");
  const auto plan = plans::create_vm(test::pair_state(), both(), a, create, identity);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(shape(*plan), ElementsAre("record@A", "volume.backing@B"));
}

TEST(CreateVm, RefusesWithTheReason) {
  const ClusterState state = test::with_vm1();
  auto existing = request();
  existing.name = vm1;
  EXPECT_EQ(plans::create_vm(state, both(), a, existing, identity).error().code(), ErrorCode::already_exists);
  auto unknown_network = request();
  unknown_network.networks = {NetworkName::trusted("dmz")};
  EXPECT_EQ(plans::create_vm(state, both(), a, unknown_network, identity).error().code(), ErrorCode::not_found);
  auto no_kernel = request();
  no_kernel.boot.kernel = "/boot/other";
  EXPECT_EQ(plans::create_vm(state, both(), a, no_kernel, identity).error().code(), ErrorCode::not_found);
  auto facts = both();
  facts.erase("B");
  EXPECT_EQ(plans::create_vm(state, facts, a, request(), identity).error().code(), ErrorCode::peer_unreachable);
  facts = both();
  facts.at("B").volume_group_free.clear();
  EXPECT_EQ(plans::create_vm(state, facts, a, request(), identity).error().code(), ErrorCode::pool_missing);
  ClusterState alone;
  ASSERT_TRUE(alone.apply({"c", "", {put_new(test::node("A", 1)), put_new(NetworkRecord{NetworkName::trusted("lan"), "br0"})}}, 1).ok());
  EXPECT_EQ(plans::create_vm(alone, both(), a, request(), identity).error().code(), ErrorCode::drbd_disabled);
}

// B was away when vm9 was deleted, and is back.
TEST(CreateVm, WaitsForTheNumbersOfADiskThatWasDeletedLate) {
  ClusterState state = test::pair_state();
  PendingDelete pending;
  pending.node = NodeName::trusted("B");
  pending.volume = test::vm1_disk();
  pending.volume.name = VolumeName::trusted("vm9-0");
  pending.volume.vm = VmName::trusted("vm9");
  pending.volume.minor = 100;
  pending.volume.port = 7700;
  pending.pool = *state.pool(PoolName::trusted("fast"));
  ASSERT_TRUE(state.apply({"d", "", {remember_delete(pending)}}, 7).ok());
  auto facts = both();
  facts.at("B").volumes["vm9-0"] = facts.at("B").volumes["vm1-0"];
  const auto refused = plans::create_vm(state, facts, a, request(), identity);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::busy);
  auto local = request();
  local.storage_type = VolumeKind::local;
  EXPECT_TRUE(plans::create_vm(state, facts, a, local, identity).ok()) << "it has none";
  facts.at("B").volumes.erase("vm9-0");
  EXPECT_TRUE(plans::create_vm(state, facts, a, request(), identity).ok()) << "out of the kernel";
  auto again = request();
  again.name = pending.volume.vm;
  EXPECT_EQ(plans::create_vm(state, facts, a, again, identity).error().code(), ErrorCode::in_use);
}

TEST(DeleteVm, MarksFirstAndErasesTheRecordLast) {
  const auto plan = plans::delete_vm(test::with_vm1(), both(), vm1);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(shape(*plan), ElementsAre("!record@A", "volume.remove@A", "volume.remove@B", "guest.release@A", "guest.forget@A", "guest.release@B", "guest.forget@B", "record@A"));
}

TEST(DeleteVm, TakesTheRolesForItAlong) {
  ClusterState state = test::with_vm1();
  const UserRecord alice{UserName::trusted("alice")};
  const GrantRecord on_vm1{alice.name, Role::owner, GrantedVm{vm1, state.vm(vm1)->uuid}};
  const GrantRecord everywhere{alice.name, Role::viewer, {}};
  ASSERT_TRUE(state.apply({"c", "", {put_new(alice), put_new(on_vm1), put_new(everywhere)}}, 9).ok());
  const auto plan = plans::delete_vm(state, both(), vm1);
  ASSERT_TRUE(plan.ok());
  const std::string last = plan->steps.back().params.dump();
  EXPECT_NE(last.find(on_vm1.key()), std::string::npos) << last;
  EXPECT_EQ(last.find("\"" + everywhere.key() + "\""), std::string::npos) << last;
}

TEST(DeleteVm, RefusesARunningLockedOrProtectedVm) {
  auto facts = both();
  facts.at("B").vms["vm1"].state = RunState::running;
  EXPECT_EQ(plans::delete_vm(test::with_vm1(), facts, vm1).error().code(), ErrorCode::guest_running);
  // A node that could not tell is not a node where it is stopped.
  facts.at("B").vms["vm1"].state = RunState::unknown;
  EXPECT_EQ(plans::delete_vm(test::with_vm1(), facts, vm1).error().code(), ErrorCode::guest_running);
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"root", "audit"};
  EXPECT_EQ(plans::delete_vm(test::with_vm1(locked), both(), vm1).error().code(), ErrorCode::vm_locked);
  VmRecord kept = test::vm1();
  kept.delete_protection = true;
  EXPECT_EQ(plans::delete_vm(test::with_vm1(kept), both(), vm1).error().code(), ErrorCode::vm_locked);
}

TEST(CreatePool, SaysOfWhichNodeWhatIsMissingAndWhatToType) {
  requests::CreatePool pool;
  pool.name = PoolName::trusted("other");
  pool.kind = PoolKind::thin;
  pool.volume_group = "vg0";
  auto facts = both();
  EXPECT_TRUE(plans::create_pool(test::pair_state(), facts, a, pool).ok());
  facts.at("A").volume_group_free.clear();
  EXPECT_EQ(plans::create_pool(test::pair_state(), facts, a, pool).error().code(), ErrorCode::pool_missing);
  facts.at("A").volume_groups_unknown = host::program_missing("vgs", "is not installed");
  const auto refused = plans::create_pool(test::pair_state(), facts, a, pool);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::command_missing);
  EXPECT_EQ(refused.error().message(), "LVM on A does not say whether there is a volume group vg0: the program 'vgs' is not installed");
  EXPECT_EQ(refused.error().next(), "on A: apt install lvm2; then the same command again");
  // A directory needs none of it.
  pool.kind = PoolKind::directory;
  pool.path = "/srv/vm";
  EXPECT_TRUE(plans::create_pool(test::pair_state(), facts, a, pool).ok());
}

TEST(CreateVm, OnANodeWithoutLvmSaysSo) {
  auto facts = both();
  facts.at("B").volume_group_free.clear();
  facts.at("B").volume_groups_unknown = Error(ErrorCode::command_failed, "vgs: exit 5: a device is missing");
  const auto refused = plans::create_vm(test::pair_state(), facts, a, request(), {"uuid", {"52:54:00:00:00:02"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::command_failed);
  EXPECT_NE(refused.error().message().find("LVM on B"), std::string::npos) << refused.error().message();
  EXPECT_EQ(refused.error().next(), "on B: vgs; then the same command again");
}

TEST(StartVm, RecordsTheLastPrimaryBeforeThePromotion) {
  const auto plan = plans::start_vm(test::with_vm1(), vm1);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(shape(*plan), ElementsAre("record@A", "volume.primary@A", "guest.start@A"));
  EXPECT_EQ(plan->steps.back().params.at("gate_overridden"), false);
  EXPECT_EQ(plans::start_vm(test::with_vm1(), vm1, plans::GateRule::overridden)->steps.back().params.at("gate_overridden"), true);
  VolumeRecord known = test::vm1_disk();
  known.last_primary = "A";
  EXPECT_THAT(shape(*plans::start_vm(test::with_vm1(test::vm1(), known), vm1)), ElementsAre("volume.primary@A", "guest.start@A"));
}

TEST(TakeOverVm, RecordsTheOwnerBeforeItsDisksAreOpened) {
  const auto plan = plans::take_over_vm(test::with_vm1(), vm1, NodeName::trusted("B"));
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(shape(*plan), ElementsAre("vm.take_over@B", "volume.primary@B", "guest.start@B"));
  EXPECT_EQ(plan->steps.front().params.at("from"), "A");
  EXPECT_EQ(plan->steps.back().params.at("vm").at("owner"), "B");
  EXPECT_EQ(plan->steps.back().params.at("gate_overridden"), false);
  const auto lifted = plans::take_over_vm(test::with_vm1(), vm1, NodeName::trusted("B"), plans::GateRule::overridden);
  EXPECT_EQ(lifted->steps.back().params.at("gate_overridden"), true);
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"root", "audit"};
  EXPECT_EQ(plans::take_over_vm(test::with_vm1(locked), vm1, NodeName::trusted("B")).error().code(), ErrorCode::vm_locked);
}

TEST(ReleaseVm, ActsWhereTheGuestEndedAndNotAtTheOwner) {
  // Taken over meanwhile: what the new owner has open is not touched.
  EXPECT_THAT(shape(*plans::release_vm(test::with_vm1(), vm1, NodeName::trusted("B"))), ElementsAre("guest.release@B", "volume.secondary@B"));
  EXPECT_THAT(shape(*plans::end_lost_vm(test::with_vm1(), vm1, NodeName::trusted("B"))), ElementsAre("guest.kill@B", "guest.release@B", "volume.secondary@B"));
}

TEST(StopVm, LeavesNothingPromotedBehind) {
  EXPECT_THAT(shape(*plans::stop_vm(test::with_vm1(), vm1, {})), ElementsAre("guest.stop@A", "guest.release@A", "volume.secondary@A"));
  EXPECT_THAT(shape(*plans::kill_vm(test::with_vm1(), vm1)), ElementsAre("guest.kill@A", "guest.release@A", "volume.secondary@A"));
}

const plans::Updater root{"root", 1'700'000'000};

/// What is left of vm1 in the configuration when these were made from the same state and came one after the other.
Result<VmRecord> after(const VmRecord& before, const std::vector<requests::UpdateVm>& updates, const plans::Updater& by = root) {
  const ClusterState seen = test::with_vm1(before);
  ClusterState state = seen;
  for (const requests::UpdateVm& update : updates) {
    MCV_TRY(Mutation mutation, plans::update_vm(seen, vm1, update, by));
    const Change change{"c", "update", {std::move(mutation)}};
    MCV_CHECK(state.apply(change, 2));
  }
  return state.vm(vm1);
}

TEST(UpdateVm, ChangesOnlyWhatWasNamedAndHonoursTheLock) {
  requests::UpdateVm update;
  update.cpus = 3;
  const auto vm = after(test::vm1(), {update});
  ASSERT_TRUE(vm.ok());
  VmRecord expected = test::vm1();
  expected.cpus = 3;
  EXPECT_EQ(*vm, expected);
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"root", "audit"};
  EXPECT_EQ(plans::update_vm(test::with_vm1(locked), vm1, update, root).error().code(), ErrorCode::vm_locked) << "its owner as well";
  update.unlock = true;
  EXPECT_EQ(*after(locked, {update}), expected);
}

TEST(UpdateVm, OfTwoAtOnceNeitherUndoesTheOther) {
  requests::UpdateVm memory, cpus, protection;
  memory.memory = Bytes::mib(256);
  cpus.cpus = 3;
  protection.delete_protection = true;
  VmRecord expected = test::vm1();
  expected.memory = Bytes::mib(256);
  expected.cpus = 3;
  expected.delete_protection = true;
  const auto vm = after(test::vm1(), {memory, cpus, protection});
  ASSERT_TRUE(vm.ok()) << vm.error().to_text();
  EXPECT_EQ(*vm, expected);
}

TEST(UpdateVm, ALockThatCameMeanwhileRefuses) {
  requests::UpdateVm lock, cpus;
  lock.lock_reason = "audit";
  cpus.cpus = 3;
  EXPECT_EQ(after(test::vm1(), {lock, cpus}).error().code(), ErrorCode::revision_conflict);
  EXPECT_EQ(after(test::vm1(), {lock, lock}).error().code(), ErrorCode::revision_conflict) << "two owners of one lock";
}

TEST(UpdateVm, PartsOfTheBootThatWereChangedMeanwhileAreNotMixed) {
  requests::UpdateVm kernel, cmdline;
  kernel.boot = requests::BootChange{.kernel = "/boot/newer"};
  cmdline.boot = requests::BootChange{.cmdline = "quiet"};
  EXPECT_EQ(after(test::vm1(), {kernel, cmdline}).error().code(), ErrorCode::revision_conflict);
}

TEST(UpdateVm, AnotherVmOfTheNameIsNotChanged) {
  requests::UpdateVm cpus;
  cpus.cpus = 3;
  auto mutation = plans::update_vm(test::with_vm1(), vm1, cpus, root);
  ASSERT_TRUE(mutation.ok());
  VmRecord other = test::vm1();
  other.uuid = "00000000-0000-4000-8000-000000000002";
  ClusterState state = test::with_vm1(other);
  const Change change{"c", "update", {std::move(*mutation)}};
  EXPECT_EQ(state.apply(change, 2).error().code(), ErrorCode::revision_conflict);
}

TEST(UpdateVm, ALockIsOfWhoeverSetIt) {
  requests::UpdateVm lock;
  lock.lock_reason = "audit";
  const auto vm = after(test::vm1(), {lock}, {"alice", 1'700'000'000});
  ASSERT_TRUE(vm.ok());
  EXPECT_EQ(vm->lock, (LockRecord{"alice", "audit", 1'700'000'000}));
}

TEST(UpdateVm, AnothersLockIsTakenOffOnlyByNamingItsOwner) {
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"alice", "audit", 1'700'000'000};
  requests::UpdateVm unlock;
  unlock.unlock = true;
  EXPECT_TRUE(plans::breaks_lock(locked, unlock, "root"));
  EXPECT_FALSE(plans::breaks_lock(locked, unlock, "alice"));
  EXPECT_FALSE(plans::breaks_lock(test::vm1(), unlock, "root")) << "there is none";
  EXPECT_EQ(after(locked, {unlock}).error().code(), ErrorCode::not_confirmed);
  unlock.lock_owner = "bob";
  EXPECT_EQ(after(locked, {unlock}).error().code(), ErrorCode::not_confirmed) << "the lock changed hands while it was typed";
  unlock.lock_owner = "alice";
  EXPECT_EQ(*after(locked, {unlock}), test::vm1());
  unlock.lock_owner.reset();
  EXPECT_EQ(*after(locked, {unlock}, {"alice", 0}), test::vm1()) << "her own";
  EXPECT_EQ(*after(test::vm1(), {unlock}), test::vm1()) << "a script may say so twice";
}

TEST(UpdateVm, ItsAuditSaysWhatChanges) {
  requests::UpdateVm update;
  update.memory = Bytes::mib(256);
  update.delete_protection = false;
  update.boot = requests::BootChange{.cmdline = "quiet"};
  update.lock_reason = "audit";
  EXPECT_EQ(plans::update_summary(test::vm1(), update), "vm1 updated: memory 128 MiB -> 256 MiB, delete protection off, another cmdline, locked (audit)");
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"alice", "audit"};
  requests::UpdateVm unlock;
  unlock.unlock = true;
  EXPECT_EQ(plans::update_summary(locked, unlock), "vm1 updated: lock of alice taken off (audit)");
  EXPECT_EQ(plans::update_summary(test::vm1(), unlock), "vm1 updated: was not locked");
}

TEST(Lock, HoldsUpEveryPlanThatChangesTheVmAndNoOther) {
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"alice", "audit"};
  const ClusterState state = test::with_vm1(locked);
  EXPECT_EQ(plans::start_vm(state, vm1).error().code(), ErrorCode::vm_locked);
  EXPECT_EQ(plans::stop_vm(state, vm1, {}).error().code(), ErrorCode::vm_locked);
  EXPECT_EQ(plans::kill_vm(state, vm1).error().code(), ErrorCode::vm_locked);
  EXPECT_EQ(plans::reset_vm(state, vm1).error().code(), ErrorCode::vm_locked);
  EXPECT_TRUE(plans::release_vm(state, vm1, a).ok());
  EXPECT_TRUE(plans::end_lost_vm(state, vm1, a).ok());
  EXPECT_TRUE(plans::stop_for_leave(state, vm1, a, 60).ok());
  EXPECT_EQ(plans::use_of_retry("vm-release"), VmUse::release);
  EXPECT_EQ(plans::use_of_retry("vm-lost"), VmUse::end_lost);
  EXPECT_EQ(plans::use_of_retry("resync-follow"), VmUse::follow_resync);
  EXPECT_EQ(plans::use_of_retry("vm-migrate"), VmUse::retry);
}

/// What a delete planned of `vm` finds once the VM is `meanwhile`.
Status marks_as_deleting(const VmRecord& vm, const VmRecord& meanwhile) {
  MCV_TRY(const Plan plan, plans::delete_vm(test::with_vm1(vm), both(), vm1));
  MCV_TRY(Mutation mutation, Mutation::from_json(plan.steps.front().params.at("mutations").at(0)));
  ClusterState state = test::with_vm1(meanwhile);
  return state.apply({"c", "delete", {std::move(mutation)}}, 2);
}

TEST(DeleteVm, IsRefusedByALockOrAProtectionThatCameMeanwhile) {
  EXPECT_TRUE(marks_as_deleting(test::vm1(), test::vm1()).ok());
  VmRecord locked = test::vm1();
  locked.lock = LockRecord{"alice", "audit"};
  EXPECT_EQ(marks_as_deleting(test::vm1(), locked).error().code(), ErrorCode::revision_conflict);
  VmRecord kept = test::vm1();
  kept.delete_protection = true;
  EXPECT_EQ(marks_as_deleting(test::vm1(), kept).error().code(), ErrorCode::revision_conflict);
}

TEST(UpdateVm, ChangesOnlyThePartsOfTheBootThatWereNamed) {
  VmRecord vm = test::vm1();
  vm.boot = {"/srv/vmlinuz", "/srv/initrd", "console=ttyS0", ""};
  const auto boot_after = [&vm](const requests::BootChange& change) -> Result<BootRecord> {
    requests::UpdateVm update;
    update.boot = change;
    MCV_TRY(const VmRecord changed, after(vm, {update}));
    return changed.boot;
  };
  EXPECT_EQ(*boot_after({.kernel = "/srv/newer"}), (BootRecord{"/srv/newer", "/srv/initrd", "console=ttyS0", ""}));
  EXPECT_EQ(*boot_after({.cmdline = "quiet"}), (BootRecord{"/srv/vmlinuz", "/srv/initrd", "quiet", ""}));
  EXPECT_EQ(*boot_after({.kernel = "", .initramfs = "", .cmdline = ""}), BootRecord{});
  EXPECT_EQ(*boot_after({.kernel = "", .initramfs = "", .cmdline = "", .firmware = "/srv/fw"}), (BootRecord{"", "", "", "/srv/fw"}));
  // What would be left makes no sense, and it is said how it does.
  for (const requests::BootChange& change : {requests::BootChange{.kernel = ""}, requests::BootChange{.firmware = "/srv/fw"}}) {
    const auto refused = boot_after(change);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::bad_request);
    EXPECT_NE(refused.error().next().find("--kernel ''"), std::string::npos);
  }
}

}  // namespace
}  // namespace mcv::vm_plans_test
