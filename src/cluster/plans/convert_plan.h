// SPDX-License-Identifier: Apache-2.0
// The disks of a stopped VM become replicated where they are, or local again. Pure.
#pragma once

#include <functional>

#include "cluster/plans/steps.h"
#include "cluster/plans/vm_plans.h"

namespace mcv::plans {

struct ConvertQuestion {
  const ClusterState& state;
  const Facts& facts;                                     ///< of both nodes
  const VmRecord& vm;
  VolumeKind kind = VolumeKind::drbd;                     ///< that they are to be
  std::function<bool(const VolumeName&)> is_suspect = {}; ///< a verify of it saw differences and did not end
};

/// To replicated: DRBD's metadata go on a small volume beside the data, which is not moved; the other node gets an empty leg, and the
/// plan ends when it is being copied. Nothing is final before: a failure undoes all of it. To local: only while both copies are equal; the
/// owner's stays, from the commit on. Every reason against it is an error.
Result<Plan> convert_vm(const ConvertQuestion& question);

}  // namespace mcv::plans
