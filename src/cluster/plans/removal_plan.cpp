// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/removal_plan.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "cluster/model/removal.h"
#include "cluster/plans/steps.h"

namespace mcv::plans {
namespace {

constexpr const char* nothing_changed = "nothing was changed";

Result<NodeRecord> leaver_of(const ClusterState& state, const NodeName& here, const requests::RemoveNode& request) {
  MCV_TRY(NodeRecord leaver, state.node(request.node));
  if (!state.is_cluster()) {
    return Error(ErrorCode::bad_request, fmt::format("{} is in no cluster: there is nobody to remove", here.str())).with_safe(nothing_changed).with_next("hvctl info");
  }
  if (request.node != here) return leaver;
  for (const NodeRecord& node : state.nodes()) {
    if (node.name == here) continue;
    return Error(ErrorCode::bad_request, fmt::format("{} cannot remove itself", here.str()))
        .with_safe(nothing_changed)
        .with_next(fmt::format("on {}: hvctl cluster remove-node --node {}", node.name.str(), here.str()));
  }
  return leaver;
}

/// What the configuration says, whether the leaver lives or not.
Status check_records(const ClusterState& state, const NodeName& leaver) {
  if (const auto already = being_removed(state)) {
    return Error(ErrorCode::busy, fmt::format("{} is being removed already", already->str())).with_safe(nothing_changed).with_next("hvctl op list");
  }
  for (const VmRecord& vm : state.vms()) {
    if (vm.deleting) return Error(ErrorCode::busy, fmt::format("{} is being deleted", vm.name.str())).with_safe(nothing_changed).with_next("hvctl op list");
  }
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::local || volume.node != leaver.str()) continue;
    return Error(ErrorCode::in_use, fmt::format("{} has a disk on {} alone: it would go with it", volume.vm.str(), leaver.str()))
        .with_safe(nothing_changed)
        .with_next(fmt::format("save what is in it, then: hvctl vm delete {}", volume.vm.str()));
  }
  return success();
}

Status check_live(const ClusterState& state, const Facts& facts, const NodeName& leaver) {
  const auto found = facts.find(leaver.str());
  if (found == facts.end()) {
    return Error(ErrorCode::peer_unreachable, fmt::format("{} does not answer", leaver.str()))
        .with_safe(nothing_changed)
        .with_next(fmt::format("switch it on; if it is gone for good: hvctl cluster remove-node --node {} --dead", leaver.str()));
  }
  for (const VmRecord& vm : state.vms()) {
    const auto guest = found->second.vms.find(vm.name.str());
    if (guest == found->second.vms.end() || guest->second.state == RunState::stopped) continue;
    return Error(ErrorCode::guest_running, fmt::format("{} runs on {}", vm.name.str(), leaver.str()))
        .with_safe(nothing_changed)
        .with_next(fmt::format("hvctl vm stop {}, or shut it down inside and hvctl migrate it", vm.name.str()));
  }
  return success();
}

/// Everything there is: what another operation holds is in the way, and says which.
std::vector<LockNeed> all_locks(const ClusterState& state) {
  std::vector<LockNeed> locks = {{"cluster", false}, {"verify", false}};
  for (const auto& [name, entry] : state.all(Kind::vm)) locks.push_back({"vm/" + name, false});
  for (const auto& [name, entry] : state.all(Kind::pool)) locks.push_back({"pool/" + name, false});
  return locks;
}

}  // namespace

Result<Plan> remove_node(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::RemoveNode& request) {
  MCV_TRY(const NodeRecord leaver, leaver_of(state, here, request));
  MCV_CHECK(check_records(state, leaver.name));
  if (!request.dead) {
    MCV_CHECK(check_live(state, facts, leaver.name));
  }
  Plan plan;
  plan.kind = removal_kind;
  plan.object = "cluster";
  plan.locks = all_locks(state);
  plan.summary = fmt::format("remove {}{} from the cluster", request.dead ? "the dead node " : "", leaver.name.str());
  if (!request.dead) {
    plan.steps.push_back(record(here, {put_setting(state, removing_setting, leaver.name.str())}, fmt::format("announce that {} is being removed", leaver.name.str())));
    plan.steps.push_back(remove_ready(leaver.name, leaver.name));
    plan.steps.push_back(remove_ready(here, leaver.name));
  }
  plan.steps.push_back(remove_commit(here, leaver, request.dead));
  // The guests' disks first: from here on nobody may hold their writes.
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind == VolumeKind::drbd) plan.steps.push_back(volume_one_leg(here, {volume, std::nullopt}));
  }
  if (!request.dead) plan.steps.push_back(remove_tell(here, leaver));
  plan.steps.push_back(remove_alone(here, leaver));
  return plan;
}

Status may_begin(const ClusterState& state, const Plan& plan) {
  static constexpr std::array allowed = {removal_kind, "vm-stop", "vm-kill", "vm-reset"};
  const auto leaver = being_removed(state);
  if (!leaver || std::find(allowed.begin(), allowed.end(), plan.kind) != allowed.end()) return success();
  return Error(ErrorCode::busy, fmt::format("{} is being removed from the cluster", leaver->str())).with_safe("nothing was begun").with_next("hvctl op list, on both nodes");
}

}  // namespace mcv::plans
