// SPDX-License-Identifier: Apache-2.0
// /v1/cluster
#include <fmt/format.h>

#include "cluster/peer/connect_string.h"
#include "cluster/plans/cluster_plans.h"
#include "cluster/store/abilities.h"
#include "daemon/join/join_service.h"
#include "daemon/join/suitability.h"
#include "daemon/node/node.h"
#include "daemon/node/node_init.h"
#include "daemon/node/verify_timer.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "daemon/routes/judge.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

Result<std::optional<std::string>> wanted_address(const Json& body) {
  Fields fields(body, "connect-string");
  auto address = fields.optional<std::string>("cluster_address");
  MCV_CHECK(fields.finish());
  if (!address) return std::optional<std::string>();
  MCV_TRY(std::string parsed, requests::parse_address(*address));
  return std::optional<std::string>(std::move(parsed));
}

asio::awaitable<api::ApiReply> connect_string(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const auto address, wanted_address(body));
  MCV_CO_TRY(NodeRecord record, node.own_record());
  if (node.shared.current().is_cluster()) {
    co_return Error(ErrorCode::already_clustered, fmt::format("{} is in a cluster already", node.self().str())).with_safe("nothing was changed").with_next("hvctl info");
  }
  std::vector<std::string> lines;
  if (address && *address != record.cluster_address) {
    requests::SetAddresses request;
    request.cluster_address = *address;
    if (dry_run) {
      MCV_CO_CHECK(co_await may_set_addresses(node, std::move(request)));
      record.cluster_address = *address;
      lines.push_back(fmt::format("record {} as the cluster address of {}", *address, node.self().str()));
    } else {
      MCV_CO_CHECK(co_await set_addresses(node, std::move(request)));
      MCV_CO_TRY(record, node.own_record());
    }
  }
  if (record.cluster_address.empty()) {
    co_return Error(ErrorCode::address_not_local, fmt::format("{} has no cluster address yet", node.self().str())).with_next("hvctl node set-ip-address ADDRESS");
  }
  if (dry_run) {
    lines.push_back(fmt::format("make a connect string for one join, for {} minutes; an earlier one stops working", std::chrono::duration_cast<std::chrono::minutes>(join::Invitations::lifetime).count()));
    co_return would_do(node.self(), "invite", lines);
  }
  MCV_CO_CHECK(still_may(node, call));
  MCV_CO_CHECK(node.listen_for_peer());
  ConnectString value;
  value.name = node.self();
  value.address = record.cluster_address;
  value.port = record.peer_port;
  value.fingerprint = record.fingerprint;
  value.token = node.invitations.issue();
  value.version = node.settings.version;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(join::Invitations::lifetime).count();
  Json answer = {{"connect_string", encode_connect_string(value)}, {"expires_seconds", seconds}};
  co_return api::reply(std::move(answer));
}

Status may_add(const Node& node, const NodeRecord& here) {
  if (node.shared.current().is_cluster()) {
    return Error(ErrorCode::already_clustered, "this cluster has two nodes already; more are not supported").with_safe("nothing was changed").with_next("hvctl info");
  }
  if (here.cluster_address.empty()) {
    return Error(ErrorCode::address_not_local, fmt::format("{} has no cluster address yet", here.name.str())).with_safe("nothing was changed").with_next("hvctl node set-ip-address ADDRESS");
  }
  return success();
}

/// Presents the token and gets the other node's facts.
asio::awaitable<Result<join::JoinFacts>> hello(Node& node, NodeRecord here, ConnectString target) {
  host::PeerEndpoint endpoint{target.address, target.port, target.fingerprint};
  Json body = {{"token", target.token}, {"node", here.to_json()}};
  MCV_CO_TRY(const Json answer, co_await node.peer.post_to(std::move(endpoint), "/peer/v1/join/hello", std::move(body), PeerClient::patient));
  co_return join::join_facts_from_json(answer);
}

