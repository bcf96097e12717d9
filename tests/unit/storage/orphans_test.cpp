// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/orphans.h"

#include <gtest/gtest.h>

namespace mcv::drbd::orphans_test {
namespace {

lvm::LogicalVolume logical_volume(std::string name, std::vector<std::string> tags, std::int64_t created = 0) {
  lvm::LogicalVolume result;
  result.name = std::move(name);
  result.volume_group = "vg0";
  result.tags = std::move(tags);
  result.size = Bytes::mib(64);
  result.created = created;
  return result;
}

lvm::LogicalVolume thin_pool(std::string name, std::vector<std::string> tags) {
  lvm::LogicalVolume result = logical_volume(std::move(name), std::move(tags));
  result.thin_pool = true;
  return result;
}

Belongs belongs() {
  Belongs known;
  known.volumes = {VolumeName::trusted("vm1-0")};
  known.thin_pools = {"vg0/mcv-fast"};
  return known;
}

/// Nothing on it is an orphan.
Machine tidy() {
  Machine machine;
  machine.volumes = {thin_pool("mcv-fast", {"mcv"}), logical_volume("mcv-vm1-0", {"mcv", "mcv.by.A-1"}), logical_volume("mcv-vm1-0.md", {"mcv", "mcv.by.A-1"}), logical_volume("root", {})};
  machine.files = {"global_common.conf", "mcv-vm1-0.res", "r0.res"};
  machine.resources["mcv-vm1-0"];
  machine.resources["r0"];
  return machine;
}

TEST(Orphans, WhatBelongsToSomethingIsNone) { EXPECT_TRUE(orphans_of(tidy(), belongs()).empty()); }

TEST(Orphans, OneVolumesRemainsAreOneThing) {
  Machine machine = tidy();
  machine.volumes.push_back(logical_volume("mcv-gone-0", {"mcv", "mcv.by.A-7"}, 200));
  machine.volumes.push_back(logical_volume("mcv-gone-0.md", {"mcv", "mcv.by.A-7"}, 100));
  machine.files.push_back("mcv-gone-0.res");
  machine.resources["mcv-gone-0"].minor = 101;
  const auto found = orphans_of(machine, belongs());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "mcv-gone-0");
  EXPECT_EQ(found[0].kind, OrphanKind::volume);
  EXPECT_EQ(found[0].since, 100);
  EXPECT_EQ(found[0].made_by, std::vector<std::string>{"A-7"});
  EXPECT_EQ(found[0].parts, (std::vector<std::string>{"vg0/mcv-gone-0", "vg0/mcv-gone-0.md", "/etc/drbd.d/mcv-gone-0.res", "minor 101 in the kernel"}));
  EXPECT_TRUE(may_remove(found[0]).ok());
}

TEST(Orphans, WhatAnOperationMakesIsNone) {
  Machine machine = tidy();
  machine.volumes.push_back(logical_volume("mcv-new-0", {"mcv", "mcv.by.A-9"}));
  machine.files.push_back("mcv-other-0.res");
  Belongs known = belongs();
  known.operations = {"A-9"};
  known.vms_in_operation = {VmName::trusted("other")};
  EXPECT_TRUE(orphans_of(machine, known).empty());
  EXPECT_EQ(orphans_of(machine, belongs()).size(), 2u);
}

TEST(Orphans, ALocalDiskOfTheOtherNodeIsOneHere) {
  Machine machine = tidy();
  machine.volumes.push_back(logical_volume("mcv-vm2-0", {"mcv", "mcv.by.A-2"}));
  Belongs known = belongs();
  known.of_other_node[VolumeName::trusted("vm2-0")] = "A";
  const auto found = orphans_of(machine, known);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].why.find("recorded on A"), std::string::npos);
}

TEST(Orphans, WhatIsInUseIsNotRemoved) {
  Machine machine = tidy();
  lvm::LogicalVolume open = logical_volume("mcv-gone-0", {"mcv"});
  open.open = true;
  machine.volumes.push_back(open);
  EXPECT_EQ(may_remove(orphans_of(machine, belongs())[0]).error().code(), ErrorCode::device_busy);
  // Held by its own kernel device alone: that goes first.
  machine.resources["mcv-gone-0"].minor = 101;
  EXPECT_TRUE(may_remove(orphans_of(machine, belongs())[0]).ok());
  machine.resources["mcv-gone-0"].facts.role = DiskRole::primary;
  EXPECT_EQ(may_remove(orphans_of(machine, belongs())[0]).error().code(), ErrorCode::device_busy);
}

TEST(Orphans, OthersHaveTheirOwnCommands) {
  Machine machine = tidy();
  machine.volumes.push_back(logical_volume("mcvs-A-3-vm1-0", {"mcv", "mcv.snapshot", "mcv.volume.vm1-0", "mcv.operation.A-3"}));
  machine.volumes.push_back(logical_volume("mcvq-A-17-vm1-0", {"mcv", "mcv.quarantine", "mcv.volume.vm1-0", "mcv.removal.A-17"}));
  machine.volumes.push_back(logical_volume("mcvq-A-17-vm1-0.md", {"mcv", "mcv.quarantine"}));
  machine.volumes.push_back(logical_volume("mcv-his-0", {}));
  machine.volumes.push_back(logical_volume("renamed", {"mcv"}));
  machine.volumes.push_back(thin_pool("mcv-old", {"mcv"}));
  std::map<std::string, OrphanKind> kinds;
  for (const Orphan& orphan : orphans_of(machine, belongs())) {
    kinds[orphan.name] = orphan.kind;
    const Status may = may_remove(orphan);
    EXPECT_EQ(may.ok(), orphan.kind == OrphanKind::thin_pool) << orphan.name;
    if (may.ok()) continue;
    EXPECT_EQ(may.error().code(), ErrorCode::bad_request);
    EXPECT_FALSE(may.error().next().empty());
  }
  const std::map<std::string, OrphanKind> expected = {{"mcvs-A-3-vm1-0", OrphanKind::snapshot}, {"mcvq-A-17-vm1-0", OrphanKind::quarantined}, {"mcv-his-0", OrphanKind::foreign},
                                                      {"renamed", OrphanKind::foreign},         {"mcv-old", OrphanKind::thin_pool}};
  EXPECT_EQ(kinds, expected);
}

}  // namespace
}  // namespace mcv::drbd::orphans_test
