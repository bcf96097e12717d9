// SPDX-License-Identifier: Apache-2.0
// A healthy pair with one replicated VM, for tests of planners. Each test spoils one thing.
#pragma once

#include "cluster/model/cluster_state.h"
#include "cluster/plans/vm_plans.h"

namespace mcv::test {

inline NodeRecord node(const char* name, std::uint32_t id) {
  NodeRecord record;
  record.name = NodeName::trusted(name);
  record.id = id;
  record.cluster_address = id == 1 ? "10.77.0.11" : "10.77.0.12";
  return record;
}

inline VmRecord vm1() {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.uuid = "00000000-0000-4000-8000-000000000001";
  vm.owner = NodeName::trusted("A");
  vm.memory = Bytes::mib(128);
  vm.volumes = {VolumeName::trusted("vm1-0")};
  vm.nics = {{NetworkName::trusted("lan"), "52:54:00:00:00:01"}};
  vm.boot.kernel = "/boot/k";
  return vm;
}

inline VolumeRecord vm1_disk() {
  VolumeRecord volume;
  volume.name = VolumeName::trusted("vm1-0");
  volume.vm = VmName::trusted("vm1");
  volume.pool = PoolName::trusted("fast");
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(256);
  return volume;
}

inline ClusterState pair_state(std::vector<Mutation> more = {}) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {}};
  NetworkRecord lan{NetworkName::trusted("lan"), "br0"};
  Change change{"c", "fixture", {put_new(node("A", 1)), put_new(node("B", 2)), put_new(pool), put_new(lan), put_setting(state, "drbd", "enabled")}};
  change.mutations.insert(change.mutations.end(), more.begin(), more.end());
  if (!state.apply(change, 1).ok()) std::abort();
  return state;
}

inline ClusterState with_vm1(VmRecord vm = vm1(), VolumeRecord volume = vm1_disk()) { return pair_state({put_new(vm), put_new(volume)}); }

inline NodeFacts facts_of(const char* name) {
  NodeFacts facts;
  facts.name = NodeName::trusted(name);
  facts.cpus = 2;
  facts.memory_total = facts.memory_available = Bytes::gib(2);
  facts.bridges = {"br0"};
  facts.volume_group_free = {{"vg0", Bytes::gib(20)}};
  facts.files_sha256 = {{"/boot/k", "aa"}};
  facts.hypervisors = {"qemu"};
  facts.kvm = true;
  VolumeFacts disk;
  disk.role = disk.peer_role = DiskRole::secondary;
  disk.disk = disk.peer_disk = DiskState::up_to_date;
  disk.connection = ConnectionState::connected;
  disk.replication = ReplicationState::established;
  facts.volumes = {{"vm1-0", disk}};
  return facts;
}

inline plans::Facts both() { return {{"A", facts_of("A")}, {"B", facts_of("B")}}; }

/// "action@node" of each step, the committing one with a '!'.
inline std::vector<std::string> shape(const Plan& plan) {
  std::vector<std::string> steps;
  for (const PlannedStep& step : plan.steps) steps.push_back((step.commits ? "!" : "") + step.action + "@" + step.node.str());
  return steps;
}

}  // namespace mcv::test
