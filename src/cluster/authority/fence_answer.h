// SPDX-License-Identifier: Apache-2.0
// What the kernel is told when it asks whether the other node's copy may be taken for outdated.
#pragma once

#include "cluster/authority/standpoint.h"

namespace mcv::authority {

/// Exit codes of fence-peer (DRBD 8.4). Only those mcvd ever gives.
enum class FenceAnswer : int {
  hold = 1,              ///< no answer: I/O stays held, a promotion is refused
  peer_outdated = 4,     ///< by the other node's consent: its copy is set aside
  peer_unreachable = 5,  ///< the kernel takes the other copy for outdated if this disk is UpToDate
  peer_powered_off = 7,  ///< ... whatever this disk is
};

/// Pure, from this node's durable facts and the last state of the leg; consent is asked for when this holds.
/// `facts` is nullptr when the leg is not known.
FenceAnswer answer_fence_peer(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

/// Whether this leg may be opened for writing as far as mcvd is concerned; the kernel asks by itself when it has doubts. It has
/// none after a reboot if its metadata call the other copy outdated, and once that was only our own word for it.
bool may_promote(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

}  // namespace mcv::authority
