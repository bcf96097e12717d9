// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/model/vm_lock.h"

namespace mcv::test::vm_lock_test {
namespace {

VmRecord locked_vm() {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.owner = NodeName::trusted("A");
  vm.lock = LockRecord{"alice", "disk check until Monday", 1'700'000'000};
  return vm;
}

TEST(VmLock, RefusesWhatChangesTheVmAndNothingElse) {
  const struct {
    VmUse use;
    bool refused;
  } table[] = {
      {VmUse::start, true},   {VmUse::stop, true},     {VmUse::kill, true},           {VmUse::reset, true},           {VmUse::migrate, true},
      {VmUse::update, true},  {VmUse::remove, true},   {VmUse::resync, true},         {VmUse::attach, true},          {VmUse::delete_snapshot, true},
      {VmUse::retry, true},   {VmUse::unlock, false},  {VmUse::cancel, false},        {VmUse::console, false},        {VmUse::verify, false},
      {VmUse::leave, false},  {VmUse::release, false}, {VmUse::follow_resync, false}, {VmUse::end_lost, false},
  };
  // Every use that there is, in the order of the enumeration's last.
  EXPECT_EQ(std::size(table), static_cast<std::size_t>(VmUse::end_lost) + 1);
  VmRecord free = locked_vm();
  free.lock.reset();
  for (const auto& row : table) {
    const Status status = check_lock(locked_vm(), row.use);
    EXPECT_EQ(status.ok(), !row.refused) << static_cast<int>(row.use);
    EXPECT_EQ(status.ok() ? ErrorCode::vm_locked : status.error().code(), ErrorCode::vm_locked);
    EXPECT_TRUE(check_lock(free, row.use).ok()) << static_cast<int>(row.use);
  }
}

TEST(VmLock, ARefusalNamesOwnerReasonSinceWhatIsSafeAndTheCommand) {
  const Status status = check_lock(locked_vm(), VmUse::start);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "vm1 is locked by alice since 2023-11-14 22:13:20 UTC: disk check until Monday");
  EXPECT_EQ(status.error().safe(), "vm1 was not touched");
  EXPECT_EQ(status.error().next(), "alice or an administrator types: hvctl vm update vm1 --unlock");
  VmRecord older = locked_vm();
  older.lock->since = 0;
  EXPECT_EQ(lock_text(older), "vm1 is locked by alice: disk check until Monday") << "a lock of a build that wrote down no time";
}

TEST(VmLock, SurvivesItsRecordAndAnOlderOneIsRead) {
  const VmRecord vm = locked_vm();
  EXPECT_EQ(VmRecord::from_json(vm.to_json())->lock, vm.lock);
  Json older = vm.to_json();
  older["lock"].erase("since");
  EXPECT_EQ(VmRecord::from_json(older)->lock, (LockRecord{"alice", "disk check until Monday", 0}));
}

}  // namespace
}  // namespace mcv::test::vm_lock_test
