// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/removal.h"

#include <fmt/format.h>

#include "cluster/authority/acceptance.h"
#include "cluster/authority/confirm_down.h"
#include "cluster/authority/takeover.h"

namespace mcv::authority {
namespace {

const VolumeFacts* seen_of(const std::map<std::string, VolumeFacts>& here, const VolumeName& volume) {
  const auto found = here.find(volume.str());
  return found == here.end() ? nullptr : &found->second;
}

}  // namespace

Status may_remove_dead(const DeadRemoval& question) {
  const Standpoint& standpoint = question.standpoint;
  const std::string& peer = standpoint.peer.str();
  if (answering_path(standpoint, question.paths) || standpoint.link == LinkState::together || standpoint.link == LinkState::syncing) {
    return Error(ErrorCode::peer_answers, fmt::format("{} answers: a node that lives is removed with its help", peer))
        .with_safe("nothing was changed")
        .with_next(fmt::format("hvctl cluster remove-node --node {}", peer));
  }
  if (!may_act_alone(standpoint)) {
    return Error(ErrorCode::no_authority, fmt::format("nothing proves that {} is off", peer)).with_safe("nothing was changed").with_next(deciding_command(standpoint));
  }
  std::string older;
  for (const VolumeRecord& volume : question.state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const Freshness state = freshness(standpoint, volume.name, seen_of(question.here, volume.name));
    if (state == Freshness::fresh) continue;
    if (!older.empty()) older += "; ";
    older += reason_text(volume.name, standpoint.peer, state);
  }
  if (older.empty()) return success();
  return Error(ErrorCode::not_up_to_date, fmt::format("{} may have the newer data: {}", peer, older))
      .with_safe("nothing was changed; the copies are kept")
      .with_next(fmt::format("bring {} back and wait for the resync. Only if it is lost for good: hvctl cluster accept-copy DISK and hvctl vm start VM, or hvctl vm delete VM; then the same command again", peer));
}

Status copies_may_stay_alone(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const VolumeFacts* seen = seen_of(here, volume.name);
    const bool whole = seen != nullptr && seen->disk == DiskState::up_to_date;
    const bool went_on = standpoint.ledger.stands(standpoint.peer, volume.name) || standpoint.consents.stands(standpoint.self, volume.name);
    if (whole && !went_on) continue;
    const char* why = whole ? "may have been written to alone" : "is the one that is up to date";
    return Error(ErrorCode::not_up_to_date, fmt::format("{}: the copy on {} {}, so it is not given up", volume.name.str(), standpoint.peer.str(), why))
        .with_safe("nothing was changed")
        .with_next("wait until both copies are equal: hvctl drbd list");
  }
  return success();
}

}  // namespace mcv::authority
