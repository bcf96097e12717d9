// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/cluster_plans.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cluster/model/verify_policy.h"
#include "cluster/plans/steps.h"

namespace mcv::plans {
namespace {

Error silent_node(const NodeName& node) {
  return Error(ErrorCode::peer_unreachable, fmt::format("{} does not answer, and this change needs both nodes", node.str()))
      .with_safe("nothing was changed")
      .with_next("hvctl info");
}

/// Of a pool that is there already and somebody else's; mcv's own the step sets right.
Status check_not_waiting(const NodeFacts& node, const PoolRecord& pool) {
  if (pool.kind != PoolKind::thin) return success();
  const std::string place = fmt::format("{}/{}", pool.volume_group_on(node.name), pool.thin_pool);
  const auto there = node.thin_pools.find(place);
  if (there == node.thin_pools.end() || there->second.made_by_mcv || !there->second.waits_when_full) return success();
  return Error(ErrorCode::pool_waits, fmt::format("the thin pool {} on {} lets writes wait when it is full, and every guest that writes to it", place, node.name.str()))
      .with_safe("nothing was changed")
      .with_next(fmt::format("on {}: lvchange --errorwhenfull y {}", node.name.str(), place));
}

}  // namespace

Result<Plan> create_pool(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::CreatePool& request) {
  PoolRecord pool;
  pool.name = request.name;
  pool.kind = request.kind;
  pool.volume_group = request.volume_group;
  pool.path = request.path;
  pool.per_node_volume_group = request.per_node_volume_group;
  if (pool.kind == PoolKind::thin) pool.thin_pool = "mcv-" + pool.name.str();
  if (state.find(Kind::pool, pool.name.str()) != nullptr) {
    return Error(ErrorCode::already_exists, fmt::format("there is a storage pool {} already", pool.name.str())).with_next("hvctl storage list");
  }
  for (const auto& [node, vg] : pool.per_node_volume_group) {
    if (!state.node(NodeName::trusted(node)).ok()) return Error(ErrorCode::not_found, fmt::format("there is no node named {}", node)).with_next("hvctl node list");
  }
  Plan plan;
  plan.kind = "storage-create";
  plan.object = "pool/" + pool.name.str();
  plan.summary = fmt::format("create the storage pool {}", pool.name.str());
  for (const NodeRecord& node : state.nodes()) {
    const auto found = facts.find(node.name.str());
    if (found == facts.end()) return silent_node(node.name);
    const std::string& vg = pool.volume_group_on(node.name);
    if (pool.kind != PoolKind::directory && !found->second.volume_group_free.contains(vg)) {
      return no_volume_group(found->second, vg, fmt::format("on {}: vgcreate {} DEVICE, or give that node another one: --node-vg {}=VG", node.name.str(), vg, node.name.str()));
    }
    MCV_CHECK(check_not_waiting(found->second, pool));
    plan.steps.push_back(pool_create(node.name, pool, request.size));
  }
  plan.steps.push_back(record(here, {put_new(pool)}, fmt::format("record the pool {} in the configuration", pool.name.str()), /*commits=*/true));
  return plan;
}

Result<Plan> delete_pool(const ClusterState& state, const NodeName& here, const PoolName& name) {
  MCV_TRY(const PoolRecord pool, state.pool(name));
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.pool != name) continue;
    return Error(ErrorCode::in_use, fmt::format("the pool {} holds the disk {} of {}", name.str(), volume.name.str(), volume.vm.str()))
        .with_safe("nothing was changed")
        .with_next("hvctl vm delete the VMs whose disks it holds first");
  }
  Plan plan;
  plan.kind = "storage-delete";
  plan.object = "pool/" + name.str();
  plan.summary = fmt::format("delete the storage pool {}", name.str());
  plan.steps.push_back(record(here, {erase_at(state, Kind::pool, name.str())}, fmt::format("remove the pool {} from the configuration", name.str()), /*commits=*/true));
  for (const NodeRecord& node : state.nodes()) plan.steps.push_back(pool_remove(node.name, pool));
  return plan;
}

Result<Plan> enable_drbd(const ClusterState& state, const NodeName& here) {
  Plan plan;
  plan.kind = "drbd-enable";
  plan.object = "cluster";
  plan.summary = "enable replication";
  for (const NodeRecord& node : state.nodes()) plan.steps.push_back(drbd_check(node.name));
  plan.steps.push_back(drbd_secret(here));
  if (state.setting("drbd") != "enabled") {
    plan.steps.push_back(record(here, {put_setting(state, "drbd", "enabled")}, "record that replication is enabled", /*commits=*/true));
  }
  return plan;
}

Result<Mutation> create_network(const ClusterState& state, const Facts& facts, const requests::CreateNetwork& request) {
  if (state.find(Kind::network, request.name.str()) != nullptr) {
    return Error(ErrorCode::already_exists, fmt::format("there is a network {} already", request.name.str())).with_next("hvctl network list");
  }
  for (const NodeRecord& node : state.nodes()) {
    const auto found = facts.find(node.name.str());
    if (found == facts.end()) return silent_node(node.name);
    const auto& bridges = found->second.bridges;
    if (std::find(bridges.begin(), bridges.end(), request.bridge) == bridges.end()) {
      return Error(ErrorCode::not_found, fmt::format("there is no bridge {} on {}", request.bridge, node.name.str()))
          .with_safe("nothing was changed")
          .with_next(fmt::format("on {}: hvctl node init --all --bridge {}", node.name.str(), request.bridge));
    }
  }
  return put_new(NetworkRecord{request.name, request.bridge});
}

