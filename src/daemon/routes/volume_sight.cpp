// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/volume_sight.h"

#include <algorithm>
#include <fmt/format.h>

#include "daemon/node/node.h"

namespace mcv::views {

std::string gate_text(const VolumeRecord& volume, const VerifyGate& gate) {
  if (volume.verdict.kind == VerdictKind::mismatch) return fmt::format("the sides of {} differ", volume.name.str());
  const auto suspect = gate.find(volume.name);
  if (!suspect) return "";
  const std::string& why = suspect->reason;
  return fmt::format("a verify of {} found differences and {}", volume.name.str(), why.empty() ? "has not ended" : "did not end: " + why);
}

const VolumeFacts* seen_on(const NodeName& node, const VolumeName& volume, const plans::Facts& facts) {
  const auto there = facts.find(node.str());
  if (there == facts.end()) return nullptr;
  const auto seen = there->second.volumes.find(volume.str());
  return seen == there->second.volumes.end() ? nullptr : &seen->second;
}

std::optional<OlderCopy> older_seen_by(const ClusterState& state, const NodeName& node, const VolumeName& volume, const VolumeFacts* seen) {
  if (seen == nullptr) return std::nullopt;
  for (const NodeRecord& other : state.nodes()) {
    if (other.name != node) return older_copy(*seen, volume, node.str(), other.name.str());
  }
  return std::nullopt;
}

std::optional<LostDisk> lost_seen_by(const ClusterState& state, const NodeName& node, const VolumeRecord& volume, const VolumeFacts* seen) {
  if (seen == nullptr) return std::nullopt;
  for (const NodeRecord& other : state.nodes()) {
    if (other.name != node) return lost_disk(*seen, volume, node.str(), other.name.str());
  }
  return std::nullopt;
}

bool is_used(const ClusterState& state, const NetworkName& network, const access::Sight& sight) {
  if (sight.everything()) return true;
  const std::vector<VmRecord> all = state.vms();
  return std::any_of(all.begin(), all.end(), [&](const VmRecord& vm) {
    const bool is_on = std::any_of(vm.nics.begin(), vm.nics.end(), [&](const NicRecord& nic) { return nic.network == network; });
    return is_on && sight.covers(vm.name);
  });
}

bool is_used(const ClusterState& state, const PoolName& pool, const access::Sight& sight) {
  if (sight.everything()) return true;
  const std::vector<VolumeRecord> all = state.volumes();
  return std::any_of(all.begin(), all.end(), [&](const VolumeRecord& volume) { return volume.pool == pool && sight.covers(volume.vm); });
}

}  // namespace mcv::views
