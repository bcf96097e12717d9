// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/attach_plan.h"

#include <gtest/gtest.h>

namespace mcv::plans::attach_plan_test {
namespace {

const NodeName a = NodeName::trusted("A");
const NodeName b = NodeName::trusted("B");
const VolumeName disk0 = VolumeName::trusted("vm1-0");
const VolumeName disk1 = VolumeName::trusted("vm1-1");

struct World {
  ClusterState state;
  Facts facts;
  requests::AttachDisks request;
  std::map<VolumeName, NodeName> newest;

  World() {
    NodeRecord first, second;
    first.name = a;
    second.name = b;
    second.id = 2;
    PoolRecord pool;
    pool.name = PoolName::trusted("fast");
    pool.volume_group = "vg0";
    VmRecord vm;
    vm.name = VmName::trusted("vm1");
    vm.owner = a;
    vm.volumes = {disk0, disk1};
    std::vector<Mutation> made = {put_new(first), put_new(second), put_new(pool), put_new(vm)};
    for (const VolumeName& name : vm.volumes) {
      VolumeRecord volume;
      volume.name = name;
      volume.vm = vm.name;
      volume.pool = pool.name;
      volume.kind = VolumeKind::drbd;
      volume.size = Bytes::mib(64);
      made.push_back(put_new(volume));
    }
    const Status applied = state.apply(Change{"c", "fixture", std::move(made)}, 1);
    if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
    for (const NodeName& node : {a, b}) {
      NodeFacts there;
      there.name = node;
      for (const VolumeName& name : {disk0, disk1}) there.volumes[name.str()] = leg(DiskState::up_to_date, DiskState::up_to_date);
      facts[node.str()] = std::move(there);
    }
  }
  static VolumeFacts leg(DiskState here, DiskState there) {
    VolumeFacts seen;
    seen.role = DiskRole::secondary;
    seen.disk = here;
    seen.peer_disk = there;
    seen.connection = ConnectionState::connected;
    seen.replication = ReplicationState::established;
    return seen;
  }
  void lose(const NodeName& node, const VolumeName& name) {
    facts.at(node.str()).volumes.at(name.str()).disk = DiskState::diskless;
    const NodeName& other = node == a ? b : a;
    if (facts.contains(other.str())) facts.at(other.str()).volumes.at(name.str()).peer_disk = DiskState::diskless;
  }
  Result<Plan> plan() const { return attach_disks({state, facts, *state.vm(VmName::trusted("vm1")), request, newest}); }
  ErrorCode refusal() const {
    const auto made = plan();
    if (made.ok()) return ErrorCode::internal;
    EXPECT_FALSE(made.error().next().empty()) << made.error().to_text();
    return made.error().code();
  }
};

TEST(AttachPlan, OneStepOnTheNodeThatLostIt) {
  World world;
  world.lose(b, disk1);
  const auto plan = world.plan();
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  ASSERT_EQ(plan->steps.size(), 1u);
  EXPECT_EQ(plan->steps[0].action, "drbd.attach");
  EXPECT_EQ(plan->steps[0].node, b);
  EXPECT_EQ(plan->object, "vm/vm1");
  EXPECT_FALSE(plan->steps[0].params.at("is_newest").get<bool>());
}

TEST(AttachPlan, TheNewestFirstWhereBothLostIt) {
  World world;
  world.lose(a, disk0);
  world.lose(b, disk0);
  EXPECT_EQ(world.refusal(), ErrorCode::not_up_to_date) << "which one was behind is not known";
  world.newest[disk0] = b;
  const auto plan = world.plan();
  ASSERT_TRUE(plan.ok()) << plan.error().to_text();
  ASSERT_EQ(plan->steps.size(), 2u);
  EXPECT_EQ(plan->steps[0].node, b);
  EXPECT_TRUE(plan->steps[0].params.at("is_newest").get<bool>());
  EXPECT_EQ(plan->steps[1].node, a);
  EXPECT_FALSE(plan->steps[1].params.at("is_newest").get<bool>());
}

TEST(AttachPlan, Refusals) {
  World whole;
  EXPECT_EQ(whole.refusal(), ErrorCode::bad_request) << "nothing was lost";
  World other_disk;
  other_disk.lose(b, disk1);
  other_disk.request.volumes = {disk0};
  EXPECT_EQ(other_disk.refusal(), ErrorCode::bad_request);
  other_disk.request.volumes = {VolumeName::trusted("vm2-0")};
  EXPECT_EQ(other_disk.refusal(), ErrorCode::not_found);
  World silent;
  silent.lose(b, disk0);
  silent.facts.erase("B");
  EXPECT_EQ(silent.refusal(), ErrorCode::peer_unreachable);
  World apart;
  apart.lose(b, disk0);
  apart.facts.at("B").volumes.at("vm1-0").connection = ConnectionState::connecting;
  EXPECT_EQ(apart.refusal(), ErrorCode::not_up_to_date);
}

}  // namespace
}  // namespace mcv::plans::attach_plan_test
