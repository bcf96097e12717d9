// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/peer_paths.h"

#include "cluster/authority/standpoint.h"

namespace mcv::authority {

std::optional<AnsweringPath> answering_path(const Standpoint& standpoint, const PathsToPeer& paths) {
  // The group as of now: the look took a while.
  if (paths.daemon_in_group || standpoint.peer_in_group) return AnsweringPath::daemon;
  if (paths.answers_on_peer_link) return AnsweringPath::peer_link;
  if (!paths.connected.empty()) return AnsweringPath::replication;
  if (paths.in_membership.value_or(false)) return AnsweringPath::corosync;
  return std::nullopt;
}

}  // namespace mcv::authority
