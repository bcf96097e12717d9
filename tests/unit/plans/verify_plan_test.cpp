// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/model/verify_policy.h"
#include "cluster/plan/locks.h"
#include "cluster/plans/cluster_plans.h"
#include "cluster/plans/verify_plan.h"
#include "fixture.h"

namespace mcv::verify_plan_test {
namespace {

using test::shape;
using testing::ElementsAre;

const NodeName a = NodeName::trusted("A");

VolumeRecord disk(const std::string& vm, std::uint64_t mib) {
  VolumeRecord volume = test::vm1_disk();
  volume.name = VolumeName::trusted(vm + "-0");
  volume.vm = VmName::trusted(vm);
  volume.size = Bytes::mib(mib);
  return volume;
}

/// vm1 to vm4, with disks of 256, 64, 512 and 128 MiB, and what the cluster is set to.
ClusterState four_vms(std::vector<std::pair<std::string, std::string>> settings = {}) {
  std::vector<Mutation> mutations;
  const std::uint64_t sizes[] = {256, 64, 512, 128};
  for (std::size_t i = 0; i < 4; ++i) {
    VmRecord vm = test::vm1();
    vm.name = VmName::trusted("vm" + std::to_string(i + 1));
    vm.uuid.back() = static_cast<char>('1' + i);
    vm.nics.clear();
    vm.volumes = {VolumeName::trusted(vm.name.str() + "-0")};
    mutations.push_back(put_new(vm));
    mutations.push_back(put_new(disk(vm.name.str(), sizes[i])));
  }
  for (const auto& [key, value] : settings) mutations.push_back(put_setting(ClusterState(), key, value));
  return test::pair_state(std::move(mutations));
}

requests::Verify all() {
  requests::Verify request;
  request.all = true;
  return request;
}

requests::Verify of(std::vector<std::string> names) {
  requests::Verify request;
  for (const std::string& name : names) request.vms.push_back(VmName::trusted(name));
  return request;
}

/// An unfinished verify whose first `done` steps are done and whose next one runs.
OperationState running(const std::string& id, Plan plan, std::size_t done) {
  plan.id = OperationId::trusted(id);
  OperationState state;
  EXPECT_TRUE(state.apply(JournalEntry::accepted(plan, 1)).ok());
  for (std::size_t i = 0; i <= done; ++i) {
    EXPECT_TRUE(state.apply(JournalEntry::of(EntryKind::started, i)).ok());
    if (i < done) {
      EXPECT_TRUE(state.apply(JournalEntry::done(i, Json())).ok());
    }
  }
  return state;
}

Plan plan_of(const ClusterState& state, const requests::Verify& request) { return *plans::verify(state, a, request, "root"); }

TEST(VerifyPlan, ComparesOneVolumeAtATimeUnlessTheClusterIsToldOtherwise) {
  const Plan plan = plan_of(four_vms(), all());
  EXPECT_THAT(shape(plan), ElementsAre("volume.verify@A", "volume.verify@A", "volume.verify@A", "volume.verify@A", "verify.summary@A"));
  EXPECT_EQ(plan.steps[0].params.at("asked_by"), "root");
  EXPECT_TRUE(plan.check().ok());
}

TEST(VerifyPlan, TakesVolumesOfNearSizesTogether) {
  const Plan plan = plan_of(four_vms({{verify_parallel_setting, "3"}}), all());
  ASSERT_THAT(shape(plan), ElementsAre("verify.together@A", "verify.together@A", "verify.summary@A"));
  EXPECT_EQ(plan.steps[0].text, "compare both sides of vm3-0, vm1-0, vm4-0");
  EXPECT_EQ(plan.steps[1].text, "compare both sides of vm2-0");
}

TEST(VerifyPlan, WaitsForNoOtherVerifyButForWhatChangesTheMembers) {
  const Plan plan = plan_of(four_vms(), all());
  EXPECT_FALSE(conflict(plan.lock_needs(), plan_of(four_vms(), of({"vm1"})).lock_needs()));
  const std::vector<LockNeed> removal = {{"cluster", false}, {"verify", false}};
  EXPECT_TRUE(conflict(plan.lock_needs(), removal));
}

TEST(VerifyPlan, RefusesWhatHasNothingToCompare) {
  EXPECT_EQ(plans::verify(test::pair_state(), a, all(), "root").error().code(), ErrorCode::not_found);
  EXPECT_EQ(plans::verify(four_vms(), a, of({"vm9"}), "root").error().code(), ErrorCode::not_found);
}

TEST(VerifyToJoin, APersonTakesAResultThatIsStillToCome) {
  const ClusterState state = four_vms();
  const std::vector<OperationState> at_the_second = {running("A-7", plan_of(state, all()), 1)};
  EXPECT_EQ(plans::verify_to_join(at_the_second, plan_of(state, of({"vm3"})), false), OperationId::trusted("A-7"));
  EXPECT_EQ(plans::verify_to_join(at_the_second, plan_of(state, of({"vm2"})), false), OperationId::trusted("A-7")) << "it runs now";
  EXPECT_FALSE(plans::verify_to_join(at_the_second, plan_of(state, of({"vm1"})), false)) << "its result is of before the question";
  EXPECT_FALSE(plans::verify_to_join(at_the_second, plan_of(state, all()), false));
}

TEST(VerifyToJoin, ATimerTakesAnyResultOfTheRun) {
  const ClusterState state = four_vms();
  const std::vector<OperationState> at_the_second = {running("A-7", plan_of(state, all()), 1)};
  EXPECT_EQ(plans::verify_to_join(at_the_second, plan_of(state, all()), true), OperationId::trusted("A-7"));
}

TEST(VerifyToJoin, NoneThatComparesLessOrWasCancelled) {
  const ClusterState state = four_vms();
  EXPECT_FALSE(plans::verify_to_join({running("A-7", plan_of(state, of({"vm1"})), 0)}, plan_of(state, all()), true));
  OperationState cancelled = running("A-7", plan_of(state, all()), 0);
  ASSERT_TRUE(cancelled.apply(JournalEntry::of(EntryKind::cancel_requested)).ok());
  EXPECT_FALSE(plans::verify_to_join({cancelled}, plan_of(state, of({"vm3"})), true));
  EXPECT_FALSE(plans::verify_to_join({}, plan_of(state, all()), true));
}

TEST(VerifyToJoin, BatchesCountLikeSingleVolumes) {
  const ClusterState state = four_vms({{verify_parallel_setting, "2"}});
  const std::vector<OperationState> at_the_second = {running("A-7", plan_of(state, all()), 1)};
  EXPECT_EQ(plans::verify_to_join(at_the_second, plan_of(state, of({"vm2", "vm4"})), false), OperationId::trusted("A-7"));
  EXPECT_FALSE(plans::verify_to_join(at_the_second, plan_of(state, of({"vm2", "vm3"})), false));
}

TEST(VerifyBefore, TheOldestGoesFirst) {
  const ClusterState state = four_vms();
  const std::vector<OperationState> two = {running("A-7", plan_of(state, all()), 0), running("A-9", plan_of(state, of({"vm1"})), 0)};
  EXPECT_FALSE(plans::verify_before(two, OperationId::trusted("A-7")));
  EXPECT_EQ(plans::verify_before(two, OperationId::trusted("A-9")), OperationId::trusted("A-7"));
  EXPECT_FALSE(plans::verify_before({two[1]}, OperationId::trusted("A-9"))) << "its turn came";
}

// --- settings ---------------------------------------------------------------------------------------------

TEST(VerifyPolicy, HasDefaultsAndIsSet) {
  EXPECT_EQ(verify_policy(test::pair_state()), (VerifyPolicy{default_verify_age, 1, std::nullopt}));
  EXPECT_EQ(verify_policy(four_vms({{verify_age_setting, "7200"}, {verify_parallel_setting, "4"}})), (VerifyPolicy{7200, 4, std::nullopt}));
  EXPECT_EQ(verify_policy(four_vms({{verify_age_setting, "off"}})).age_limit_seconds, std::nullopt);
  for (const char* odd : {"", "-1", "0", "12 d", "99999999999999999999"}) {
    EXPECT_EQ(verify_policy(four_vms({{verify_age_setting, odd}, {verify_parallel_setting, odd}})), (VerifyPolicy{default_verify_age, 1, std::nullopt})) << odd;
  }
  EXPECT_EQ(verify_policy(four_vms({{verify_parallel_setting, "9"}})).parallel, 1u);
}

TEST(VerifyPolicy, OneCommandSetsSeveral) {
  requests::UpdateCluster request;
  request.peer_loss = PeerLoss::run_alone;
  request.verify_age_seconds = 0;
  request.verify_parallel = 2;
  request.verify_calendar = "Sun 02:00";
  ClusterState state = test::pair_state();
  const auto mutations = plans::update_cluster(state, request);
  ASSERT_TRUE(mutations.ok());
  ASSERT_TRUE(state.apply(Change{"u", "update", *mutations}, 2).ok());
  EXPECT_EQ(peer_loss(state), PeerLoss::run_alone);
  EXPECT_EQ(verify_policy(state), (VerifyPolicy{std::nullopt, 2, "Sun 02:00"}));
  EXPECT_EQ(plans::summary_of(request), "when a node loses the other one: run-alone; no alarm about the age of a verify; disks verified at once: 2; verifies by timer: Sun 02:00");
}

TEST(VerifyOverdue, CountsFromTheVerdictOrFromTheDisksFirstDay) {
  constexpr std::int64_t day = 86'400;
  constexpr std::int64_t now = 1'700'000'000;
  const ClusterState state = four_vms();
  VolumeRecord volume = test::vm1_disk();
  volume.verdict.kind = VerdictKind::clean;
  volume.verdict.wall_seconds = now - 30 * day;
  EXPECT_FALSE(verify_overdue(volume, state, now));
  volume.verdict.wall_seconds = now - 31 * day;
  EXPECT_EQ(verify_overdue(volume, state, now), "the copies of vm1-0 were compared last 31 d ago, which is longer than 30 d");
  volume.verdict.wall_seconds = now + day;
  EXPECT_FALSE(verify_overdue(volume, state, now)) << "a clock was set back";
  volume.verdict = {};
  volume.verdict.wall_seconds = now - day;
  EXPECT_FALSE(verify_overdue(volume, state, now)) << "made yesterday";
  volume.verdict.wall_seconds = now - 40 * day;
  EXPECT_EQ(verify_overdue(volume, state, now), "the copies of vm1-0 were never compared, for 40 d");
  volume.verdict.wall_seconds = 0;
  EXPECT_EQ(verify_overdue(volume, state, now), "the copies of vm1-0 were never compared");
  EXPECT_FALSE(verify_overdue(volume, four_vms({{verify_age_setting, "off"}}), now));
  volume.kind = VolumeKind::local;
  EXPECT_FALSE(verify_overdue(volume, state, now));
}

}  // namespace
}  // namespace mcv::verify_plan_test
