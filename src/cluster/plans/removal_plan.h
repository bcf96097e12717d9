// SPDX-License-Identifier: Apache-2.0
// A node leaves the cluster for good. Pure.
#pragma once

#include "cluster/model/cluster_state.h"
#include "cluster/plan/plan.h"
#include "cluster/plans/vm_plans.h"
#include "cluster/requests/requests.h"

namespace mcv::plans {

/// The live peer: refused while a guest or a local disk is there, or it does not answer. With `request.dead` only what the
/// configuration says is asked here: authority and freshness are asked by the caller, and again by the committing step.
Result<Plan> remove_node(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::RemoveNode& request);
/// What may be submitted while a node is being removed: only what ends a guest.
Status may_begin(const ClusterState& state, const Plan& plan);
/// The kind of remove_node's plans.
inline constexpr const char* removal_kind = "cluster-remove-node";

}  // namespace mcv::plans
