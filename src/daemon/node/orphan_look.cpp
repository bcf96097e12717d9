// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/orphan_look.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/model/pending_delete.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// What they do is no volume's making.
bool makes_nothing(const std::string& kind, const std::string& object) { return object.starts_with("orphan/") || kind.find("verify") != std::string::npos || kind == "resync-follow"; }

void add_operation(OrphanLook& look, const ClusterState& state, const NodeName& self, const std::string& id, const std::string& kind, const std::string& object) {
  if (makes_nothing(kind, object)) return;
  look.belongs.operations.insert(id);
  if (object.starts_with("vm/")) {
    look.belongs.vms_in_operation.insert(VmName::trusted(object.substr(3)));
  } else if (object.starts_with("pool/")) {
    // In the making: neither its record nor its volume group is known yet.
    if (state.pool(PoolName::trusted(object.substr(5))).ok()) return;
    look.unsure = fmt::format("operation {} ({}) has not ended", id, kind);
  } else {
    look.unsure = fmt::format("operation {} ({}) has not ended, and concerns {}", id, kind, self.str());
  }
}

void add_records(OrphanLook& look, const Node& node) {
  const ClusterState& state = node.shared.current();
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind == VolumeKind::drbd || volume.node == node.self().str()) look.belongs.volumes.insert(volume.name);
    else look.belongs.of_other_node[volume.name] = volume.node;
  }
  for (const PendingDelete& pending : pending_deletes(state)) {
    if (pending.node != node.self()) continue;
    const std::string problem = node.late_deletes.problem(pending.volume.name);
    look.belongs.pending[pending.volume.name] = problem.empty() ? std::string("deleted while this node was away, and removed by itself soon") : "deleted while this node was away; " + problem;
  }
  for (const auto& [key, entry] : state.all(Kind::pool)) {
    const auto pool = PoolRecord::from_json(entry.value);
    if (!pool.ok()) look.unsure = fmt::format("the record of the storage pool {} cannot be read", key);
    else if (pool->kind == PoolKind::thin) look.belongs.thin_pools.insert(pool->volume_group_on(node.self()) + "/" + pool->thin_pool);
  }
}

std::string unsettled(const Node& node) {
  if (node.departure.is_passive()) return "this node was removed from its cluster, and puts its copies aside";
  if (node.reservation.kept()) return "this node is being added to a cluster";
  const LinkState link = node.shared.link().state;
  if (link != LinkState::together && link != LinkState::single) return "the nodes do not share their configuration now";
  if (!node.has_resumed()) return "the operations of this node are still being read";
  return {};
}

}  // namespace

Json unfinished_operations(const Node& node) {
  Json list = Json::array();
  for (const OperationView& view : node.operations.list()) {
    if (view.may_go_on()) list.push_back({{"id", view.id.str()}, {"kind", view.kind}, {"object", view.object}});
  }
  return list;
}

namespace {

/// What is not understood could be what something belongs to.
bool are_operations(const Json& list) {
  return list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& one) { return !value_in(one, "id", "").empty() && !value_in(one, "kind", "").empty(); });
}

}  // namespace

asio::awaitable<OrphanLook> what_belongs_here(Node& node) {
  // The other node first: what it begins after it was asked has its record or its operation here, too, before it makes anything.
  Json unfinished = Json::array();
  OrphanLook look;
  if (const auto peer = node.peer_record()) {
    auto answer = co_await node.peer.post(*peer, "/peer/v1/operations", Json::object(), PeerClient::quick);
    const Json theirs = answer.ok() ? value_in(*answer, "operations", Json()) : Json();
    if (are_operations(theirs)) unfinished = theirs;
    else look.unsure = fmt::format("{} does not say what it does", peer->name.str());
  }
  for (Json& one : unfinished_operations(node)) unfinished.push_back(std::move(one));
  add_records(look, node);
  for (const Json& one : unfinished) {
    add_operation(look, node.shared.current(), node.self(), value_in(one, "id", ""), value_in(one, "kind", ""), value_in(one, "object", ""));
  }
  if (std::string why = unsettled(node); !why.empty()) look.unsure = std::move(why);
  co_return look;
}

}  // namespace mcv
