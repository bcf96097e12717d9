// SPDX-License-Identifier: Apache-2.0
// A VM of the other node is started here: only by a typed command, only with authority, only on fresh copies.
#pragma once

#include <map>
#include <string>

#include "cluster/authority/standpoint.h"
#include "cluster/model/cluster_state.h"

namespace mcv::authority {

struct TakeOverQuestion {
  const Standpoint& standpoint;
  const ClusterState& state;
  const VmRecord& vm;
  const std::map<std::string, VolumeFacts>& here;
  bool peer_answers = false;  ///< on the daemons' link, asked just now
};

/// Success, or why not, with the command that decides: `peer_unreachable`, `no_authority`, `peer_answers`, `not_up_to_date`.
Status may_take_over(const TakeOverQuestion& question);

/// The same of a VM of this node's own, while it decides alone: each copy that is up here is one it may open, or why not.
Status may_start_alone(const Standpoint& standpoint, const ClusterState& state, const VmRecord& vm, const std::map<std::string, VolumeFacts>& here);

/// What a node that cannot reach the other one and may not decide alone tells its operator to type.
std::string deciding_command(const Standpoint& standpoint);

}  // namespace mcv::authority
