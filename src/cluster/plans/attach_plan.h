// SPDX-License-Identifier: Apache-2.0
// Disks that DRBD gave up are attached again (docs/adr/0016). Pure.
#pragma once

#include <map>
#include <vector>

#include "cluster/plans/steps.h"
#include "cluster/plans/vm_plans.h"

namespace mcv::plans {

struct AttachQuestion {
  const ClusterState& state;
  const Facts& facts;                            ///< of both nodes
  const VmRecord& vm;
  const requests::AttachDisks& request;
  std::map<VolumeName, NodeName> newest;         ///< whose copy the records call the only one that has everything; absent: none does
};

/// One step per disk that was lost, the newest copy first. It ends when the copying has begun: from then on it is the kernel's, and the
/// VM is free. Every reason against it is an error; `bad_request` where no disk is lost.
Result<Plan> attach_disks(const AttachQuestion& question);

}  // namespace mcv::plans
