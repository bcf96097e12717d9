// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/removal_plan.h"

#include <gtest/gtest.h>

#include "cluster/model/removal.h"
#include "cluster/plans/cluster_plans.h"
#include "fixture.h"

namespace mcv::test::removal_plan_test {
namespace {

using Shape = std::vector<std::string>;

const NodeName a = NodeName::trusted("A");
const NodeName b = NodeName::trusted("B");

requests::RemoveNode of(const char* name, bool dead = false) { return {NodeName::trusted(name), dead}; }

Result<Plan> plan_on_a(const ClusterState& state, const plans::Facts& facts, bool dead = false) { return plans::remove_node(state, facts, a, of("B", dead)); }

VmRecord local_vm(const char* name) {
  VmRecord vm = vm1();
  vm.name = VmName::trusted(name);
  vm.volumes = {VolumeName::trusted(std::string(name) + "-0")};
  return vm;
}

VolumeRecord local_disk(const char* vm, const char* where) {
  VolumeRecord volume = vm1_disk();
  volume.name = VolumeName::trusted(std::string(vm) + "-0");
  volume.vm = VmName::trusted(vm);
  volume.kind = VolumeKind::local;
  volume.node = where;
  return volume;
}

TEST(RemoveNode, LooksBeforeTheOneCommitAndFinishesAfterIt) {
  const auto plan = plan_on_a(with_vm1(), both());
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  EXPECT_EQ(shape(*plan), (Shape{"record@A", "remove.ready@B", "remove.ready@A", "!remove.commit@A", "volume.one_leg@A", "remove.tell@A", "remove.alone@A"}));
  EXPECT_TRUE(plan->check().ok());
  // Whatever works on a VM, a pool or the cluster is in the way.
  EXPECT_EQ(plan->lock_needs(), (std::vector<LockNeed>{{"cluster", false}, {"verify", false}, {"vm/vm1", false}, {"pool/fast", false}}));
}

TEST(RemoveNode, ADeadNodeIsNotAsked) {
  const auto plan = plan_on_a(with_vm1(), {}, true);
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  EXPECT_EQ(shape(*plan), (Shape{"!remove.commit@A", "volume.one_leg@A", "remove.alone@A"}));
}

TEST(RemoveNode, RefusalsByTable) {
  plans::Facts runs_there = both();
  runs_there["B"].vms["vm1"].state = RunState::running;
  plans::Facts unclear_there = both();
  unclear_there["B"].vms["vm1"].state = RunState::unknown;
  plans::Facts silent = both();
  silent.erase("B");
  VmRecord deleted = vm1();
  deleted.deleting = true;
  const ClusterState pair = with_vm1();
  const ClusterState deleting = with_vm1(deleted);
  const ClusterState local_there = pair_state({put_new(local_vm("vm2")), put_new(local_disk("vm2", "B"))});
  const ClusterState already = pair_state({put_setting(ClusterState(), removing_setting, "B")});
  const struct {
    const char* what;
    const ClusterState& state;
    plans::Facts facts;
    requests::RemoveNode request;
    ErrorCode code;
    const char* next;
  } cases[] = {
      {"no such node", pair, both(), of("C"), ErrorCode::not_found, "hvctl node list"},
      {"itself", pair, both(), of("A"), ErrorCode::bad_request, "on B: hvctl cluster remove-node --node A"},
      {"silent", pair, silent, of("B"), ErrorCode::peer_unreachable, "--dead"},
      {"guest there", pair, runs_there, of("B"), ErrorCode::guest_running, "hvctl vm stop vm1"},
      {"unclear guest there", pair, unclear_there, of("B"), ErrorCode::guest_running, "hvctl vm stop vm1"},
      {"disk there", local_there, both(), of("B"), ErrorCode::in_use, "hvctl vm delete vm2"},
      {"disk on the dead node", local_there, {}, of("B", true), ErrorCode::in_use, "hvctl vm delete vm2"},
      {"half deleted VM", deleting, both(), of("B"), ErrorCode::busy, "hvctl op list"},
      {"under way", already, both(), of("B"), ErrorCode::busy, "hvctl op list"},
  };
  for (const auto& item : cases) {
    const auto plan = plans::remove_node(item.state, item.facts, a, item.request);
    ASSERT_FALSE(plan.ok()) << item.what;
    EXPECT_EQ(plan.error().code(), item.code) << item.what << ": " << plan.error().to_text();
    EXPECT_NE(plan.error().next().find(item.next), std::string::npos) << item.what << ": " << plan.error().next();
  }
  // A disk of this node alone, and a guest that runs here, are nobody's business.
  plans::Facts runs_here = both();
  runs_here["A"].vms["vm1"].state = RunState::running;
  EXPECT_TRUE(plan_on_a(with_vm1(), runs_here).ok());
  EXPECT_TRUE(plan_on_a(pair_state({put_new(local_vm("vm2")), put_new(local_disk("vm2", "A"))}), both()).ok());
}

TEST(RemoveNode, OnlyWhatEndsAGuestBeginsMeanwhile) {
  const ClusterState removing = pair_state({put_setting(ClusterState(), removing_setting, "B")});
  for (const char* kind : {"vm-create", "vm-start", "migrate", "storage-create", "verify"}) {
    Plan plan;
    plan.kind = kind;
    EXPECT_EQ(plans::may_begin(removing, plan).error().code(), ErrorCode::busy) << kind;
    EXPECT_TRUE(plans::may_begin(pair_state(), plan).ok()) << kind;
  }
  for (const char* kind : {"vm-stop", "vm-kill", "vm-reset", plans::removal_kind}) {
    Plan plan;
    plan.kind = kind;
    EXPECT_TRUE(plans::may_begin(removing, plan).ok()) << kind;
  }
}

TEST(JoinAgain, EachVolumeGetsANewLegThatFollowsTheOneThatIsThere) {
  NodeRecord joiner = node("B", 2);
  ClusterState one = with_vm1();
  const Change change{"r", "", removal_mutations(one, *one.node(b), a, OperationId::trusted("A-9"), {1, "g", 1})};
  ASSERT_TRUE(one.apply(change, 2).ok());
  const Plan plan = plans::join(one, node("A", 1), joiner, Json::array());
  EXPECT_EQ(shape(plan), (Shape{"join.prepare@A", "join.pool@A", "!join.commit@A", "join.adopt@A", "join.corosync@A", "join.together@A", "volume.backing@B", "volume.configure@B",
                                "volume.pair@A", "volume.up@B", "volume.following@A"}));
  EXPECT_TRUE(plan.check().ok());
  for (const PlannedStep& step : plan.steps) {
    EXPECT_NE(step.action, "volume.identical") << "no leg with data is ever declared equal";
    EXPECT_FALSE(step.action == "volume.backing" && step.node == a) << "the leg that is there stays";
  }
  EXPECT_EQ(plan.lock_needs(), (std::vector<LockNeed>{{"cluster", false}, {"verify", false}, {"vm/vm1", false}}));
  // Without volumes a join is what it was.
  ClusterState blank;
  EXPECT_EQ(plans::join(blank, node("A", 1), joiner, Json::array()).lock_needs(), (std::vector<LockNeed>{{"cluster", false}}));
}

}  // namespace
}  // namespace mcv::test::removal_plan_test
