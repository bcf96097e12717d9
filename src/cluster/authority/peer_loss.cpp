// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/peer_loss.h"

#include "cluster/authority/standpoint.h"

namespace mcv::authority {

PeerLossView peer_loss_view(const ClusterState& committed, const std::optional<Json>& tentative) {
  const auto says = [](const std::optional<std::string>& text, PeerLoss unknown) { return text ? peer_loss_from(*text).value_or(unknown) : PeerLoss::freeze; };
  const std::optional<std::string> now = committed.setting(peer_loss_setting);
  const std::optional<std::string> next = tentative && tentative->is_string() ? std::optional(tentative->get<std::string>()) : std::nullopt;
  PeerLossView view;
  const bool all = says(now, PeerLoss::freeze) == PeerLoss::run_alone && says(next, PeerLoss::freeze) == PeerLoss::run_alone;
  const bool any = says(now, PeerLoss::run_alone) == PeerLoss::run_alone || says(next, PeerLoss::run_alone) == PeerLoss::run_alone;
  if (all) view.here = PeerLoss::run_alone;
  if (any) view.at_peer = PeerLoss::run_alone;
  return view;
}

bool may_run_alone(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  if (standpoint.peer_loss.here != PeerLoss::run_alone || standpoint.link != LinkState::apart || standpoint.peer_in_group) return false;
  if (standpoint.boot.empty() || is_away(standpoint) || !standpoint.own_volumes.contains(volume)) return false;
  // Whoever let the other node go on, or has not all of its writes, is not the one to go on.
  if (standpoint.consents.stands(standpoint.self, volume) || standpoint.own_leave.bars(volume) || standpoint.ledger.stands(standpoint.peer, volume)) return false;
  if (facts == nullptr || facts->disk != DiskState::up_to_date || facts->connection == ConnectionState::connected) return false;
  // The kernel calls a copy up to date after a reboot, too, where it was told once that the other one is outdated.
  return facts->role == DiskRole::primary || !standpoint.ledger.stands_from_another_boot(standpoint.self, volume, standpoint.boot);
}

}  // namespace mcv::authority
