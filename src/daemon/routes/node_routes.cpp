// SPDX-License-Identifier: Apache-2.0
// /v1/info, /v1/nodes, /v1/node
#include <algorithm>
#include <fmt/format.h>

#include "cluster/requests/requests.h"
#include "daemon/node/firewall.h"
#include "daemon/node/node.h"
#include "daemon/node/node_init.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "daemon/routes/judge.h"
#include "daemon/routes/views.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

asio::awaitable<api::ApiReply> info(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  // Asked first when something is wrong: it runs no tool that a stuck disk could keep.
  Look wanted;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  co_return api::reply(views::info(node, facts, sight_of(node, call, Permission::info_show)));
}

asio::awaitable<api::ApiReply> nodes(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  Look wanted;
  wanted.volume_groups = true;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  co_return api::reply(views::nodes(node.shared.current(), facts, node.self(), sight_of(node, call, Permission::node_list)));
}

asio::awaitable<api::ApiReply> init(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::InitNode request, requests::init_node(body));
  if (dry_run) {
    MCV_CO_TRY(const std::vector<std::string> lines, co_await would_init_node(node, request));
    co_return would_do(node.self(), "init", lines);
  }
  MCV_CO_TRY(const std::vector<std::string> done, co_await init_node(node, request));
  Json answer = {{"result", {{"done", done}}}};
  co_return api::reply(std::move(answer));
}

asio::awaitable<api::ApiReply> set_addresses(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::SetAddresses request, requests::set_addresses(body));
  if (dry_run) {
    MCV_CO_CHECK(co_await may_set_addresses(node, request));
    std::vector<std::string> lines;
    if (request.cluster_address) lines.push_back(fmt::format("record {} as the cluster address of {}", *request.cluster_address, node.self().str()));
    if (request.drbd_address) lines.push_back(fmt::format("record {} as the replication address of {}", *request.drbd_address, node.self().str()));
    co_return would_do(node.self(), "record", lines);
  }
  MCV_CO_TRY(const Committed done, co_await mcv::set_addresses(node, request));
  MCV_CO_TRY(const NodeRecord record, node.own_record());
  Json answer = {{"result", {{"text", "addresses recorded"}, {"firewall", firewall_rules(record)}}}, {"durability", durability_text(node, done)}};
  co_return api::reply(std::move(answer));
}

std::vector<std::string> parts_of_leave(const Node& node) {
  std::vector<std::string> lines;
  for (const VmRecord& vm : node.shared.current().vms()) {
    if (vm.owner == node.self()) lines.push_back(fmt::format("shut down {}, if it runs: a minute, then its power is cut", vm.name.str()));
  }
  lines.emplace_back("close the replicated disks");
  if (const auto peer = node.peer_record()) lines.push_back(fmt::format("have it on both nodes that {} left and {} may go on; or say that nobody was told", node.self().str(), peer->name.str()));
  return lines;
}

/// What the package's unit asks for at every shutdown; refused at any other time, but what it would do is told.
asio::awaitable<api::ApiReply> leave(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const Json body, call.json());
  Fields fields(body, "leave");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_CHECK(node.own_record());
  if (dry_run) co_return would_do(node.self(), "leave", parts_of_leave(node));
  MCV_CO_TRY(const NodeLeave::Report report, co_await node.leave.run());
  Json answer = {{"result", {{"left", report.left}, {"done", report.lines}}}};
  co_return api::reply(std::move(answer));
}

}  // namespace

void add_node_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/info", Permission::info_show, Reach::some, info);
  add(router, node, "GET", "/v1/nodes", Permission::node_list, Reach::some, nodes);
  add(router, node, "POST", "/v1/node/init", Permission::node_init, Reach::cluster, init);
  add(router, node, "PUT", "/v1/node/addresses", Permission::node_address, Reach::cluster, set_addresses);
  add(router, node, "POST", "/v1/node/leave", Permission::node_leave, Reach::cluster, leave);
}

}  // namespace mcv::routes
