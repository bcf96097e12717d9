// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/peer_loss_policy.h"

namespace mcv {

std::string_view to_text(PeerLoss policy) { return policy == PeerLoss::run_alone ? "run-alone" : "freeze"; }

std::optional<PeerLoss> peer_loss_from(std::string_view text) {
  for (const PeerLoss policy : {PeerLoss::freeze, PeerLoss::run_alone}) {
    if (to_text(policy) == text) return policy;
  }
  return std::nullopt;
}

PeerLoss peer_loss(const ClusterState& state) {
  const auto text = state.setting(peer_loss_setting);
  // A word of a later build: what holds the writes loses none.
  return text ? peer_loss_from(*text).value_or(PeerLoss::freeze) : PeerLoss::freeze;
}

}  // namespace mcv
