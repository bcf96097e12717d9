// SPDX-License-Identifier: Apache-2.0
// What one node tells the other before a join. Pure values and their JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/model/records.h"

namespace mcv::join {

struct JoinFacts {
  NodeRecord node;
  std::string version;                       ///< of mcv, "0.1.0"
  std::uint64_t format = 1;                  ///< the newest of the shared configuration that its build knows
  std::uint64_t written_format = 1;          ///< of its shared configuration
  std::int64_t wall_seconds = 0;             ///< for the clock skew check only
  bool in_cluster = false;
  std::vector<std::string> own_objects;      ///< what a join would replace: "2 VMs", "1 network"; empty = blank
  bool foreign_corosync = false;             ///< a corosync.conf that mcv did not write
  std::vector<std::string> foreign_drbd;     ///< DRBD resources that are not mcv's
  std::string drbd_version;                  ///< of the kernel module, empty = not loadable
  std::string cpu_model;
  std::vector<std::string> cpu_flags;
  std::vector<std::string> addresses;        ///< literal addresses of local interfaces
  std::uint32_t cluster_mtu = 0;             ///< of the interface that carries the cluster address; 0 = unknown
  std::map<std::string, Bytes> thin_pools;   ///< "vg0/mcv-fast" -> its size
  std::uint32_t drbd_mtu = 0;                ///< of the interface that carries the replication address; 0 = unknown
  std::optional<bool> reaches_drbd;          ///< something answered at the other node's own replication address; not tried without one
  bool calls_back = false;                   ///< the asked node reached the asking one on its peer port
  NodeFacts facts;
};

/// What this configuration holds that its operator made; nodes and settings are not counted.
std::vector<std::string> own_objects(const ClusterState& state);

Json to_json(const JoinFacts& facts);
Result<JoinFacts> join_facts_from_json(const Json& json);

}  // namespace mcv::join
