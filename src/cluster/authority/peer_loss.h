// SPDX-License-Identifier: Apache-2.0
// Whether the policy lets a node's own guests go on when the other node is lost. It gives no authority: no VM of the other node,
// no shared change.
#pragma once

#include <optional>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/model/observation.h"
#include "cluster/model/peer_loss_policy.h"

namespace mcv::authority {

struct Standpoint;

/// Two nodes that have lost each other may hold a change half each: committed on one, tentative on the other.
struct PeerLossView {
  PeerLoss here = PeerLoss::freeze;      ///< what this node acts by: run-alone only when nothing here says otherwise
  PeerLoss at_peer = PeerLoss::freeze;   ///< what the other one may act by: freeze only when nothing here says otherwise
  friend bool operator==(const PeerLossView&, const PeerLossView&) = default;
};
/// `tentative`: the entry as a generation of now would find it.
PeerLossView peer_loss_view(const ClusterState& committed, const std::optional<Json>& tentative);

/// Whether this node's guests may go on with this volume while the other node is lost, by policy: its own VM's, and a copy that
/// was current when they lost each other. After a reboot without contact nothing says that any more.
bool may_run_alone(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

}  // namespace mcv::authority
