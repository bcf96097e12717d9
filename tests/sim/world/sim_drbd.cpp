// SPDX-License-Identifier: Apache-2.0
// What of DRBD everything else looks up: legs, metadata, the states that follow from them.
#include "world/sim_drbd.h"

namespace mcv::sim {

SimDrbd::SimDrbd(Scheduler& scheduler, std::array<Node, 2> nodes) : scheduler_(scheduler), nodes_(std::move(nodes)) {}

SimDrbd::Leg* SimDrbd::find(std::size_t node, const std::string& resource) {
  const auto found = legs_[node].find(resource);
  return found == legs_[node].end() ? nullptr : &found->second;
}

SimDrbd::Leg* SimDrbd::find_minor(std::size_t node, std::uint32_t minor) {
  for (auto& [name, leg] : legs_[node]) {
    if (leg.has_minor && leg.minor == minor) return &leg;
  }
  return nullptr;
}

const SimDrbd::Leg* SimDrbd::find_minor(std::size_t node, std::uint32_t minor) const {
  for (const auto& [name, leg] : legs_[node]) {
    if (leg.has_minor && leg.minor == minor) return &leg;
  }
  return nullptr;
}

Lv* SimDrbd::data_of(std::size_t node, const Leg& leg) const { return nodes_[node].lvm->device(leg.data); }

DrbdMeta* SimDrbd::meta_of(std::size_t node, const Leg& leg) const { return leg.attached ? meta_on_disk(node, leg) : nullptr; }

DrbdMeta* SimDrbd::meta_on_disk(std::size_t node, const Leg& leg) const {
  Lv* volume = nodes_[node].lvm->device(leg.meta);
  return volume != nullptr && volume->meta ? &*volume->meta : nullptr;
}

std::string SimDrbd::disk_state(std::size_t node, const Leg& leg) const {
  const DrbdMeta* meta = meta_of(node, leg);
  if (meta == nullptr) return "Diskless";
  if (leg.negotiating) return "Negotiating";
  if (!meta->consistent) return "Inconsistent";
  if (meta->outdated) return "Outdated";
  // Without the peer a Secondary that was in contact keeps UpToDate; one that was attached since is only Consistent, unless
  // its metadata say that the peer is outdated.
  return leg.uncertain ? "Consistent" : "UpToDate";
}

std::uint64_t SimDrbd::out_of_sync(std::size_t node, const Leg& leg) const {
  const DrbdMeta* meta = meta_of(node, leg);
  if (meta == nullptr) return 0;
  if (meta->full_sync || (meta->current == DrbdMeta::just_created && !meta->consistent)) return data_of(node, leg)->size / 1024;
  std::uint64_t blocks = meta->dirty.size();
  for (const std::uint64_t block : meta->marked) blocks += meta->dirty.contains(block) ? 0 : 1;
  return blocks * 4;
}

}  // namespace mcv::sim
