// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/attach_plan.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::plans {
namespace {

Error refuse_attach(ErrorCode code, std::string text, std::string next) {
  return Error(code, std::move(text)).with_safe("nothing was changed; the guest goes on with the copy that is there").with_next(std::move(next));
}

const VolumeFacts* leg_on(const Facts& facts, const NodeName& node, const VolumeName& volume) {
  const auto there = facts.find(node.str());
  if (there == facts.end()) return nullptr;
  const auto found = there->second.volumes.find(volume.str());
  return found == there->second.volumes.end() ? nullptr : &found->second;
}

bool is_without_disk(DiskState disk) { return disk == DiskState::diskless || disk == DiskState::failed; }

Result<std::vector<VolumeRecord>> asked_volumes(const AttachQuestion& question) {
  const std::string& vm = question.vm.name.str();
  const std::vector<VolumeName>& asked = question.request.volumes;
  std::vector<VolumeRecord> volumes = question.state.volumes_of(question.vm);
  for (const VolumeName& name : asked) {
    const bool has = std::any_of(volumes.begin(), volumes.end(), [&name](const VolumeRecord& volume) { return volume.name == name; });
    if (!has) return refuse_attach(ErrorCode::not_found, fmt::format("{} has no disk {}", vm, name.str()), fmt::format("hvctl vm info {}", vm));
  }
  std::erase_if(volumes, [&asked](const VolumeRecord& volume) {
    return volume.kind != VolumeKind::drbd || (!asked.empty() && std::find(asked.begin(), asked.end(), volume.name) == asked.end());
  });
  return volumes;
}

/// The node or nodes whose kernel has no disk of it, the newest copy first.
Result<std::vector<NodeName>> lost_on(const AttachQuestion& question, const VolumeRecord& volume) {
  std::vector<NodeName> lost;
  const std::vector<NodeRecord> nodes = question.state.nodes();
  for (const NodeRecord& node : nodes) {
    const VolumeFacts* own = leg_on(question.facts, node.name, volume.name);
    bool is_lost = own != nullptr && is_without_disk(own->disk);
    for (const NodeRecord& other : nodes) {
      const VolumeFacts* seen = other.name == node.name ? nullptr : leg_on(question.facts, other.name, volume.name);
      is_lost = is_lost || (own == nullptr && seen != nullptr && seen->connection == ConnectionState::connected && is_without_disk(seen->peer_disk));
    }
    if (!is_lost) continue;
    if (!question.facts.contains(node.name.str())) {
      return refuse_attach(ErrorCode::peer_unreachable, fmt::format("DRBD gave the disk of {} on {} up, and mcvd of {} does not answer", volume.name.str(), node.name.str(), node.name.str()),
                           fmt::format("on {}: systemctl status mcvd; then the same command again", node.name.str()));
    }
    if (own == nullptr) continue;
    if (own->connection != ConnectionState::connected) {
      return refuse_attach(ErrorCode::not_up_to_date, fmt::format("{} on {} has no disk and no connection to the other copy, which it would have to follow", volume.name.str(), node.name.str()), "hvctl info; hvctl drbd list");
    }
    lost.push_back(node.name);
  }
  if (lost.size() < 2) return lost;
  const auto newest = question.newest.find(volume.name);
  if (newest == question.newest.end()) {
    return refuse_attach(ErrorCode::not_up_to_date, fmt::format("DRBD has no disk of {} on either node, and no record says which copy is the newest", volume.name.str()),
                         fmt::format("look at both (on each node: journalctl --dmesg; lvs); on the node whose copy was lost last: drbdadm attach {}", volume.resource()));
  }
  std::stable_partition(lost.begin(), lost.end(), [&](const NodeName& node) { return node == newest->second; });
  return lost;
}

}  // namespace

Result<Plan> attach_disks(const AttachQuestion& question) {
  const VmRecord& vm = question.vm;
  MCV_CHECK(check_lock(vm, VmUse::attach));
  if (vm.deleting) return refuse_attach(ErrorCode::busy, fmt::format("{} is being deleted", vm.name.str()), "hvctl op list");
  if (!question.state.is_cluster()) return refuse_attach(ErrorCode::drbd_disabled, "this node is alone: there is no second copy", "hvctl info");
  MCV_TRY(const std::vector<VolumeRecord> volumes, asked_volumes(question));
  Plan plan;
  plan.kind = "vm-attach";
  plan.object = "vm/" + vm.name.str();
  plan.summary = fmt::format("attach the lost disks of {}", vm.name.str());
  for (const VolumeRecord& volume : volumes) {
    MCV_TRY(const std::vector<NodeName> lost, lost_on(question, volume));
    const auto newest = question.newest.find(volume.name);
    for (const NodeName& node : lost) plan.steps.push_back(drbd_attach(node, volume, newest != question.newest.end() && newest->second == node));
  }
  if (plan.steps.empty()) {
    return refuse_attach(ErrorCode::bad_request, fmt::format("DRBD has every replicated disk of {} that was asked for: there is nothing to attach", vm.name.str()), "hvctl drbd list");
  }
  return plan;
}

}  // namespace mcv::plans