Result<Mutation> delete_network(const ClusterState& state, const NetworkName& name) {
  MCV_CHECK(state.network(name));
  return erase_at(state, Kind::network, name.str());
}

namespace {

/// Volumes that have one leg here get their second one. Only this operation's fresh LVs and fresh metadata are ever the target: a
/// leg with a history is refused before it could connect, and nothing is declared good or equal by us.
void add_second_legs(Plan& plan, const ClusterState& state, const NodeName& here, const NodeName& joiner) {
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    if (plan.locks.empty()) plan.locks = {{"cluster", false}, {"verify", false}};
    const LockNeed vm{"vm/" + volume.vm.str(), false};
    if (std::find(plan.locks.begin(), plan.locks.end(), vm) == plan.locks.end()) plan.locks.push_back(vm);
    const VolumeRef ref{volume, std::nullopt};
    plan.steps.push_back(volume_backing(joiner, ref));
    plan.steps.push_back(volume_configure(joiner, ref));
    plan.steps.push_back(volume_pair(here, ref));
    plan.steps.push_back(volume_up(joiner, ref));
    plan.steps.push_back(volume_following(here, ref));
  }
}

}  // namespace

Plan join(const ClusterState& state, const NodeRecord& here, const NodeRecord& joiner, Json suitability) {
  Plan plan;
  plan.kind = join_kind;
  plan.object = "cluster";
  plan.summary = fmt::format("add {} to the cluster", joiner.name.str());
  std::vector<PoolRecord> pools;
  for (const auto& [key, entry] : state.all(Kind::pool)) {
    if (auto pool = PoolRecord::from_json(entry.value); pool.ok()) pools.push_back(std::move(*pool));
  }
  plan.steps.push_back(join_prepare(here.name, here, joiner));
  for (const PoolRecord& pool : pools) plan.steps.push_back(join_pool(here.name, joiner, pool));
  plan.steps.push_back(join_commit(here.name, joiner));
  plan.steps.push_back(join_adopt(here.name, joiner));
  plan.steps.push_back(join_corosync(here.name, here, joiner));
  plan.steps.push_back(join_together(here.name, joiner, std::move(suitability)));
  add_second_legs(plan, state, here.name, joiner.name);
  return plan;
}

Result<Mutation> set_peer_loss(const ClusterState& state, PeerLoss policy) { return put_setting(state, peer_loss_setting, std::string(to_text(policy))); }

Result<std::vector<Mutation>> update_cluster(const ClusterState& state, const requests::UpdateCluster& request) {
  std::vector<Mutation> mutations;
  if (request.peer_loss) {
    MCV_TRY(Mutation mutation, set_peer_loss(state, *request.peer_loss));
    mutations.push_back(std::move(mutation));
  }
  if (request.verify_age_seconds) {
    const std::string text = *request.verify_age_seconds == 0 ? "off" : std::to_string(*request.verify_age_seconds);
    mutations.push_back(put_setting(state, verify_age_setting, text));
  }
  if (request.verify_parallel) mutations.push_back(put_setting(state, verify_parallel_setting, std::to_string(*request.verify_parallel)));
  if (request.verify_calendar) mutations.push_back(put_setting(state, verify_calendar_setting, *request.verify_calendar));
  return mutations;
}

std::string summary_of(const requests::UpdateCluster& request) {
  std::vector<std::string> words;
  if (request.peer_loss) words.push_back(fmt::format("when a node loses the other one: {}", to_text(*request.peer_loss)));
  if (request.verify_age_seconds && *request.verify_age_seconds == 0) words.emplace_back("no alarm about the age of a verify");
  else if (request.verify_age_seconds) words.push_back(fmt::format("alarm when a verify is older than {}", age_words(*request.verify_age_seconds)));
  if (request.verify_parallel) words.push_back(fmt::format("disks verified at once: {}", *request.verify_parallel));
  if (request.verify_calendar) words.push_back(fmt::format("verifies by timer: {}", *request.verify_calendar));
  return fmt::format("{}", fmt::join(words, "; "));
}

Result<Plan> with_peer_loss(Plan join, const ClusterState& state, const NodeName& here, std::optional<PeerLoss> policy) {
  if (!policy || *policy == peer_loss(state)) return join;
  if (state.setting(peer_loss_setting)) {
    return Error(ErrorCode::bad_request, fmt::format("the policy is {} already", to_text(peer_loss(state))))
        .with_safe("nothing was changed on either node")
        .with_next(fmt::format("hvctl cluster update --peer-loss {}, then the same command again", to_text(*policy)));
  }
  MCV_TRY(Mutation mutation, set_peer_loss(state, *policy));
  join.steps.insert(join.steps.begin(), record(here, {std::move(mutation)}, fmt::format("record that a lost node means {}", to_text(*policy)), /*commits=*/false));
  return join;
}

}  // namespace mcv::plans
