// SPDX-License-Identifier: Apache-2.0
// May this node go on for good without the other one? Pure.
#pragma once

#include <map>
#include <string>

#include "cluster/authority/peer_paths.h"
#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

/// The other one is gone for good: by the same proof as a take-over, for every volume there is. Asked again by the step that
/// commits.
struct DeadRemoval {
  const Standpoint& standpoint;
  const ClusterState& state;
  const std::map<std::string, VolumeFacts>& here;
  PathsToPeer paths;  ///< asked just now
};
Status may_remove_dead(const DeadRemoval& question);

/// The other one lives and hands over: every copy here must be whole, and nobody may have gone on with another one.
Status copies_may_stay_alone(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

}  // namespace mcv::authority
