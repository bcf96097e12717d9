// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "migrate/offline_planner.h"

namespace mcv::migrate::offline_migration_test {
namespace {

using testing::ElementsAre;

struct Situation {
  ClusterState state = test::with_vm1();
  OfflineRequest request{VmName::trusted("vm1"), NodeName::trusted("B"), false, std::nullopt, false};
  NodeFacts source = test::facts_of("A");
  NodeFacts target = test::facts_of("B");
  bool target_answers = true;
  bool suspect = false;

  OfflineQuestion question() const {
    OfflineQuestion asked{state, request, source, target_answers ? &target : nullptr, {}};
    asked.is_suspect = [this](const VolumeName&) { return suspect; };
    return asked;
  }
};

TEST(OfflineMigration, DemotesPromotesRecordsAndLeavesBothSidesSecondary) {
  const Situation now;
  const auto plan = plan_offline(now.question());
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_THAT(test::shape(*plan), ElementsAre("migrate.recheck@A", "guest.release@A", "volume.secondary@A", "volume.primary@B", "!record@A", "volume.secondary@B"));
}

TEST(OfflineMigration, WaitsAndStartsWhenAsked) {
  Situation now;
  now.request.wait_for_shutdown = true;
  now.request.start_after_migration = true;
  now.source.vms["vm1"].state = RunState::running;
  const auto plan = plan_offline(now.question());
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_THAT(test::shape(*plan), ElementsAre("guest.wait_stopped@A", "migrate.recheck@A", "guest.release@A", "volume.secondary@A", "volume.primary@B", "!record@A",
                                              "guest.start@B"));
}

struct Case {
  const char* id;
  void (*spoil)(Situation& now);
};

class OfflineMigrationRefuses : public testing::TestWithParam<Case> {};

TEST_P(OfflineMigrationRefuses, WithItsStableId) {
  Situation now;
  GetParam().spoil(now);
  const auto refusals = offline_refusals(now.question());
  ASSERT_EQ(refusals.size(), 1u) << GetParam().id;
  EXPECT_EQ(refusals.front().id, GetParam().id);
  const auto plan = plan_offline(now.question());
  ASSERT_FALSE(plan.ok());
  EXPECT_FALSE(plan.error().next().empty());
  EXPECT_FALSE(plan.error().safe().empty());
}

void with_vm(Situation& now, void (*change)(VmRecord&, VolumeRecord&)) {
  VmRecord vm = test::vm1();
  VolumeRecord volume = test::vm1_disk();
  change(vm, volume);
  now.state = test::with_vm1(vm, volume);
}

void boots_from(Situation& now, BootRecord boot) {
  VmRecord vm = test::vm1();
  vm.boot = std::move(boot);
  now.state = test::with_vm1(vm);
}

/// vm2 runs at the target with `memory` that it has not touched yet.
void target_is_promised(Situation& now, Bytes memory) {
  VmRecord other;
  other.name = VmName::trusted("vm2");
  other.uuid = "00000000-0000-4000-8000-000000000002";
  other.owner = NodeName::trusted("B");
  other.memory = memory;
  now.state = test::pair_state({put_new(test::vm1()), put_new(test::vm1_disk()), put_new(other)});
  now.target.vms["vm2"].state = RunState::running;
}

constexpr Bytes just_enough = Bytes::mib(128 + 48 + 256);  // vm1, its VMM, what stays free for the node

INSTANTIATE_TEST_SUITE_P(
    All, OfflineMigrationRefuses,
    testing::Values(Case{"unknown-vm", [](Situation& now) { now.request.vm = VmName::trusted("ghost"); }},
                    Case{"unknown-node", [](Situation& now) { now.request.target = NodeName::trusted("C"); }},
                    Case{"already-there", [](Situation& now) { now.request.target = NodeName::trusted("A"); }},
                    Case{"running", [](Situation& now) { now.source.vms["vm1"].state = RunState::running; }},
                    Case{"running", [](Situation& now) { now.source.vms["vm1"].state = RunState::unknown; }},
                    Case{"running-there", [](Situation& now) { now.target.vms["vm1"].state = RunState::running; }},
                    Case{"unreachable", [](Situation& now) { now.target_answers = false; }},
                    Case{"locked", [](Situation& now) { with_vm(now, [](VmRecord& vm, VolumeRecord&) { vm.lock = LockRecord{"root", "x"}; }); }},
                    Case{"verify-gate", [](Situation& now) { with_vm(now, [](VmRecord&, VolumeRecord& v) { v.verdict.kind = VerdictKind::mismatch; }); }},
                    Case{"verify-gate", [](Situation& now) { now.suspect = true; }},
                    Case{"not-up-to-date", [](Situation& now) { now.source.volumes.at("vm1-0").peer_disk = DiskState::inconsistent; }},
                    Case{"older-copy", [](Situation& now) { now.source.volumes.at("vm1-0").connection = ConnectionState::connecting; now.source.volumes.at("vm1-0").peer_disk = DiskState::outdated; }},
                    Case{"not-up-to-date", [](Situation& now) { now.source.volumes.at("vm1-0").connection = ConnectionState::connecting; }},
                    Case{"disk-down", [](Situation& now) { now.source.volumes.clear(); }},
                    Case{"peer-primary", [](Situation& now) { now.source.volumes.at("vm1-0").peer_role = DiskRole::primary; }},
                    Case{"local-disk", [](Situation& now) { with_vm(now, [](VmRecord&, VolumeRecord& v) { v.kind = VolumeKind::local; v.node = "A"; }); }},
                    Case{"network", [](Situation& now) { now.target.bridges.clear(); }},
                    Case{"kernel", [](Situation& now) { now.target.files_sha256.clear(); }},
                    Case{"kernel", [](Situation& now) { now.target.files_sha256["/boot/k"] = "bb"; }},
                    Case{"initramfs", [](Situation& now) { boots_from(now, {"/boot/k", "/boot/i", "", ""}); }},
                    Case{"initramfs", [](Situation& now) {
                      boots_from(now, {"/boot/k", "/boot/i", "", ""});
                      now.source.files_sha256["/boot/i"] = "aa";
                      now.target.files_sha256["/boot/i"] = "bb";
                    }},
                    Case{"firmware", [](Situation& now) { boots_from(now, {"", "", "", "/boot/fw"}); }},
                    Case{"firmware", [](Situation& now) {
                      boots_from(now, {"", "", "", "/boot/fw"});
                      now.source.files_sha256["/boot/fw"] = "aa";
                      now.target.files_sha256["/boot/fw"] = "bb";
                    }},
                    Case{"deleting", [](Situation& now) { with_vm(now, [](VmRecord& vm, VolumeRecord&) { vm.deleting = true; }); }},
                    Case{"cpus", [](Situation& now) { with_vm(now, [](VmRecord& vm, VolumeRecord&) { vm.cpus = 9; }); }},
                    Case{"kvm", [](Situation& now) { now.target.kvm = false; }},
                    Case{"hypervisor", [](Situation& now) { now.target.hypervisors.clear(); }},
                    Case{"hypervisor", [](Situation& now) { with_vm(now, [](VmRecord& vm, VolumeRecord&) { vm.hypervisor = HypervisorKind::cloud_hypervisor; }); }},
                    Case{"hypervisor", [](Situation& now) {
                      boots_from(now, {});  // from its disk: QEMU alone can do that
                      now.target.hypervisors = {"cloud-hypervisor"};
                    }},
                    Case{"memory", [](Situation& now) { now.target.memory_total = now.target.memory_available = just_enough - Bytes(1); }},
                    Case{"memory", [](Situation& now) {
                      now.request.start_after_migration = true;
                      now.target.memory_available = just_enough - Bytes(1);
                    }},
                    Case{"memory", [](Situation& now) {
                      now.request.start_after_migration = true;
                      target_is_promised(now, Bytes::gib(2) - just_enough);
                    }}));

TEST(OfflineMigration, TakesAnyHypervisorForAVmThatLeavesTheChoice) {
  Situation now;
  now.target.hypervisors = {"cloud-hypervisor"};
  EXPECT_TRUE(offline_refusals(now.question()).empty());
}

TEST(OfflineMigration, OfAVmThatStaysOffAsksWhetherItCouldEverStartThere) {
  Situation now;
  now.target.memory_total = just_enough;
  now.target.memory_available = Bytes::mib(1);
  target_is_promised(now, Bytes::gib(1));
  EXPECT_TRUE(offline_refusals(now.question()).empty()) << "what runs there now may be gone by then";
  now.target.memory_total = just_enough - Bytes(1);
  const auto refusals = offline_refusals(now.question());
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_NE(refusals.front().text.find("could never start on B"), std::string::npos) << refusals.front().text;
  EXPECT_NE(refusals.front().fix.find("--memory"), std::string::npos);
}

TEST(OfflineMigration, ChecksAgainAfterTheWaitWithTheSameQuestion) {
  for (const bool start : {false, true}) {
    Situation now;
    now.request.wait_for_shutdown = true;
    now.request.start_after_migration = start;
    now.source.vms["vm1"].state = RunState::running;
    const auto plan = plan_offline(now.question());
    ASSERT_TRUE(plan.ok());
    ASSERT_EQ(plan->steps.at(1).action, "migrate.recheck");
    EXPECT_EQ(plan->steps.at(1).params.at("start_after_migration"), start);
  }
}

TEST(OfflineMigration, NamesEveryReason) {
  Situation now;
  now.target.bridges.clear();
  now.target.kvm = false;
  const auto plan = plan_offline(now.question());
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.error().message().find("lan"), std::string::npos);
  EXPECT_NE(plan.error().message().find("/dev/kvm"), std::string::npos);
}

}  // namespace
}  // namespace mcv::migrate::offline_migration_test
