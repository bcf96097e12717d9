// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/legs.h"

#include <algorithm>

namespace mcv::authority {
namespace {

/// This node's leg is written to, or would be, although the VM was taken over by the other node.
bool is_lost(const Standpoint& standpoint, const NodeName& owner, const VolumeFacts& here) {
  return here.role == DiskRole::primary && owner != standpoint.self && peer_decided_last(standpoint);
}

bool may_connect(const LegQuestion& question) {
  if (question.standpoint.link != LinkState::together || question.at_peer == nullptr) return false;
  if (question.here->role == DiskRole::primary) return question.owner == question.standpoint.self && question.at_peer->role == DiskRole::secondary;
  return question.at_peer->role == DiskRole::secondary || (question.at_peer->role == DiskRole::primary && question.owner == question.standpoint.peer);
}

/// Only on a leg that could reconnect: one that stands alone is connected first, so that each attempt begins and ends there.
bool wants_consent(const LegQuestion& question) {
  const VolumeFacts& here = *question.here;
  return question.kernel_has_asked && here.suspended.words() == "fencing" && here.role == DiskRole::primary && here.disk == DiskState::up_to_date &&
         here.connection == ConnectionState::connecting && may_ask_for_consent(question.standpoint, question.volume, question.owner, question.here).ok();
}

/// Of a loss that the kernel asked about in vain: it asks no more.
bool wants_to_run_alone(const LegQuestion& question) {
  const VolumeFacts& here = *question.here;
  return question.kernel_has_asked && here.suspended.words() == "fencing" && here.role == DiskRole::primary && may_run_alone(question.standpoint, question.volume, question.here);
}

bool may_resume(const LegQuestion& question) {
  const VolumeFacts& here = *question.here;
  return here.suspended.words() == "fencing" && here.role == DiskRole::primary && here.disk == DiskState::up_to_date && question.owner == question.standpoint.self &&
         may_act_alone(question.standpoint) && freshness(question.standpoint, question.volume, question.here) == Freshness::fresh;
}

}  // namespace

std::string_view to_text(LegStep step) {
  switch (step) {
    case LegStep::leave: return "leave";
    case LegStep::disconnect: return "disconnect";
    case LegStep::connect: return "connect";
    case LegStep::resume_io: return "resume-io";
    case LegStep::run_alone: return "run-alone";
    case LegStep::ask_consent: return "ask-consent";
  }
  return "leave";
}

LegStep next_leg_step(const LegQuestion& question) {
  if (question.here == nullptr || question.here->disk == DiskState::diskless || question.here->disk == DiskState::attaching) return LegStep::leave;
  const VolumeFacts& here = *question.here;
  // A connected leg proves that the other kernel lives: whoever decided, the data is where both can see it.
  if (here.connection == ConnectionState::connected) return LegStep::leave;
  const bool alone = question.standpoint.link == LinkState::alone;
  if (alone || is_lost(question.standpoint, question.owner, here)) {
    if (here.connection != ConnectionState::standalone) return LegStep::disconnect;
    return alone && may_resume(question) ? LegStep::resume_io : LegStep::leave;
  }
  // Standing alone first: a tool that is late must not thaw what is held after a later loss.
  if (wants_to_run_alone(question)) return here.connection == ConnectionState::standalone ? LegStep::run_alone : LegStep::disconnect;
  if (wants_consent(question)) return LegStep::ask_consent;
  // Only what this node took apart: a leg that stands alone for another reason is a person's business.
  const Standpoint& standpoint = question.standpoint;
  const bool by_consent = standpoint.consents.stands(standpoint.self, question.volume) || standpoint.consents.stands(standpoint.peer, question.volume);
  const bool ours = question.taken_apart_here || by_consent || standpoint.ledger.stands(standpoint.self, question.volume);
  if (here.connection == ConnectionState::standalone && ours && may_connect(question)) return LegStep::connect;
  return LegStep::leave;
}

bool must_stay_apart(const Standpoint& standpoint, const VolumeName& volume, const NodeName& owner, const VolumeFacts* facts) {
  if (standpoint.link == LinkState::alone) return true;
  if (facts != nullptr && facts->connection != ConnectionState::connected && is_lost(standpoint, owner, *facts)) return true;
  return standpoint.link != LinkState::together && standpoint.ledger.went_on(standpoint.self, volume);
}

std::vector<VolumeName> to_withdraw(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  std::vector<VolumeName> done;
  if (standpoint.link != LinkState::together) return done;
  for (const VolumeName& volume : standpoint.ledger.standing(standpoint.self)) {
    const auto facts = here.find(volume.str());
    const bool gone = !is_replicated(state, volume);
    const bool equal = facts != here.end() && facts->second.redundant() && facts->second.replication == ReplicationState::established;
    if (gone || equal) done.push_back(volume);
  }
  return done;
}

std::vector<VmName> lost_guests(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VmFacts>& guests) {
  std::vector<VmName> lost;
  if (!peer_decided_last(standpoint)) return lost;
  for (const VmRecord& vm : state.vms()) {
    if (vm.owner == standpoint.self) continue;
    const auto found = guests.find(vm.name.str());
    if (found != guests.end() && found->second.state != RunState::stopped) lost.push_back(vm.name);
  }
  return lost;
}

}  // namespace mcv::authority
