// SPDX-License-Identifier: Apache-2.0
// From state, facts and request to a plan or the reason why not. Pure; also what --dry-run prints.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/plan/plan.h"
#include "cluster/requests/requests.h"

namespace mcv::plans {

/// Facts by node name; a node that did not answer is absent.
using Facts = std::map<std::string, NodeFacts>;

/// Chosen by chance outside, so that planning stays pure.
struct VmIdentity {
  std::string uuid;
  std::vector<std::string> macs;  ///< one per network of the request
};

Result<Plan> create_vm(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::CreateVm& request, const VmIdentity& identity);
Result<Plan> delete_vm(const ClusterState& state, const Facts& facts, const VmName& name);

/// `facts` of the owner decides; the start checks were passed by the caller (hv/start_checks.h).
Result<Plan> start_vm(const ClusterState& state, const VmName& name);
Result<Plan> stop_vm(const ClusterState& state, const VmName& name, const requests::StopVm& request);
Result<Plan> kill_vm(const ClusterState& state, const VmName& name);
Result<Plan> reset_vm(const ClusterState& state, const VmName& name);
/// After a guest turned itself off: taps removed, volumes demoted.
Result<Plan> release_vm(const ClusterState& state, const VmName& name);
/// The change a `vm update` makes. `vm_locked` unless it unlocks.
Result<Mutation> update_vm(const ClusterState& state, const VmName& name, const requests::UpdateVm& request, const std::string& user);

}  // namespace mcv::plans
