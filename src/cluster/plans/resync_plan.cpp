// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/resync_plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/model/copy_room.h"

namespace mcv::plans {
namespace {

const VolumeFacts* facts_of(const Facts& facts, const NodeName& node, const VolumeName& volume) {
  const auto there = facts.find(node.str());
  if (there == facts.end()) return nullptr;
  const auto found = there->second.volumes.find(volume.str());
  return found == there->second.volumes.end() ? nullptr : &found->second;
}

std::optional<NodeName> other_node(const ClusterState& state, const NodeName& node) {
  for (const NodeRecord& member : state.nodes()) {
    if (member.name != node) return member.name;
  }
  return std::nullopt;
}

Error refuse(ErrorCode code, std::string text, std::string next) { return Error(code, std::move(text)).with_safe("neither copy was touched").with_next(std::move(next)); }

bool is_primary(const VolumeFacts& own, const VolumeFacts& peer) { return own.role == DiskRole::primary || peer.peer_role == DiskRole::primary; }

/// Both kernels must see the same quiet pair, and nobody may use the side that is overwritten.
Status check_pair(const Facts& facts, const VmRecord& vm, const ResyncLeg& leg) {
  const std::string& name = leg.volume.name.str();
  const std::string& source_name = leg.source.str();
  const std::string& target_name = leg.target.str();
  for (const NodeName* node : {&leg.source, &leg.target}) {
    if (!facts.contains(node->str())) return refuse(ErrorCode::peer_unreachable, fmt::format("{} does not answer, and a repair needs both nodes", node->str()), "hvctl info");
    if (facts_of(facts, *node, leg.volume.name) == nullptr) return refuse(ErrorCode::not_up_to_date, fmt::format("{} is not up in DRBD on {}", name, node->str()), "hvctl drbd list");
  }
  const VolumeFacts& source = *facts_of(facts, leg.source, leg.volume.name);
  const VolumeFacts& target = *facts_of(facts, leg.target, leg.volume.name);
  if (is_primary(target, source)) {
    return refuse(ErrorCode::peer_is_primary, fmt::format("{} is in use on {}: what its guest works on is not overwritten", name, target_name),
                  fmt::format("if that copy is the good one: hvctl resync --source {} {}; else stop it first: hvctl vm stop {}", target_name, vm.name.str(), vm.name.str()));
  }
  const auto guest = facts.at(target_name).vms.find(vm.name.str());
  if (guest != facts.at(target_name).vms.end() && guest->second.state != RunState::stopped) {
    return refuse(ErrorCode::guest_running, fmt::format("{} is {} on {}, whose copy would be overwritten", vm.name.str(), to_text(guest->second.state), target_name), fmt::format("hvctl vm stop {}", vm.name.str()));
  }
  for (const VolumeFacts* side : {&source, &target}) {
    if (side->suspended.held()) return refuse(ErrorCode::no_authority, fmt::format("the writes of {} are held", name), "hvctl info");
    if (side->connection != ConnectionState::connected) return refuse(ErrorCode::not_up_to_date, fmt::format("{} is not connected", name), "hvctl drbd list");
    if (side->replication != ReplicationState::established) {
      return refuse(ErrorCode::busy, fmt::format("{} is busy: {}", name, to_text(side->replication)), fmt::format("hvctl resync --follow {} waits for a copy; a verify: hvctl op list", vm.name.str()));
    }
  }
  if (source.disk != DiskState::up_to_date) {
    return refuse(ErrorCode::not_up_to_date, fmt::format("the copy of {} on {} is {}: it is no source", name, source_name, to_text(source.disk)), "hvctl drbd list");
  }
  if (target.disk != DiskState::up_to_date) {
    return refuse(ErrorCode::not_up_to_date, fmt::format("the copy of {} on {} is {}: DRBD itself has to bring it up to date", name, target_name, to_text(target.disk)), "hvctl drbd list");
  }
  return success();
}

std::uint64_t marked_kib(const Facts& facts, const VolumeName& volume, const NodeName& one, const NodeName& other) {
  std::uint64_t marked = 0;
  for (const NodeName* node : {&one, &other}) {
    if (const VolumeFacts* seen = facts_of(facts, *node, volume)) marked = std::max(marked, seen->out_of_sync_kib);
  }
  return marked;
}

Error who_is_right(const ClusterState& state, const VmRecord& vm, const VolumeRecord& volume, const SourceAdvice& advice) {
  std::string next;
  for (const NodeRecord& node : state.nodes()) next += fmt::format("{}hvctl resync --source {} {}", next.empty() ? "" : "   or   ", node.name.str(), vm.name.str());
  return refuse(ErrorCode::not_confirmed, fmt::format("which copy of {} is the good one is not known: {}", volume.name.str(), advice.reason), std::move(next));
}

Result<std::vector<VolumeRecord>> wanted_volumes(const ClusterState& state, const VmRecord& vm, const requests::ResyncVm& request) {
  std::vector<VolumeRecord> volumes = state.volumes_of(vm);
  for (const VolumeName& name : request.volumes) {
    const bool has = std::any_of(volumes.begin(), volumes.end(), [&name](const VolumeRecord& volume) { return volume.name == name; });
    if (!has) return refuse(ErrorCode::not_found, fmt::format("{} has no disk {}", vm.name.str(), name.str()), fmt::format("hvctl vm info {}", vm.name.str()));
  }
  std::erase_if(volumes, [&request](const VolumeRecord& volume) {
    const bool asked = request.volumes.empty() || std::find(request.volumes.begin(), request.volumes.end(), volume.name) != request.volumes.end();
    return volume.kind != VolumeKind::drbd || !asked;
  });
  if (volumes.empty()) return refuse(ErrorCode::bad_request, fmt::format("{} has no replicated disk among those; there is nothing to repair", vm.name.str()), fmt::format("hvctl vm info {}", vm.name.str()));
  return volumes;
}

/// What is overwritten is kept in a snapshot first.
Result<CopyNeed> need_of(const ClusterState& state, const Facts& facts, const ResyncLeg& leg) {
  MCV_TRY(const PoolRecord pool, state.pool(leg.volume.pool));
  return need_of_repair(leg.volume, pool, facts.at(leg.target.str()), &facts.at(leg.source.str()), Bytes::kib(leg.marked_kib), leg.full);
}

}  // namespace

SourceAdvice advise_source(const ClusterState& state, const Facts& facts, const VolumeRecord& volume) {
  std::optional<NodeName> writes_now;
  for (const NodeRecord& node : state.nodes()) {
    const VolumeFacts* seen = facts_of(facts, node.name, volume.name);
    if (seen != nullptr && seen->role == DiskRole::primary) writes_now = node.name;
  }
  if (volume.last_primary.empty()) return {std::nullopt, "no node is recorded as its last Primary"};
  const auto recorded = NodeName::parse(volume.last_primary);
  if (!recorded.ok() || !state.node(*recorded).ok()) return {std::nullopt, fmt::format("its last Primary was {}, which is no member", volume.last_primary)};
  if (writes_now && *writes_now != *recorded) {
    return {std::nullopt, fmt::format("it is Primary on {}, and {} is recorded as its last Primary", writes_now->str(), recorded->str())};
  }
  return {*recorded, writes_now ? fmt::format("it is Primary on {}", recorded->str()) : fmt::format("{} was its last Primary", recorded->str())};
}

Result<std::vector<ResyncPart>> resync_parts(const ClusterState& state, const Facts& facts, const VmRecord& vm, const requests::ResyncVm& request) {
  if (vm.deleting) return refuse(ErrorCode::busy, fmt::format("{} is being deleted", vm.name.str()), "hvctl op list");
  if (Status lock = check_lock(vm, VmUse::resync); !lock.ok()) return std::move(lock).error().with_safe("neither copy was touched");
  if (!state.is_cluster()) return refuse(ErrorCode::drbd_disabled, "this node is alone: there is no second copy", "hvctl info");
  if (request.source && !state.node(*request.source).ok()) return refuse(ErrorCode::not_found, fmt::format("there is no node named {}", request.source->str()), "hvctl node list");
  MCV_TRY(const std::vector<VolumeRecord> volumes, wanted_volumes(state, vm, request));
  std::vector<ResyncPart> parts;
  std::vector<CopyNeed> needs;
  for (const VolumeRecord& volume : volumes) {
    const SourceAdvice advice = advise_source(state, facts, volume);
    const std::optional<NodeName> source = request.source ? request.source : advice.node;
    ResyncPart part;
    part.leg.volume = volume;
    part.leg.full = request.full;
    part.leg.source = source.value_or(state.nodes().front().name);
    const std::optional<NodeName> target = other_node(state, part.leg.source);
    part.leg.target = target.value_or(NodeName());
    part.leg.marked_kib = marked_kib(facts, volume.name, part.leg.source, part.leg.target);
    const bool seen_on_both = facts_of(facts, part.leg.source, volume.name) != nullptr && facts_of(facts, part.leg.target, volume.name) != nullptr;
    if (seen_on_both && part.leg.marked_kib == 0 && !request.full) continue;
    if (!source) return who_is_right(state, vm, volume, advice);
    MCV_CHECK(check_pair(facts, vm, part.leg));
    part.advised = advice.node == source;
    part.reason = part.advised || !request.source ? advice.reason : fmt::format("asked for; {}", advice.reason);
    MCV_TRY(CopyNeed need, need_of(state, facts, part.leg));
    part.leg.overwritten = need.takes;
    needs.push_back(std::move(need));
    parts.push_back(std::move(part));
  }
  if (parts.empty()) {
    return refuse(ErrorCode::bad_request, fmt::format("no block of {} is marked as different: there is nothing to copy", vm.name.str()),
                  fmt::format("hvctl verify {} looks for differences and marks them; hvctl resync --full {} copies everything", vm.name.str(), vm.name.str()));
  }
  MCV_CHECK(check_room_for_copies(needs, CopyKind::overwrites, facts));
  return parts;
}

Plan resync(const VmRecord& vm, const NodeName& coordinator, const std::vector<ResyncPart>& parts) {
  Plan plan;
  plan.kind = "vm-resync";
  plan.object = "vm/" + vm.name.str();
  plan.summary = fmt::format("repair {}", vm.name.str());
  std::vector<ResyncLeg> legs;
  std::vector<std::size_t> asked_by;
  std::vector<Mutation> mutations;
  for (const ResyncPart& part : parts) {
    legs.push_back(part.leg);
    plan.steps.push_back(resync_snapshot(part.leg));
    // From the commit on both copies are what the source wrote.
    if (part.leg.volume.last_primary == part.leg.source.str()) continue;
    mutations.push_back(patch(Kind::volume, part.leg.volume.name.str(), {{"last_primary", part.leg.source.str()}}));
  }
  for (const ResyncLeg& leg : legs) {
    asked_by.push_back(plan.steps.size());
    plan.steps.push_back(resync_source(leg));
  }
  for (std::size_t i = 0; i < legs.size(); ++i) plan.steps.push_back(resync_diverge(legs[i], asked_by[i], /*commits=*/i == 0));
  if (!mutations.empty()) plan.steps.push_back(record(coordinator, std::move(mutations), "record whose copy is the good one"));
  for (const ResyncLeg& leg : legs) {
    if (leg.full) plan.steps.push_back(resync_mark_all(leg));
    plan.steps.push_back(resync_copy(leg));
    plan.steps.push_back(resync_release(leg));
  }
  plan.steps.push_back(resync_summary(coordinator, legs));
  return plan;
}

Result<Plan> follow_resync(const ClusterState& state, const VmRecord& vm, const NodeName& here) {
  MCV_CHECK(check_lock(vm, VmUse::follow_resync));
  Plan plan;
  plan.kind = "resync-follow";
  plan.object = "vm/" + vm.name.str();
  plan.summary = fmt::format("wait until {} is copied", vm.name.str());
  // In nobody's way.
  plan.locks = {{"resync-follow/" + vm.name.str(), true}};
  for (const VolumeRecord& volume : state.volumes_of(vm)) {
    if (volume.kind == VolumeKind::drbd) plan.steps.push_back(resync_follow(here, volume));
  }
  if (plan.steps.empty()) return refuse(ErrorCode::bad_request, fmt::format("{} has no replicated disk", vm.name.str()), fmt::format("hvctl vm info {}", vm.name.str()));
  return plan;
}

}  // namespace mcv::plans
