// SPDX-License-Identifier: Apache-2.0
// /etc/corosync/corosync.conf as a pure function of the shared configuration.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/random.h"
#include "cluster/model/cluster_state.h"

namespace mcv {

constexpr std::string_view corosync_conf_path = "/etc/corosync/corosync.conf";
constexpr std::string_view corosync_key_path = "/etc/corosync/authkey";

/// Peer loss is seen after about token + consensus: 2.2 s with these, measured (anchors 5.3). The settings
/// "corosync.token_ms" and "corosync.consensus_ms" change them.
struct CorosyncTimers {
  std::chrono::milliseconds token{1000};
  std::chrono::milliseconds consensus{1200};
};

struct CorosyncNode {
  std::uint32_t id = 0;
  std::string name;
  std::string address;  ///< literal, on the cluster link
};

struct CorosyncConfig {
  std::vector<CorosyncNode> nodes;
  CorosyncTimers timers;
  std::uint64_t version = 1;  ///< corosync refuses a peer with another one: equal on both nodes by construction
};

/// From the records and settings. The version is the log index of the youngest record it comes from.
/// `bad_request` unless there are two nodes with distinct ids and addresses and sensible timers.
Result<CorosyncConfig> corosync_config_of(const ClusterState& state);

/// Two nodes, knet, encrypted. two_node gives availability, never safety (DESIGN 5); wait_for_all keeps a node that
/// booted alone from being quorate.
std::string render_corosync_conf(const CorosyncConfig& config);

/// The shared key of the transport: 256 random bytes, raw.
std::string make_corosync_key(host::Random& random);

}  // namespace mcv
