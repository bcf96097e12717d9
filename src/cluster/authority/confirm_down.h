// SPDX-License-Identifier: Apache-2.0
// `hvctl cluster confirm-down NODE`: an operator's word is the proof. Whether it is taken is decided here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

/// Every way on which the other node could answer, as of one look made for this question.
struct PathsToPeer {
  bool daemon_in_group = false;             ///< corosync's process group
  std::optional<bool> in_membership;        ///< corosync's ring; nullopt: corosync here does not say
  bool answers_on_peer_link = false;        ///< anything but "no connection": also a wrong key, also silence after it
  std::vector<VolumeName> connected;        ///< volumes whose DRBD connection stands
};

/// The two facts that have to be typed.
struct TypedFacts {
  bool is_powered_off = false;
  bool nobody_let_it_carry_on = false;      ///< alone, since the last contact
};

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
