// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/lost_disk.h"

#include <fmt/format.h>

namespace mcv {

std::optional<LostDisk> lost_disk(const VolumeFacts& facts, const VolumeRecord& volume, const std::string& here, const std::string& peer) {
  if (facts.connection != ConnectionState::connected) return std::nullopt;
  const auto is_given_up = [](DiskState disk) { return disk == DiskState::diskless || disk == DiskState::failed; };
  const bool on_here = is_given_up(facts.disk);
  const bool on_peer = is_given_up(facts.peer_disk);
  if (!on_here && !on_peer) return std::nullopt;
  const std::string& name = volume.name.str();
  LostDisk lost;
  lost.node = on_here ? here : peer;
  if (on_here && on_peer) {
    lost.text = fmt::format("DRBD has no disk of {} on either node: nothing of it can be read or written", name);
    lost.next = fmt::format("on both nodes: hvctl storage list; lvs; journalctl --dmesg; the copy that was lost last has everything: that one is attached first: hvctl drbd attach {}", volume.vm.str());
    return lost;
  }
  lost.text = fmt::format("DRBD gave the disk of {} on {} up (an I/O error below it, or its pool is full): {} goes on with the copy on {} alone and is not redundant", name, lost.node, volume.vm.str(),
                          on_here ? peer : here);
  lost.next = fmt::format("mend the cause on {} (hvctl storage list; journalctl --dmesg), then: hvctl drbd attach {}", lost.node, volume.vm.str());
  return lost;
}

}  // namespace mcv
