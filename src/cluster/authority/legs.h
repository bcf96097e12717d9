// SPDX-License-Identifier: Apache-2.0
// What is to be done with one leg now. Asked again after every change, so each answer is one small step.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

enum class LegStep {
  leave,
  disconnect,  ///< nobody goes on alone, and no loser is thawed, on a leg that can reconnect by itself
  connect,     ///< both daemons agree on the generation: the other leg may have the data
  resume_io,   ///< held by fencing, with authority and freshness: the kernel does not ask again
  run_alone,   ///< held by fencing, the other node is lost, and the policy says that its own guests go on: the record, then resume
  ask_consent, ///< held by fencing although the other daemon is there: it may let this node go on
};
std::string_view to_text(LegStep step);

struct LegQuestion {
  const Standpoint& standpoint;
  VolumeName volume;
  NodeName owner;                           ///< of its VM
  const VolumeFacts* here = nullptr;        ///< nullptr: not configured in the kernel
  const VolumeFacts* at_peer = nullptr;     ///< as the peer's daemon told; nullptr: it did not
  bool taken_apart_here = false;            ///< this daemon disconnected it
  bool kernel_has_asked = false;            ///< and had its answer: it does not ask twice
};

LegStep next_leg_step(const LegQuestion& question);

/// Whether a leg that comes up must not look for the other one yet.
bool must_stay_apart(const Standpoint& standpoint, const VolumeName& volume, const NodeName& owner, const VolumeFacts* facts);

/// Own alone-since that is over: both copies are equal, or the volume is gone. Nothing while the daemons do not agree.
std::vector<VolumeName> to_withdraw(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// Guests that run here although the other node, which decided without this one, owns them now.
std::vector<VmName> lost_guests(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VmFacts>& guests);

}  // namespace mcv::authority
