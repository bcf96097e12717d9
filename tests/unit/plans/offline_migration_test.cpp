// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "migrate/offline_planner.h"

namespace mcv::migrate {
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
                    Case{"kvm", [](Situation& now) { now.target.kvm = false; }},
                    Case{"memory", [](Situation& now) { now.request.start_after_migration = true; now.target.memory_available = Bytes::mib(64); }}));

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
}  // namespace mcv::migrate
