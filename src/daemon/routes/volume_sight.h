// SPDX-License-Identifier: Apache-2.0
// What the views and the warnings say of a volume alike. Pure.
#pragma once

#include <optional>
#include <string>

#include "cluster/access/decision.h"
#include "cluster/model/cluster_state.h"
#include "cluster/model/lost_disk.h"
#include "cluster/model/older_copy.h"
#include "cluster/plans/vm_plans.h"

namespace mcv {
class VerifyGate;
}

namespace mcv::views {

/// Why the volume's VM neither starts nor moves; empty while it may.
std::string gate_text(const VolumeRecord& volume, const VerifyGate& gate);
/// Null for a node that did not answer, and for a volume it does not have.
const VolumeFacts* seen_on(const NodeName& node, const VolumeName& volume, const plans::Facts& facts);
/// The copy that is older, as DRBD on `node` says.
std::optional<OlderCopy> older_seen_by(const ClusterState& state, const NodeName& node, const VolumeName& volume, const VolumeFacts* seen);
/// The disk that DRBD gave up, as it says on `node`.
std::optional<LostDisk> lost_seen_by(const ClusterState& state, const NodeName& node, const VolumeRecord& volume, const VolumeFacts* seen);
/// The networks that VMs which are seen are on.
bool is_used(const ClusterState& state, const NetworkName& network, const access::Sight& sight);
/// The pools that disks which are seen lie in.
bool is_used(const ClusterState& state, const PoolName& pool, const access::Sight& sight);

}  // namespace mcv::views
