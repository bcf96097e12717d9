// SPDX-License-Identifier: Apache-2.0
// Plans about the pair: storage pools, replication, join. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/plan/plan.h"
#include "cluster/plans/vm_plans.h"
#include "cluster/requests/requests.h"

namespace mcv::plans {

/// Plan::kind of a join.
inline constexpr const char* join_kind = "cluster-add-node";

Result<Plan> create_pool(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::CreatePool& request);
Result<Plan> delete_pool(const ClusterState& state, const NodeName& here, const PoolName& name);
Result<Plan> enable_drbd(const ClusterState& state, const NodeName& here);
Result<Mutation> create_network(const ClusterState& state, const Facts& facts, const requests::CreateNetwork& request);
Result<Mutation> delete_network(const ClusterState& state, const NetworkName& name);

/// `joiner` carries id 2. One record on `here` is the point of no return: before it both undo, after it both finish.
/// `suitability` is shown with the result.
Plan join(const ClusterState& state, const NodeRecord& here, const NodeRecord& joiner, Json suitability);

Result<Mutation> set_peer_loss(const ClusterState& state, PeerLoss policy);
/// What `hvctl cluster update` names, each a setting.
Result<std::vector<Mutation>> update_cluster(const ClusterState& state, const requests::UpdateCluster& request);
/// In words, for the journal.
std::string summary_of(const requests::UpdateCluster& request);
/// A join that begins with the policy, when one is given. A policy that was set before is not changed on the way: an undo
/// could not bring it back.
Result<Plan> with_peer_loss(Plan join, const ClusterState& state, const NodeName& here, std::optional<PeerLoss> policy);

}  // namespace mcv::plans
