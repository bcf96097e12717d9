// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/pending_delete.h"

#include <algorithm>

namespace mcv {
namespace {

constexpr std::string_view pending_prefix = "pending-delete/";

std::string key_of_pending(const NodeName& node, const VolumeName& volume) { return std::string(pending_prefix) + node.str() + "/" + volume.str(); }

}  // namespace

Json PendingDelete::to_json() const {
  return {{"node", node.str()}, {"volume", volume.to_json()}, {"pool", pool.to_json()}, {"generations", generations}, {"wall_seconds", wall_seconds}};
}

Result<PendingDelete> PendingDelete::from_json(const Json& json) {
  Fields fields(json, "pending delete");
  PendingDelete pending;
  const auto node = fields.required<std::string>("node");
  const Json* volume = fields.object("volume");
  const Json* pool = fields.object("pool");
  pending.generations = fields.required<std::vector<std::string>>("generations");
  pending.wall_seconds = fields.optional_or<std::int64_t>("wall_seconds", 0);
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(pending.node, NodeName::parse(node));
  MCV_TRY(pending.volume, VolumeRecord::from_json(*volume));
  MCV_TRY(pending.pool, PoolRecord::from_json(*pool));
  return pending;
}

bool is_pending_delete(const std::string& setting) { return setting.starts_with(pending_prefix); }

std::vector<PendingDelete> pending_deletes(const ClusterState& state) {
  std::vector<PendingDelete> found;
  for (const auto& [key, entry] : state.all(Kind::setting)) {
    if (!is_pending_delete(key)) continue;
    if (auto pending = PendingDelete::from_json(entry.value); pending.ok()) found.push_back(std::move(*pending));
  }
  return found;
}

Mutation remember_delete(const PendingDelete& pending) {
  Mutation mutation;
  mutation.kind = Kind::setting;
  mutation.key = key_of_pending(pending.node, pending.volume.name);
  mutation.value = pending.to_json();
  return mutation;
}

Mutation forget_delete(const NodeName& node, const VolumeName& volume) {
  Mutation mutation;
  mutation.kind = Kind::setting;
  mutation.key = key_of_pending(node, volume);
  return mutation;
}

bool is_deleted_copy(const PendingDelete& pending, const std::string& current) {
  return std::find(pending.generations.begin(), pending.generations.end(), current) != pending.generations.end();
}

}  // namespace mcv
