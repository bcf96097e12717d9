// SPDX-License-Identifier: Apache-2.0
// Repair (DESIGN 6): who is right, what is copied, and the plan that never touches the good copy. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/plans/steps.h"
#include "cluster/plans/vm_plans.h"

namespace mcv::plans {

/// Who wrote last, as far as records and both kernels say it with one voice.
struct SourceAdvice {
  std::optional<NodeName> node;
  std::string reason;  ///< why it is that one, or why nobody can tell
};
SourceAdvice advise_source(const ClusterState& state, const Facts& facts, const VolumeRecord& volume);

/// One volume of the answer, as it is shown before anything is done.
struct ResyncPart {
  ResyncLeg leg;
  bool advised = false;   ///< the source is the one the records name
  std::string reason;
};

/// What would be copied; every reason against it is an error. Volumes without a mark are left out unless all is copied.
/// `not_confirmed` where the records name no source and the request neither.
Result<std::vector<ResyncPart>> resync_parts(const ClusterState& state, const Facts& facts, const VmRecord& vm, const requests::ResyncVm& request);

/// Snapshots and open sources for all volumes first, then the point of no return. Ends when the copying has begun: from then on
/// it is the kernel's, and the VM is free.
Plan resync(const VmRecord& vm, const NodeName& coordinator, const std::vector<ResyncPart>& parts);
/// Waits for what is being copied. Its cancel ends the waiting, not the copy.
Result<Plan> follow_resync(const ClusterState& state, const VmRecord& vm, const NodeName& here);

}  // namespace mcv::plans
