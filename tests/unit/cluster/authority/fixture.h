// SPDX-License-Identifier: Apache-2.0
// Node A, which lost B after both had been equal, and had an operator say so. Each test spoils one thing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cluster/authority/peer_paths.h"
#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority::test {

inline const NodeName node_a = NodeName::trusted("A");
inline const NodeName node_b = NodeName::trusted("B");
inline const VolumeName disk = VolumeName::trusted("vm1-0");
inline const VmName vm1 = VmName::trusted("vm1");

inline GenerationRecord generation(std::uint64_t counter, const char* taken_by) {
  GenerationRecord record;
  record.ref = {counter, "uuid-" + std::to_string(counter) + taken_by};
  record.taken_by = taken_by;
  record.proof = counter == 1 ? "initialised" : "confirm-down";
  return record;
}

inline AloneSince alone_since(const GenerationRecord& record, std::vector<VolumeName> volumes, const char* boot = "boot-1") {
  return {record.ref, 7, "confirm-down", boot, "root", std::move(volumes)};
}

/// Records of both nodes, numbered in the order they are added.
class Records {
 public:
  Records& since(const NodeName& node, const AloneSince& body) { return add(since_, node, body.to_json()); }
  Records& withdrawn(const NodeName& node, const std::vector<VolumeName>& volumes) { return add(withdrawn_, node, withdrawal_to_json(volumes)); }
  Records& unreadable(const NodeName& node) { return add(since_, node, Json("torn")); }
  Records& consent(const NodeName& node, const NodeName& to, const VolumeName& volume) { return add(consents_, node, Consent{volume, to, generation(1, "A").ref, 7, "boot-1"}.to_json()); }
  Records& consent_unreadable(const NodeName& node) { return add(consents_, node, Json("torn")); }
  Records& consent_withdrawn(const NodeName& node, const std::vector<VolumeName>& volumes) { return add(consents_withdrawn_, node, withdrawal_to_json(volumes)); }
  ConsentLedger consents() const { return ConsentLedger(consents_, consents_withdrawn_); }
  AloneLedger ledger() const { return AloneLedger(since_, withdrawn_); }

 private:
  Records& add(std::vector<NodeOwnedRecord>& list, const NodeName& node, Json body) {
    list.push_back({node.str(), "stream-" + node.str(), ++number_, "", std::move(body)});
    return *this;
  }
  std::vector<NodeOwnedRecord> since_, withdrawn_, consents_, consents_withdrawn_;
  std::uint64_t number_ = 0;
};

/// Nothing of B answers.
inline PathsToPeer silence() {
  PathsToPeer paths;
  paths.in_membership = false;
  return paths;
}

/// B is away, nobody said anything yet.
inline Standpoint apart() {
  Standpoint standpoint;
  standpoint.self = node_a;
  standpoint.peer = node_b;
  standpoint.link = LinkState::apart;
  standpoint.generations = {generation(1, "A")};
  standpoint.boot = "boot-1";
  return standpoint;
}

/// B was confirmed down, and vm1-0 is covered.
inline Standpoint alone() {
  Standpoint standpoint = apart();
  standpoint.link = LinkState::alone;
  standpoint.generations.push_back(generation(2, "A"));
  standpoint.ledger = Records().since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
  return standpoint;
}

/// Both daemons agree, and only the copies have lost each other. B is asked for a volume of A's.
inline Standpoint asked() {
  Standpoint standpoint = apart();
  std::swap(standpoint.self, standpoint.peer);
  standpoint.link = LinkState::together;
  standpoint.peer_in_group = true;
  return standpoint;
}

/// A, whose copy goes on.
inline Standpoint asking() {
  Standpoint standpoint = asked();
  std::swap(standpoint.self, standpoint.peer);
  return standpoint;
}

/// A held Primary that stands alone.
inline VolumeFacts held() {
  VolumeFacts facts;
  facts.role = DiskRole::primary;
  facts.disk = DiskState::up_to_date;
  facts.connection = ConnectionState::standalone;
  facts.suspended = IoHold::parse("fencing");
  return facts;
}

inline VolumeFacts leg(DiskRole role, ConnectionState connection, DiskState state = DiskState::up_to_date) {
  VolumeFacts facts;
  facts.role = role;
  facts.disk = state;
  facts.connection = connection;
  if (connection == ConnectionState::connected) {
    facts.peer_disk = DiskState::up_to_date;
    facts.replication = ReplicationState::established;
  }
  return facts;
}

inline ClusterState state_with_vm1(const NodeName& owner) {
  ClusterState state;
  PoolRecord pool;
  pool.name = PoolName::trusted("fast");
  pool.volume_group = "vg0";
  NodeRecord first, second;
  first.name = node_a;
  second.name = node_b;
  second.id = 2;
  VmRecord vm;
  vm.name = vm1;
  vm.owner = owner;
  vm.volumes = {disk};
  VolumeRecord volume;
  volume.name = disk;
  volume.vm = vm1;
  volume.pool = pool.name;
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(64);
  const Change change{"c", "fixture", {put_new(first), put_new(second), put_new(pool), put_new(vm), put_new(volume)}};
  const Status applied = state.apply(change, 1);
  if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
  return state;
}

}  // namespace mcv::authority::test