asio::awaitable<api::ApiReply> add_node(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::AddNode request, requests::add_node(body));
  if (request.check_only) call.only_looks();
  MCV_CO_TRY(const ConnectString target, parse_connect_string(request.connect_string));
  MCV_CO_TRY(const NodeRecord here, node.own_record());
  MCV_CO_CHECK(may_add(node, here));
  MCV_CO_TRY(join::JoinFacts facts_here, co_await node.join_facts());
  auto said_hello = co_await hello(node, here, target);
  if (!said_hello.ok()) co_return std::move(said_hello).error().with_context("asking " + target.name.str());
  const join::JoinFacts facts_there = *said_hello;
  facts_here.reaches_drbd = co_await join::reaches_replication(node, facts_there.node);
  const auto rows = join::suitability(node.shared.current(), facts_here, facts_there, request.node, request.address);
  if (request.check_only) {
    Json answer = {{"suitability", join::to_json(rows)}, {"suitable", !join::has_failure(rows)}};
    co_return api::reply(std::move(answer));
  }
  if (join::has_failure(rows)) co_return join::to_error(rows, facts_there.node.name);
  NodeRecord joiner = facts_there.node;
  // The node that stayed after a removal keeps the id it had.
  joiner.id = here.id == 2 ? 1 : 2;
  joiner.fingerprint = target.fingerprint;
  auto plan = plans::with_peer_loss(plans::join(node.shared.current(), here, joiner, join::to_json(rows)), node.shared.current(), node.self(), request.peer_loss);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> abandon(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  MCV_CO_TRY(const Json body, call.json());
  Fields fields(body, "abandon");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_CHECK(co_await node.join_watch.may_abandon());
  const std::string inviter = node.reservation.kept() ? node.reservation.kept()->inviter.name.str() : "";
  if (dry_run) {
    Json step = {{"step", "abandon"}, {"node", node.self().str()}, {"text", fmt::format("end the join with {} here, and remove what it made", inviter)}};
    Json plan = {{"plan", Json::array({std::move(step)})}};
    co_return api::reply(std::move(plan));
  }
  MCV_CO_CHECK(still_may(node, call));
  MCV_CO_CHECK(co_await node.join_watch.free());
  Json answer = {{"result", {{"inviter", inviter}}}, {"durability", "cluster of one"}};
  co_return api::reply(std::move(answer));
}

asio::awaitable<api::ApiReply> update(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(node.own_record());
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::UpdateCluster request, requests::update_cluster(body));
  if (request.verify_calendar && *request.verify_calendar != "off") {
    MCV_CO_CHECK(co_await check_calendar(node, *request.verify_calendar));
  }
  auto mutations = plans::update_cluster(node.shared.current(), request);
  std::string summary = plans::summary_of(request);
  co_return co_await run_changes(node, std::move(call), std::move(summary), std::move(mutations));
}

/// A change like any other; that both builds know the format is checked once more where both take it.
asio::awaitable<api::ApiReply> upgrade_format(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  Fields fields(body, "upgrade-format");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_CHECK(node.own_record());
  const ClusterState& state = node.shared.current();
  const std::uint64_t present = format_of(state);
  const auto next = next_format(state, node.self().str(), node.shared.abilities(), node.shared.other_build());
  if (!next.ok()) co_return next.error();
  if (*next == present) {
    MCV_CO_CHECK(call.only_query({"dry_run"}));
    MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
    Json nothing = {{"plan", Json::array()}};
    if (dry_run) co_return api::reply(std::move(nothing));
    Json answer = {{"result", {{"text", fmt::format("the format is {} already, and no build here knows a newer one", present)}}}, {"durability", state.is_cluster() ? "both nodes" : "cluster of one"}};
    co_return api::reply(std::move(answer));
  }
  std::string summary = fmt::format("write format {} of the configuration instead of {}", *next, present);
  Result<Mutation> mutation = put_setting(state, format_setting, std::to_string(*next));
  co_return co_await run_change(node, std::move(call), std::move(summary), std::move(mutation));
}

}  // namespace

void add_cluster_routes(api::Router& router, Node& node) {
  add(router, node, "POST", "/v1/cluster/connect-string", Permission::cluster_join, Reach::cluster, connect_string);
  add(router, node, "PATCH", "/v1/cluster", Permission::cluster_update, Reach::cluster, update);
  add(router, node, "POST", "/v1/cluster/upgrade-format", Permission::cluster_update, Reach::cluster, upgrade_format);
  add(router, node, "POST", "/v1/cluster/add-node", Permission::cluster_add_node, Reach::cluster, add_node);
  add(router, node, "POST", "/v1/cluster/join/abandon", Permission::cluster_join, Reach::cluster, abandon);
}

}  // namespace mcv::routes
