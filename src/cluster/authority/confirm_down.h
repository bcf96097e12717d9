// SPDX-License-Identifier: Apache-2.0
// `hvctl cluster confirm-down NODE`: an operator's word is the proof. Whether it is taken is decided here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/authority/peer_paths.h"
#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

/// What has to be typed: the first fact, and the one of the others that is true.
struct TypedFacts {
  bool is_powered_off = false;
  bool nobody_let_it_carry_on = false;      ///< alone, since the last contact
  bool was_let_go_on = false;               ///< by this node, which left: what the other one wrote since is not here
};
/// Whether the second fact cannot be true, because this node left in order and was not in contact since.
bool asks_about_leave(const Standpoint& standpoint);

struct ConfirmQuestion {
  const Standpoint& standpoint;
  std::string node;                         ///< as typed
  PathsToPeer paths;
  std::vector<VolumeName> covered;          ///< what this node would go on with: current_here()
  std::optional<TypedFacts> facts;          ///< nullopt: only asked whether it would be taken
};

/// Success, or why not: `not_found`, `bad_request`, `peer_answers`, `no_authority`, `diverged`, `authority_taken`, `not_confirmed`.
Status may_confirm_down(const ConfirmQuestion& question);

/// The replicated volumes whose copy here is the last one if the two facts are true, and those that are not, with the reason.
struct Coverage {
  std::vector<VolumeName> covered;
  std::map<VolumeName, Freshness> left_out;
};
Coverage coverage(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// "volume vm1-0 stays closed: …" for people.
std::string reason_text(const VolumeName& volume, const NodeName& peer, Freshness reason);

}  // namespace mcv::authority
