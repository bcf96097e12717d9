// SPDX-License-Identifier: Apache-2.0
// /v1/vms/{name}/resync, /v1/vms/{name}/attach, /v1/snapshots
#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/core/json_value.h"
#include "cluster/model/vm_lock.h"
#include "cluster/plans/attach_plan.h"
#include "cluster/plans/resync_plan.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/judge.h"
#include "storage/lvm/snapshot.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

Result<VmRecord> vm_of(const Node& node, const api::ApiCall& call) {
  MCV_TRY(const VmName name, VmName::parse(call.param("name")));
  return node.shared.current().vm(name);
}

Json shown(const VmRecord& vm, const std::vector<plans::ResyncPart>& parts) {
  Json volumes = Json::array();
  for (const plans::ResyncPart& part : parts) {
    volumes.push_back({{"volume", part.leg.volume.name.str()},
                       {"source", part.leg.source.str()},
                       {"target", part.leg.target.str()},
                       {"advised", part.advised},
                       {"reason", part.reason},
                       {"marked_kib", part.leg.marked_kib},
                       {"full", part.leg.full},
                       {"size", part.leg.volume.size.count()}});
  }
  return {{"vm", vm.name.str()}, {"volumes", std::move(volumes)}};
}

/// Against the records only with a person's word.
Status check_confirmed(const VmRecord& vm, const std::vector<plans::ResyncPart>& parts, const requests::ResyncVm& request) {
  const auto against = std::find_if(parts.begin(), parts.end(), [](const plans::ResyncPart& part) { return !part.advised; });
  if (against == parts.end() || request.source_confirmed) return success();
  return Error(ErrorCode::not_confirmed, fmt::format("the copy of {} on {} would be overwritten, against or without what is recorded ({})", against->leg.volume.name.str(),
                                                     against->leg.target.str(), against->reason))
      .with_safe("neither copy was touched")
      .with_next(fmt::format("hvctl resync --source {} {}", against->leg.source.str(), vm.name.str()));
}

