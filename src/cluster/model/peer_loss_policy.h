// SPDX-License-Identifier: Apache-2.0
// What a node does with its own guests' writes when the other node is lost and nobody decides: a shared entry.
#pragma once

#include <optional>
#include <string_view>

#include "cluster/model/cluster_state.h"

namespace mcv {

enum class PeerLoss {
  freeze,     ///< writes stay held until somebody decides
  run_alone,  ///< they go on, on one copy
};
std::string_view to_text(PeerLoss policy);
std::optional<PeerLoss> peer_loss_from(std::string_view text);

inline constexpr const char* peer_loss_setting = "peer-loss";
/// As committed; freeze as long as nobody set it.
PeerLoss peer_loss(const ClusterState& state);

}  // namespace mcv
