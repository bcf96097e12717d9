// SPDX-License-Identifier: Apache-2.0
// /v1/storage, /v1/networks, /v1/drbd
#include <fmt/format.h>

#include "cluster/plans/cluster_plans.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/judge.h"
#include "daemon/routes/views.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

asio::awaitable<api::ApiReply> list_networks(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  Look wanted;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  co_return api::reply(views::networks(node.shared.current(), facts, sight_of(node, call, Permission::network_list)));
}

asio::awaitable<api::ApiReply> create_network(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(node.own_record());
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::CreateNetwork request, requests::create_network(body));
  Look wanted;
  MCV_CO_TRY(const plans::Facts facts, co_await node.look_to_change(std::move(wanted)));
  auto mutation = plans::create_network(node.shared.current(), facts, request);
  std::string summary = fmt::format("network {} on bridge {}", request.name.str(), request.bridge);
  co_return co_await run_change(node, std::move(call), std::move(summary), std::move(mutation));
}

asio::awaitable<api::ApiReply> delete_network(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const NetworkName name, NetworkName::parse(call.param("name")));
  auto mutation = plans::delete_network(node.shared.current(), name);
  std::string summary = fmt::format("network {} deleted", name.str());
  co_return co_await run_change(node, std::move(call), std::move(summary), std::move(mutation));
}

asio::awaitable<api::ApiReply> list_pools(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  access::Sight sight = sight_of(node, call, Permission::storage_list);
  MCV_CO_TRY(Json body, co_await views::pools(node, std::move(sight)));
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> create_pool(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(node.own_record());
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::CreatePool request, requests::create_pool(body));
  Look wanted;
  wanted.volume_groups = request.kind != PoolKind::directory;
  wanted.room = wanted.volume_groups;
  MCV_CO_TRY(const plans::Facts facts, co_await node.look_to_change(std::move(wanted)));
  auto plan = plans::create_pool(node.shared.current(), facts, node.self(), request);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> delete_pool(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const PoolName name, PoolName::parse(call.param("name")));
  auto plan = plans::delete_pool(node.shared.current(), node.self(), name);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> enable_drbd(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_CHECK(node.own_record());
  auto plan = plans::enable_drbd(node.shared.current(), node.self());
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> list_drbd(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  co_return api::reply(views::drbd(node, sight_of(node, call, Permission::drbd_list)));
}

}  // namespace

void add_storage_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/networks", Permission::network_list, Reach::some, list_networks);
  add(router, node, "POST", "/v1/networks", Permission::network_create, Reach::cluster, create_network);
  add(router, node, "DELETE", "/v1/networks/{name}", Permission::network_delete, Reach::cluster, delete_network);
  add(router, node, "GET", "/v1/storage", Permission::storage_list, Reach::some, list_pools);
  add(router, node, "POST", "/v1/storage", Permission::storage_create, Reach::cluster, create_pool);
  add(router, node, "DELETE", "/v1/storage/{name}", Permission::storage_delete, Reach::cluster, delete_pool);
  add(router, node, "GET", "/v1/drbd", Permission::drbd_list, Reach::some, list_drbd);
  add(router, node, "POST", "/v1/drbd/enable", Permission::drbd_enable, Reach::cluster, enable_drbd);
}

}  // namespace mcv::routes