asio::awaitable<api::ApiReply> resync(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::ResyncVm request, requests::resync_vm(body));
  if (request.check_only) call.only_looks();
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  Look wanted;
  wanted.volume_groups = true;
  wanted.room = true;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  MCV_CO_TRY(const std::vector<plans::ResyncPart> parts, plans::resync_parts(node.shared.current(), facts, vm, request));
  Plan plan = plans::resync(vm, node.self(), parts);
  if (request.check_only || dry_run) {
    Json answer = {{"resync", shown(vm, parts)}};
    if (dry_run) answer["plan"] = dry_run_json(plan);
    co_return api::reply(std::move(answer));
  }
  MCV_CO_CHECK(check_confirmed(vm, parts, request));
  MCV_CO_CHECK(still_may(node, call));
  for (const plans::ResyncPart& part : parts) {
    spdlog::warn("{}: {} is copied from {} to {} ({}), asked by {}", part.leg.volume.name.str(), part.leg.full ? "everything" : fmt::format("{} KiB", part.leg.marked_kib),
                 part.leg.source.str(), part.leg.target.str(), part.reason, api::who(call.caller));
  }
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> follow(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  auto plan = plans::follow_resync(node.shared.current(), vm, node.self());
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

/// Whose copy of each disk has everything, as the records of both nodes say.
std::map<VolumeName, NodeName> newest_copies(const Node& node, const VmRecord& vm) {
  const authority::Standpoint now = node.authority.standpoint();
  std::map<VolumeName, NodeName> newest;
  for (const VolumeRecord& volume : node.shared.current().volumes_of(vm)) {
    for (const auto& [one, other] : {std::pair(now.self, now.peer), std::pair(now.peer, now.self)}) {
      const bool other_is_behind = now.ledger.stands(one, volume.name) || now.consents.stands(other, volume.name);
      const bool is_behind = now.ledger.stands(other, volume.name) || now.consents.stands(one, volume.name);
      if (other_is_behind && !is_behind) newest[volume.name] = one;
    }
  }
  return newest;
}

asio::awaitable<api::ApiReply> attach_lost(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::AttachDisks request, requests::attach_disks(body));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  Look wanted;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  const plans::AttachQuestion question{node.shared.current(), facts, vm, request, newest_copies(node, vm)};
  Result<Plan> plan = plans::attach_disks(question);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

/// A snapshot of a disk that is gone is seen by who sees everything.
bool is_seen(const Node& node, const access::Sight& sight, const lvm::Snapshot& snapshot) {
  if (sight.everything()) return true;
  const auto name = VolumeName::parse(snapshot.volume);
  const auto volume = name.ok() ? node.shared.current().volume(*name) : Result<VolumeRecord>(name.error());
  return volume.ok() && sight.covers(volume->vm);
}

asio::awaitable<Result<Json>> own_snapshots(Node& node, access::Sight sight) {
  MCV_CO_TRY(const std::vector<lvm::Snapshot> found, co_await lvm::snapshots(node.host));
  Json list = Json::array();
  for (const lvm::Snapshot& snapshot : found) {
    if (!is_seen(node, sight, snapshot)) continue;
    list.push_back({{"node", node.self().str()},
                    {"name", snapshot.name},
                    {"volume", snapshot.volume},
                    {"volume_group", snapshot.volume_group},
                    {"operation", snapshot.operation},
                    {"wall_seconds", snapshot.wall_seconds},
                    {"size", snapshot.size.count()}});
  }
  co_return list;
}

/// Of both nodes: what was overwritten is never on the node whose copy was good.
asio::awaitable<api::ApiReply> list_snapshots(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  access::Sight sight = sight_of(node, call, Permission::storage_list);
  MCV_CO_TRY(Json list, co_await own_snapshots(node, std::move(sight)));
  Json silent = Json::array();
  const auto peer = node.peer_record();
  if (peer && !call.forwarded) {
    const std::string name = peer->name.str();
    auto there = co_await forward_json(node, peer->name, std::move(call), PeerClient::quick);
    const Json answer = there.ok() ? value_in(*there, "body", Json::object()) : Json::object();
    if (answer.contains("snapshots")) {
      for (const Json& snapshot : answer.at("snapshots")) list.push_back(snapshot);
    } else {
      silent.push_back(name);
    }
  }
  Json body = {{"snapshots", std::move(list)}, {"silent", std::move(silent)}};
  co_return api::reply(std::move(body));
}

/// Of a VM's disk, while the VM is there.
Result<VmRecord> vm_of(const Node& node, const lvm::Snapshot& snapshot) {
  MCV_TRY(const VolumeName name, VolumeName::parse(snapshot.volume));
  MCV_TRY(const VolumeRecord volume, node.shared.current().volume(name));
  return node.shared.current().vm(volume.vm);
}

/// Where this node has the snapshot: whether a lock keeps it.
asio::awaitable<Status> may_delete_snapshot(Node& node, const api::ApiCall& call) {
  const std::string name = call.param("name");
  MCV_CO_TRY(const std::vector<lvm::Snapshot> found, co_await lvm::snapshots(node.host));
  for (const lvm::Snapshot& snapshot : found) {
    if (snapshot.name != name) continue;
    const auto vm = vm_of(node, snapshot);
    if (!vm.ok()) continue;
    if (call.audit) call.audit->vms = {vm->name.str()};
    MCV_CO_CHECK(check_lock(*vm, VmUse::delete_snapshot));
  }
  co_return success();
}

/// Of the node that has it.
asio::awaitable<api::ApiReply> would_delete_snapshot(Node& node, api::ApiCall call) {
  const std::string name = call.param("name");
  MCV_CO_TRY(const std::vector<lvm::Snapshot> found, co_await lvm::snapshots(node.host));
  for (const lvm::Snapshot& snapshot : found) {
    if (snapshot.name == name) co_return would_do(node.self(), "delete", {fmt::format("delete {}/{}, what a repair of {} has overwritten, for good", snapshot.volume_group, name, snapshot.volume)});
  }
  const auto peer = node.peer_record();
  if (peer && !call.forwarded) co_return co_await forward(node, peer->name, std::move(call), PeerClient::quick);
  co_return Error(ErrorCode::not_found, fmt::format("no snapshot of a repair is called {}", name)).with_next("hvctl storage list-snapshots");
}

asio::awaitable<api::ApiReply> delete_snapshot(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  const std::string name = call.param("name");
  MCV_CO_CHECK(co_await may_delete_snapshot(node, call));
  if (dry_run) co_return co_await would_delete_snapshot(node, std::move(call));
  MCV_CO_CHECK(still_may(node, call));
  const Status removed = co_await lvm::remove_snapshot(node.host, name);
  const auto peer = node.peer_record();
  const bool may_be_there = !removed.ok() && removed.error().code() == ErrorCode::not_found && peer && !call.forwarded;
  if (may_be_there) co_return co_await forward(node, peer->name, std::move(call), PeerClient::patient);
  if (!removed.ok()) co_return removed.error();
  Json answer = {{"result", {{"text", fmt::format("the snapshot {} is deleted", name)}}}, {"durability", "single node"}};
  co_return api::reply(std::move(answer));
}

}  // namespace

void add_resync_routes(api::Router& router, Node& node) {
  add(router, node, "POST", "/v1/vms/{name}/resync", Permission::vm_resync, Reach::vm, resync);
  add(router, node, "POST", "/v1/vms/{name}/resync/follow", Permission::vm_resync, Reach::vm, follow);
  add(router, node, "POST", "/v1/vms/{name}/attach", Permission::vm_resync, Reach::vm, attach_lost);
  add(router, node, "GET", "/v1/snapshots", Permission::storage_list, Reach::some, list_snapshots);
  add(router, node, "DELETE", "/v1/snapshots/{name}", Permission::storage_delete, Reach::cluster, delete_snapshot);
}

}  // namespace mcv::routes
