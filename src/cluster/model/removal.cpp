// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/removal.h"

#include "cluster/model/pending_delete.h"

namespace mcv {
namespace {

std::string key_of(const std::string& fingerprint) { return "removed/" + fingerprint; }

}  // namespace

std::optional<NodeName> being_removed(const ClusterState& state) {
  const auto name = state.setting(removing_setting);
  if (!name) return std::nullopt;
  return NodeName::trusted(*name);
}

Json RemovedNode::to_json() const { return {{"node", node.to_json()}, {"generation", generation}, {"removal", removal.str()}}; }

Result<RemovedNode> RemovedNode::from_json(const Json& json) {
  Fields fields(json, "removed node");
  RemovedNode removed;
  const Json* node = fields.object("node");
  removed.generation = fields.required<std::uint64_t>("generation");
  const auto removal = fields.required<std::string>("removal");
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(removed.node, NodeRecord::from_json(*node));
  MCV_TRY(removed.removal, OperationId::parse(removal));
  return removed;
}

std::optional<RemovedNode> removed_by_key(const ClusterState& state, const std::string& fingerprint) {
  const auto text = state.setting(key_of(fingerprint));
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  if (!json.ok()) return std::nullopt;
  auto removed = RemovedNode::from_json(*json);
  if (!removed.ok()) return std::nullopt;
  return std::move(*removed);
}

std::optional<Mutation> forget_removal(const ClusterState& state, const std::string& fingerprint) {
  if (!state.setting(key_of(fingerprint))) return std::nullopt;
  return erase_at(state, Kind::setting, key_of(fingerprint));
}

std::vector<Mutation> removal_mutations(const ClusterState& state, const NodeRecord& leaver, const NodeName& heir, const OperationId& removal,
                                        const LogStamp& after) {
  std::vector<Mutation> mutations;
  mutations.push_back(erase_at(state, Kind::node, leaver.name.str()));
  if (being_removed(state)) mutations.push_back(erase_at(state, Kind::setting, removing_setting));
  const RemovedNode removed{leaver, after.counter, removal};
  mutations.push_back(put_setting(state, key_of(leaver.fingerprint), canonical(removed.to_json())));
  // Its copies go into quarantine, those it still had of deleted disks with them.
  for (const PendingDelete& pending : pending_deletes(state)) {
    if (pending.node == leaver.name) mutations.push_back(forget_delete(pending.node, pending.volume.name));
  }
  for (const VmRecord& vm : state.vms()) {
    if (vm.owner != leaver.name) continue;
    Json owner = {{"owner", heir.str()}};
    Json before = {{"owner", leaver.name.str()}};
    mutations.push_back(patch(Kind::vm, vm.name.str(), std::move(owner), std::move(before)));
  }
  for (VolumeRecord volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    volume.verdict = Verdict{};
    volume.verdict.node = heir.str();
    volume.verdict.after = after;
    Json verdict = {{"verdict", volume.to_json().at("verdict")}};
    mutations.push_back(patch(Kind::volume, volume.name.str(), std::move(verdict)));
  }
  return mutations;
}

}  // namespace mcv
