// SPDX-License-Identifier: Apache-2.0
// `hvctl cluster accept-copy VOLUME`: a person decides that the copy here is used from now on although the other one may be
// newer. Whether that is taken is decided here. Nothing but a person ever does this.
#pragma once

#include <string>

#include "cluster/authority/peer_paths.h"
#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

/// Whole at some time: current then, or marked as older since. Half a resync is nobody's copy.
bool may_be_accepted(const VolumeFacts* facts);

struct AcceptQuestion {
  const Standpoint& standpoint;
  const ClusterState& state;
  VolumeName volume;
  const VolumeFacts* here = nullptr;
  PathsToPeer paths;  ///< asked just now
};

struct AcceptAnswer {
  VolumeRecord volume;
  Freshness reason = Freshness::fresh;  ///< why it is closed without that
};
/// What would be accepted, or why nothing is: `not_found`, `bad_request`, `peer_answers`, `no_authority`, `not_up_to_date`, `already_exists`.
Result<AcceptAnswer> may_accept_copy(const AcceptQuestion& question);

/// "hvctl cluster accept-copy VOLUME" where that is what is left when the other node is lost for good.
std::string accept_command(const VolumeName& volume);
/// What the other node does that was off meanwhile; every acceptance says it.
std::string known_limit(const VolumeName& volume, const NodeName& self, const NodeName& peer);
/// Both copies were written to apart, as far as the records know: nothing was discarded, and unless one of them turns out to be
/// the other one's past when they meet, a person has to choose.
bool has_two_copies(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* here);

}  // namespace mcv::authority
