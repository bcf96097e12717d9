// SPDX-License-Identifier: Apache-2.0
// Plans of verifies, and how several of them go together. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/plan/operation_state.h"
#include "cluster/plan/plan.h"
#include "cluster/requests/requests.h"

namespace mcv::plans {

/// Plan::kind of a verify.
inline constexpr const char* verify_kind = "verify";

/// As many volumes a step as the cluster's setting says, the large ones together. `asked_by` is for the history.
Result<Plan> verify(const ClusterState& state, const NodeName& here, const requests::Verify& request, const std::string& asked_by);

/// Each once.
std::vector<VmName> vms_compared(const Plan& plan);

/// One of the unfinished verifies (oldest first) that answers `wanted` as well: it compares everything that is asked for. A timer
/// takes a result of that run, whenever in it the volume was compared; a person takes only one that is still to come.
std::optional<OperationId> verify_to_join(const std::vector<OperationState>& unfinished, const Plan& wanted, bool scheduled);
/// The one that goes before `own`: the oldest, until it has ended.
std::optional<OperationId> verify_before(const std::vector<OperationState>& unfinished, const OperationId& own);

}  // namespace mcv::plans
