// SPDX-License-Identifier: Apache-2.0
// /v1/cluster/remove-node, /v1/quarantine
#include <fmt/format.h>

#include "cluster/authority/removal.h"
#include "cluster/plans/removal_plan.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "storage/lvm/quarantine.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

asio::awaitable<api::ApiReply> remove_node(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::RemoveNode request, requests::remove_node(body));
  MCV_CO_CHECK(node.own_record());
  plans::Facts facts;
  if (!request.dead) {
    Look wanted;
    facts = co_await node.look_everywhere(std::move(wanted));
  }
  auto plan = plans::remove_node(node.shared.current(), facts, node.self(), request);
  if (plan.ok() && request.dead) {
    // Asked here so that nobody waits for a refusal, and again by the step that commits.
    MCV_CO_CHECK(co_await node.authority.may_remove_dead());
  }
  if (plan.ok() && !request.dead && node.shared.current().setting("drbd") == "enabled") {
    MCV_CO_CHECK(authority::copies_may_stay_alone(node.authority.standpoint(), node.shared.current(), node.drbd.volumes()));
  }
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> list_quarantined(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const std::vector<lvm::Quarantined> found, co_await lvm::quarantined(node.host));
  Json list = Json::array();
  for (const lvm::Quarantined& copy : found) {
    list.push_back({{"name", copy.name}, {"volume", copy.volume}, {"volume_group", copy.volume_group}, {"removal", copy.removal}, {"size", copy.size.count()}});
  }
  Json answer = {{"node", node.self().str()}, {"copies", std::move(list)}};
  co_return api::reply(std::move(answer));
}

asio::awaitable<api::ApiReply> delete_quarantined(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  std::string name = call.param("name");
  if (dry_run) {
    MCV_CO_TRY(const std::vector<lvm::Quarantined> found, co_await lvm::quarantined(node.host));
    for (const lvm::Quarantined& copy : found) {
      if (copy.name == name) co_return would_do(node.self(), "delete", {fmt::format("delete {}/{}, a copy of {}, for good", copy.volume_group, copy.name, copy.volume)});
    }
    co_return Error(ErrorCode::not_found, fmt::format("no copy in quarantine is called {}", name)).with_next("hvctl storage list-quarantined");
  }
  const std::string text = fmt::format("the copy {} is deleted", name);
  MCV_CO_CHECK(co_await lvm::remove_quarantined(node.host, std::move(name)));
  Json answer = {{"result", {{"text", text}}}, {"durability", "single node"}};
  co_return api::reply(std::move(answer));
}

}  // namespace

void add_removal_routes(api::Router& router, Node& node) {
  add(router, node, "POST", "/v1/cluster/remove-node", Permission::cluster_remove_node, Reach::cluster, remove_node);
  add(router, node, "GET", "/v1/quarantine", Permission::storage_list, Reach::cluster, list_quarantined);
  add(router, node, "DELETE", "/v1/quarantine/{name}", Permission::storage_delete, Reach::cluster, delete_quarantined);
}

}  // namespace mcv::routes
