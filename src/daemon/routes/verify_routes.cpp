// SPDX-License-Identifier: Apache-2.0
// /v1/verify. One node of a pair runs all verifies, so that there is one queue: the one with the lower id, while both are in
// contact (ADR 0014).
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/plans/verify_plan.h"
#include "cluster/store/abilities.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/judge.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

/// The other node, when verifies are its work.
std::optional<NodeName> desk_elsewhere(const Node& node, const api::ApiCall& call) {
  const auto peer = node.peer_record();
  const auto here = node.own_record();
  if (call.forwarded || !peer || !here.ok() || peer->id > here->id) return std::nullopt;
  if (node.shared.link().state != LinkState::together) return std::nullopt;
  const auto build = node.shared.other_build();
  if (!build || !build->knows || !build->knows->features.contains(feature::verify_desk)) return std::nullopt;
  return peer->name;
}

std::string asker(const api::ApiCall& call, bool scheduled) {
  if (scheduled) return "timer";
  return api::who(call.caller);
}

/// All VMs are more than those a role for one may be for.
Status may_verify(const Node& node, api::ApiCall& call, const requests::Verify& request) {
  if (request.all) return require(node, call, Permission::vm_verify, access::Scope::cluster());
  for (const VmName& vm : request.vms) {
    MCV_CHECK(require(node, call, Permission::vm_verify, access::Scope::vm(vm)));
  }
  return success();
}

asio::awaitable<api::ApiReply> verify_here(Node& node, api::ApiCall call, requests::Verify request) {
  auto plan = plans::verify(node.shared.current(), node.self(), request, asker(call, request.scheduled));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  if (plan.ok() && !dry_run) {
    MCV_CO_CHECK(call.only_query({"dry_run"}));
    const auto joined = plans::verify_to_join(node.operations.unfinished(plans::verify_kind), *plan, request.scheduled);
    const auto plan_joined = joined ? node.operations.plan_of(*joined) : Result<Plan>(Plan());
    // One that compares more than the caller may see is waited for by an operation of its own.
    if (joined && plan_joined.ok() && may_see(node, call.caller, *plan_joined).ok()) {
      MCV_CO_TRY(const OperationView view, node.operations.get(*joined));
      Json body = {{"operation", view.to_json()}};
      body["operation"]["joined"] = true;
      co_return api::reply(std::move(body), 202);
    }
  }
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> verify(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::Verify request, requests::verify(body));
  MCV_CO_CHECK(may_verify(node, call, request));
  if (call.audit) {
    for (const VmName& vm : request.vms) call.audit->vms.push_back(vm.str());
  }
  const auto desk = desk_elsewhere(node, call);
  if (desk) {
    api::ApiCall sent = call;
    auto answer = co_await forward_json(node, *desk, std::move(sent), PeerClient::patient);
    if (answer.ok()) {
      Json reply = value_in(*answer, "body", Json());
      const int status = value_in(*answer, "status", 500);
      co_return api::reply(std::move(reply), status);
    }
    // It never left: then this node says what can be said of each volume.
    if (answer.error().code() != ErrorCode::peer_unreachable) co_return std::move(answer).error();
  }
  co_return co_await verify_here(node, std::move(call), request);
}

/// Replicated volumes of a VM or of that name; all without one. As if the others were not there.
Result<std::vector<VolumeRecord>> volumes_named(const ClusterState& state, const std::string& name, const access::Sight& sight) {
  std::vector<VolumeRecord> chosen;
  for (const VolumeRecord& volume : state.volumes()) {
    if (!sight.covers(volume.vm)) continue;
    if (volume.kind == VolumeKind::drbd && (name.empty() || volume.vm.str() == name || volume.name.str() == name)) chosen.push_back(volume);
  }
  if (chosen.empty() && !name.empty()) {
    return Error(ErrorCode::not_found, fmt::format("there is no VM with a replicated disk, and no replicated disk, named {}", name)).with_next("hvctl drbd list");
  }
  return chosen;
}

/// An open record of a node whose daemon is not in contact may have ended by now.
std::string_view result_text(const Node& node, const VerifyRun& run) {
  const bool is_seen = run.node == node.self().str() || node.shared.link().peer_in_group;
  return run.end == RunEnd::none && !is_seen ? "unknown" : to_text(run.end);
}

Json run_json(const Node& node, const VolumeRecord& volume, const VerifyRun& run) {
  Json ranges = Json::array();
  for (const SectorRange& range : run.ranges) ranges.push_back({{"start", range.start}, {"count", range.count}});
  return {{"vm", volume.vm.str()},
          {"volume", volume.name.str()},
          {"node", run.node},
          {"operation", run.operation},
          {"asked_by", run.asked_by},
          {"wall_seconds", run.began_wall},
          {"seconds", run.lasted_seconds},
          {"result", result_text(node, run)},
          {"text", run.text},
          {"ranges", std::move(ranges)},
          {"range_count", run.range_count},
          {"blocks", run.blocks},
          {"equal_on_recheck_blocks", run.equal_on_recheck_blocks}};
}

asio::awaitable<api::ApiReply> history(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"name"}));
  MCV_CO_TRY(const auto name, call.text("name", 90));
  MCV_CO_TRY(const std::vector<VolumeRecord> volumes, volumes_named(node.shared.current(), name.value_or(""), sight_of(node, call, Permission::vm_show)));
  Json runs = Json::array();
  for (const VolumeRecord& volume : volumes) {
    for (const VerifyRun& run : node.verify_history.of(volume)) runs.push_back(run_json(node, volume, run));
  }
  Json body = {{"kept", verify_runs_kept}, {"runs", std::move(runs)}};
  co_return api::reply(std::move(body));
}

}  // namespace

void add_verify_routes(api::Router& router, Node& node) {
  add(router, node, "POST", "/v1/verify", Permission::vm_verify, Reach::some, verify);
  add(router, node, "GET", "/v1/verify/history", Permission::vm_show, Reach::some, history);
}

}  // namespace mcv::routes
