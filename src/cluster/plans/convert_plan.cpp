// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/convert_plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/model/copy_room.h"
#include "cluster/model/vm_lock.h"

namespace mcv::plans {
namespace {

Error unchanged(ErrorCode code, std::string text, std::string next) { return Error(code, std::move(text)).with_safe("nothing was changed").with_next(std::move(next)); }

Status check_vm(const ConvertQuestion& question) {
  const VmRecord& vm = question.vm;
  const std::string& name = vm.name.str();
  if (vm.deleting) return unchanged(ErrorCode::busy, fmt::format("{} is being deleted", name), "hvctl op list");
  MCV_CHECK(check_lock(vm, VmUse::update));
  for (const auto& [node, there] : question.facts) {
    const auto guest = there.vms.find(name);
    if (guest == there.vms.end() || guest->second.state == RunState::stopped) continue;
    return unchanged(ErrorCode::guest_running, fmt::format("{} is {} on {}, and its disks change their devices", name, to_text(guest->second.state), node), fmt::format("hvctl vm stop {}", name));
  }
  return success();
}

std::vector<VolumeRecord> to_convert(const ConvertQuestion& question) {
  std::vector<VolumeRecord> volumes = question.state.volumes_of(question.vm);
  std::erase_if(volumes, [&](const VolumeRecord& volume) { return volume.kind == question.kind; });
  return volumes;
}

std::optional<NodeName> other_than(const ClusterState& state, const NodeName& node) {
  for (const NodeRecord& member : state.nodes()) {
    if (member.name != node) return member.name;
  }
  return std::nullopt;
}

Status check_pool_for_replication(const ConvertQuestion& question, const VolumeRecord& volume, const NodeName& other) {
  MCV_TRY(const PoolRecord pool, question.state.pool(volume.pool));
  if (pool.kind == PoolKind::directory) {
    return unchanged(ErrorCode::not_suitable, fmt::format("{} is a file of the storage pool {}: replicated disks need a volume group", volume.name.str(), pool.name.str()), "hvctl storage list");
  }
  if (volume.node != question.vm.owner.str()) {
    return unchanged(ErrorCode::in_use, fmt::format("{} is on {}, and {} belongs to {}", volume.name.str(), volume.node, question.vm.name.str(), question.vm.owner.str()), fmt::format("hvctl vm info {}", question.vm.name.str()));
  }
  for (const NodeName& node : {question.vm.owner, other}) {
    const auto there = question.facts.find(node.str());
    if (there == question.facts.end()) return unchanged(ErrorCode::peer_unreachable, fmt::format("{} does not answer, and the second copy needs it", node.str()), "hvctl info");
    const std::string& group = pool.volume_group_on(node);
    if (!there->second.volume_group_free.contains(group)) {
      return unchanged(ErrorCode::pool_missing, fmt::format("the volume group {} of pool {} is not on {}", group, pool.name.str(), node.str()), fmt::format("on {}: vgs; hvctl storage list", node.str()));
    }
  }
  return success();
}

Result<Plan> replicate(const ConvertQuestion& question, const std::vector<VolumeRecord>& volumes) {
  const NodeName& owner = question.vm.owner;
  if (question.state.setting("drbd") != "enabled") return unchanged(ErrorCode::drbd_disabled, "replication is not enabled in this cluster", "hvctl drbd enable");
  const auto other = other_than(question.state, owner);
  if (!other) return unchanged(ErrorCode::drbd_disabled, "a replicated disk needs a second node, and this one is alone", "hvctl cluster add-node --node NAME --ip-address IP");
  Plan plan;
  plan.kind = "vm-replicate";
  plan.object = "vm/" + question.vm.name.str();
  plan.summary = fmt::format("replicate the disks of {}", question.vm.name.str());
  std::vector<Mutation> to_replicated;
  std::vector<Mutation> back;
  MCV_CHECK(check_no_remains(question.state, volumes));
  MCV_CHECK(check_numbers_are_free(question.state, question.facts));
  std::vector<CopyNeed> needs;
  for (const VolumeRecord& volume : volumes) {
    MCV_CHECK(check_pool_for_replication(question, volume, *other));
    MCV_TRY(const PoolRecord pool, question.state.pool(volume.pool));
    const NodeFacts& source = question.facts.at(owner.str());
    needs.push_back(need_of_metadata(volume, pool, owner, volume.size));
    needs.push_back(need_of_new_leg(volume, pool, *other, &source));
    // Numbers come from the state machine, as for a new one.
    to_replicated.push_back(patch(Kind::volume, volume.name.str(), {{"kind", "drbd"}, {"node", ""}, {"minor", 0}, {"port", 0}}, Json{{"kind", "local"}}));
    back.push_back(patch(Kind::volume, volume.name.str(), {{"kind", "local"}, {"node", volume.node}, {"minor", 0}, {"port", 0}, {"last_primary", volume.last_primary}}));
  }
  MCV_CHECK(check_room_for_copies(needs, CopyKind::fills_new_legs, question.facts));
  plan.steps.push_back(record(owner, std::move(to_replicated), fmt::format("record the disks of {} as replicated", question.vm.name.str()), /*commits=*/false, std::move(back)));
  for (VolumeRecord volume : volumes) {
    volume.kind = VolumeKind::drbd;
    const VolumeRef ref{volume, 0};
    plan.steps.push_back(volume_metadata(owner, ref));
    plan.steps.push_back(volume_backing(*other, ref));
    for (const NodeName& node : {owner, *other}) plan.steps.push_back(volume_configure(node, ref));
    for (const NodeName& node : {owner, *other}) plan.steps.push_back(volume_up(node, ref));
    plan.steps.push_back(volume_identical(owner, ref));
  }
  return plan;
}

Status check_equal(const ConvertQuestion& question, const VolumeRecord& volume) {
  const std::string& name = volume.name.str();
  const std::string& vm = question.vm.name.str();
  if (volume.verdict.kind == VerdictKind::mismatch || (question.is_suspect && question.is_suspect(volume.name))) {
    return unchanged(ErrorCode::verify_gate, fmt::format("the copies of {} differ, or may differ: which one stays is not decided by this", name), fmt::format("hvctl resync {0}; hvctl verify {0}", vm));
  }
  const auto here = question.facts.find(question.vm.owner.str());
  if (here == question.facts.end()) return unchanged(ErrorCode::peer_unreachable, fmt::format("{} does not answer", question.vm.owner.str()), "hvctl info");
  const auto seen = here->second.volumes.find(name);
  const bool is_whole = seen != here->second.volumes.end() && seen->second.disk == DiskState::up_to_date && seen->second.role != DiskRole::primary;
  if (!is_whole || (question.state.is_cluster() && !seen->second.redundant())) {
    return unchanged(ErrorCode::not_up_to_date, fmt::format("the two copies of {} are not connected and equal: the one that goes may be the newer one", name), "hvctl drbd list");
  }
  return success();
}

Plan localise(const ConvertQuestion& question, const std::vector<VolumeRecord>& volumes) {
  const NodeName& owner = question.vm.owner;
  const auto other = other_than(question.state, owner);
  Plan plan;
  plan.kind = "vm-localise";
  plan.object = "vm/" + question.vm.name.str();
  plan.summary = fmt::format("keep the disks of {} on {} alone", question.vm.name.str(), owner.str());
  std::vector<Mutation> to_local;
  std::vector<Mutation> numbers_free;
  for (const VolumeRecord& volume : volumes) {
    plan.steps.push_back(volume_last_look(owner, {volume, std::nullopt}));
    VolumeRecord fresh;
    fresh.verdict.node = owner.str();
    const Json no_verdict = fresh.to_json().at("verdict");
    // Its numbers are taken until both kernels have let them go.
    to_local.push_back(patch(Kind::volume, volume.name.str(), {{"kind", "local"}, {"node", owner.str()}, {"last_primary", ""}, {"verdict", no_verdict}}, Json{{"kind", "drbd"}}));
    numbers_free.push_back(patch(Kind::volume, volume.name.str(), {{"minor", 0}, {"port", 0}}, Json{{"kind", "local"}}));
  }
  plan.steps.push_back(record(owner, std::move(to_local), fmt::format("record the disks of {} as local to {}", question.vm.name.str(), owner.str()), /*commits=*/true));
  for (const VolumeRecord& volume : volumes) {
    plan.steps.push_back(volume_localise(owner, {volume, std::nullopt}));
    if (other) plan.steps.push_back(volume_remove(*other, {volume, std::nullopt}));
  }
  plan.steps.push_back(record(owner, std::move(numbers_free), "free the numbers they had in DRBD"));
  return plan;
}

}  // namespace

Result<Plan> convert_vm(const ConvertQuestion& question) {
  MCV_CHECK(check_vm(question));
  const std::vector<VolumeRecord> volumes = to_convert(question);
  if (volumes.empty()) {
    return unchanged(ErrorCode::bad_request, fmt::format("every disk of {} is {} already", question.vm.name.str(), question.kind == VolumeKind::drbd ? "replicated" : "local"), fmt::format("hvctl vm info {}", question.vm.name.str()));
  }
  if (question.kind == VolumeKind::drbd) return replicate(question, volumes);
  for (const VolumeRecord& volume : volumes) MCV_CHECK(check_equal(question, volume));
  return localise(question, volumes);
}

}  // namespace mcv::plans
