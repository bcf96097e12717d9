// SPDX-License-Identifier: Apache-2.0
// One thing that belongs to nothing is removed, because a person named it. Pure.
#pragma once

#include <string>
#include <vector>

#include "cluster/model/pending_delete.h"
#include "cluster/plans/steps.h"

namespace mcv::plans {

/// `made_by`: the operations that made it; what another one made meanwhile under its name stays. Nobody makes a VM of that name
/// meanwhile on this node. `state`: what was deleted while the node was away is forgotten with it, so that its name is free at once.
Plan delete_orphan(const ClusterState& state, const NodeName& node, const std::string& name, const std::vector<std::string>& made_by, const std::vector<std::string>& parts);

/// What was deleted while its node was away: on that node, then its record goes. `vm_is_gone`: nothing of its guest is needed any more.
Plan late_delete(const PendingDelete& pending, bool vm_is_gone);

}  // namespace mcv::plans
