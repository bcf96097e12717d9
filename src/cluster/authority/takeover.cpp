// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/takeover.h"

#include <fmt/format.h>

#include "cluster/authority/acceptance.h"
#include "cluster/authority/confirm_down.h"

namespace mcv::authority {

std::string deciding_command(const Standpoint& standpoint) {
  const std::string& peer = standpoint.peer.str();
  if (is_away(standpoint)) {
    const std::string back = fmt::format("switch {} on, or bring the link to it back: this node then takes part again by itself (hvctl info shows it)", peer);
    // A machine that is going down decides nothing.
    return is_leaving_now(standpoint) ? back : fmt::format("{}; only if {} is lost for good: hvctl cluster confirm-down {}", back, peer, peer);
  }
  return fmt::format("bring {} or the link to it back; only if {} is powered off: hvctl cluster confirm-down {}", peer, peer, peer);
}

namespace {

std::string next_of(const VolumeName& volume, const std::string& peer, Freshness reason, const VolumeFacts* here) {
  const bool is_certain = reason == Freshness::not_current || reason == Freshness::peer_went_on || reason == Freshness::set_aside || reason == Freshness::left_here;
  const std::string back = fmt::format("bring {} back; it {} the newer data", peer, is_certain ? "has" : "may have");
  // A copy that is not whole is nobody's choice.
  if (reason == Freshness::not_current && !may_be_accepted(here)) return back + ". hvctl drbd list shows this copy";
  return fmt::format("{}. Only if {} is lost for good: {}", back, peer, accept_command(volume));
}

Error closed(const Standpoint& standpoint, const VmName& vm, const VolumeName& volume, Freshness state, const VolumeFacts* here) {
  return Error(ErrorCode::not_up_to_date, fmt::format("{} cannot start here: {}", vm.str(), reason_text(volume, standpoint.peer, state)))
      .with_safe("nothing was started or changed")
      .with_next(next_of(volume, standpoint.peer.str(), state, here));
}

}  // namespace

Status may_start_alone(const Standpoint& standpoint, const ClusterState& state, const VmRecord& vm, const std::map<std::string, VolumeFacts>& here) {
  // Without authority the deciding command comes first, and others say it.
  if (standpoint.link != LinkState::alone || !may_act_alone(standpoint)) return success();
  for (const VolumeRecord& volume : state.volumes_of(vm)) {
    const auto found = here.find(volume.name.str());
    if (volume.kind != VolumeKind::drbd || found == here.end()) continue;
    const Freshness now = freshness_alone(standpoint, volume.name, &found->second);
    if (now != Freshness::fresh) return closed(standpoint, vm.name, volume.name, now, &found->second);
  }
  return success();
}

Status may_take_over(const TakeOverQuestion& question) {
  const Standpoint& standpoint = question.standpoint;
  const std::string& vm = question.vm.name.str();
  const std::string& owner = question.vm.owner.str();
  if (question.peer_answers) {
    return Error(ErrorCode::peer_answers, fmt::format("{} belongs to {}, which answers again: nothing is taken over from a node that lives", vm, owner))
        .with_safe("nothing was started or changed")
        .with_next(fmt::format("on {}: systemctl start corosync mcvd; then hvctl vm start {}", owner, vm));
  }
  MCV_CHECK(may_open_replicated(standpoint, vm + " is not started here"));
  switch (authority_over_peer(standpoint)) {
    case Authority::by_word:
    case Authority::by_consent: break;
    case Authority::earlier:
      return Error(ErrorCode::no_authority, fmt::format("{} was booted since {} was confirmed down, and {} may have been switched on meanwhile", standpoint.self.str(), owner, owner))
          .with_safe("nothing was started or changed")
          .with_next(deciding_command(standpoint));
    default:
      return Error(ErrorCode::peer_unreachable, fmt::format("{} owns {} and does not answer", owner, vm))
          .with_safe(fmt::format("nothing was started or changed: {} cannot know whether {} is off or only out of reach", standpoint.self.str(), owner))
          .with_next(deciding_command(standpoint));
  }
  for (const VolumeRecord& volume : question.state.volumes_of(question.vm)) {
    if (volume.kind != VolumeKind::drbd) continue;
    const auto found = question.here.find(volume.name.str());
    const VolumeFacts* here = found == question.here.end() ? nullptr : &found->second;
    const Freshness state = freshness_alone(standpoint, volume.name, here);
    if (state == Freshness::fresh) continue;
    return closed(standpoint, question.vm.name, volume.name, state, here);
  }
  return success();
}

}  // namespace mcv::authority
