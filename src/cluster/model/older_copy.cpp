// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/older_copy.h"

#include <fmt/format.h>

namespace mcv {

std::optional<OlderCopy> older_copy(const VolumeFacts& facts, const VolumeName& volume, const std::string& here, const std::string& peer) {
  if (facts.connection == ConnectionState::connected) return std::nullopt;
  const bool on_peer = facts.peer_disk == DiskState::outdated;
  const bool on_here = facts.disk == DiskState::outdated;
  if (on_peer == on_here) return std::nullopt;
  const std::string& older = on_peer ? peer : here;
  const std::string& newer = on_peer ? here : peer;
  OlderCopy copy;
  copy.node = older;
  copy.text = fmt::format("the copy of {} on {} is older: {} goes on without it, so {} is not redundant and neither starts nor moves to {}", volume.str(), older, newer, volume.str(), older);
  copy.next = fmt::format("bring {} and the replication link back: the copy is then resynchronised by itself (hvctl drbd list)", peer);
  return copy;
}

}  // namespace mcv
