// SPDX-License-Identifier: Apache-2.0
// DRBD gave one copy's disk up (an I/O error below it, a pool that is full) and goes on with the other copy alone, without a word to
// anybody. The metadata of what it gave up still call it current: after a reboot the kernel attaches it Consistent
// (docs/adr/0016), and takes any word that the other node is off. So both nodes write down which copy is left behind, each in its own
// store, and that ends when both copies are connected and equal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

/// Replicated volumes whose disk here was given up while the other one is current: this node sets its copy aside, as by consent. Not
/// one whose other copy was set aside itself: connected to a leg without a disk the kernel calls any copy current.
std::vector<VolumeName> lost_here(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// Replicated volumes whose disk on the other node was given up while the one here is current: this node's copy is the only one with
/// what is written from now on.
std::vector<VolumeName> lost_there(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// A leg that is connected is opened on the newest copy there is. Where that one has no disk now, nobody opens anything: the kernel
/// would show what the other copy holds. `not_up_to_date`.
Status newest_is_attached(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* here);

}  // namespace mcv::authority
