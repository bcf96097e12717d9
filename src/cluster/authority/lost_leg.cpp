// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/lost_leg.h"

#include <fmt/format.h>

namespace mcv::authority {
namespace {

bool is_given_up(DiskState disk) { return disk == DiskState::diskless || disk == DiskState::failed; }

bool has_no_disk(DiskState disk) { return is_given_up(disk) || disk == DiskState::attaching || disk == DiskState::negotiating; }

template <typename Condition>
std::vector<VolumeName> connected_volumes(const ClusterState& state, const std::map<std::string, VolumeFacts>& here, Condition condition) {
  std::vector<VolumeName> found;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const auto facts = here.find(volume.name.str());
    if (facts == here.end() || facts->second.connection != ConnectionState::connected) continue;
    if (condition(volume.name, facts->second)) found.push_back(volume.name);
  }
  return found;
}

}  // namespace

std::vector<VolumeName> lost_here(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  return connected_volumes(state, here, [&](const VolumeName& volume, const VolumeFacts& facts) {
    if (!is_given_up(facts.disk) || facts.peer_disk != DiskState::up_to_date) return false;
    return !standpoint.consents.stands(standpoint.self, volume) && !standpoint.consents.stands(standpoint.peer, volume);
  });
}

std::vector<VolumeName> lost_there(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  return connected_volumes(state, here, [&](const VolumeName& volume, const VolumeFacts& facts) {
    if (!is_given_up(facts.peer_disk) || facts.disk != DiskState::up_to_date) return false;
    if (standpoint.consents.stands(standpoint.self, volume) || standpoint.own_leave.bars(volume)) return false;
    return !standpoint.ledger.stands(standpoint.self, volume) && !standpoint.ledger.stands(standpoint.peer, volume);
  });
}

Status newest_is_attached(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* here) {
  if (here == nullptr || here->connection != ConnectionState::connected) return success();
  const bool is_here = standpoint.ledger.stands(standpoint.self, volume) || standpoint.consents.stands(standpoint.peer, volume);
  const bool is_there = standpoint.ledger.stands(standpoint.peer, volume);
  const NodeName* without = is_here && has_no_disk(here->disk) ? &standpoint.self : is_there && has_no_disk(here->peer_disk) ? &standpoint.peer : nullptr;
  if (without == nullptr) return success();
  return Error(ErrorCode::not_up_to_date, fmt::format("volume {}: the newest copy is the one on {}, and DRBD has no disk of it now", volume.str(), without->str()))
      .with_safe("neither copy was opened for writing")
      .with_next(fmt::format("mend what took it away on {} (journalctl --dmesg; hvctl storage list), then: hvctl drbd attach VM", without->str()));
}

}  // namespace mcv::authority
