// SPDX-License-Identifier: Apache-2.0
// /v1/orphans: what belongs to no record and no operation, on both nodes; removed one by one, when somebody asks.
#include <algorithm>
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/model/pending_delete.h"
#include "cluster/plans/orphan_plan.h"
#include "daemon/node/node.h"
#include "daemon/node/orphan_look.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

/// What to do with it.
std::string next_of_orphan(const drbd::Orphan& orphan, const NodeName& node) {
  const Status may = drbd::may_remove(orphan);
  return may.ok() ? fmt::format("hvctl storage delete-orphan {} --node {}", orphan.name, node.str()) : fmt::format("on {}: {}", node.str(), may.error().next());
}

asio::awaitable<Result<Json>> own_orphans(Node& node) {
  const OrphanLook look = co_await what_belongs_here(node);
  MCV_CO_TRY(const std::vector<drbd::Orphan> found, co_await drbd::find_orphans(node.host, node.drbd, look.belongs));
  Json list = Json::array();
  for (const drbd::Orphan& orphan : found) {
    list.push_back({{"node", node.self().str()},
                    {"name", orphan.name},
                    {"kind", drbd::to_text(orphan.kind)},
                    {"why", orphan.why},
                    {"since", orphan.since == 0 ? Json() : Json(orphan.since)},
                    {"size", orphan.size.count()},
                    {"parts", orphan.parts},
                    {"in_use", orphan.used},
                    {"next", next_of_orphan(orphan, node.self())}});
  }
  Json unsure = Json::array();
  if (!look.unsure.empty() && !list.empty()) unsure.push_back({{"node", node.self().str()}, {"why", look.unsure}});
  Json answer = {{"orphans", std::move(list)}, {"unsure", std::move(unsure)}, {"silent", Json::array()}};
  co_return answer;
}

/// What a node that does not answer has of disks that were deleted without it, as the shared records say.
Json kept_by_silent(const Node& node, const std::string& silent) {
  Json list = Json::array();
  for (const PendingDelete& pending : pending_deletes(node.shared.current())) {
    if (pending.node.str() != silent) continue;
    list.push_back({{"node", silent},
                    {"name", pending.volume.resource()},
                    {"kind", "pending"},
                    {"why", fmt::format("deleted while {} was away", silent)},
                    {"since", pending.wall_seconds == 0 ? Json() : Json(pending.wall_seconds)},
                    {"size", pending.volume.size.count()},
                    {"parts", Json::array()},
                    {"in_use", Json::array()},
                    {"next", fmt::format("nothing has to be done: when {} is back it removes it by itself", silent)}});
  }
  return list;
}

asio::awaitable<api::ApiReply> list_orphans(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(Json answer, co_await own_orphans(node));
  const auto peer = node.peer_record();
  if (peer && !call.forwarded) {
    const std::string name = peer->name.str();
    auto there = co_await forward_json(node, peer->name, std::move(call), PeerClient::patient);
    const Json body = there.ok() ? value_in(*there, "body", Json::object()) : Json::object();
    if (!body.contains("orphans")) {
      answer["silent"].push_back(name);
      for (Json& one : kept_by_silent(node, name)) answer["orphans"].push_back(std::move(one));
    }
    for (const char* key : {"orphans", "unsure"}) {
      const Json more = value_in(body, key, Json::array());
      for (const Json& one : more) answer[key].push_back(one);
    }
  }
  co_return api::reply(std::move(answer));
}

asio::awaitable<api::ApiReply> delete_orphan(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const NodeName where, NodeName::parse(call.param("node")));
  const std::string name = call.param("name");
  if (where != node.self()) {
    MCV_CO_TRY(const NodeRecord there, node.member(where));
    co_return co_await forward(node, there.name, std::move(call), PeerClient::patient);
  }
  const OrphanLook look = co_await what_belongs_here(node);
  if (!look.unsure.empty()) {
    co_return Error(ErrorCode::busy, fmt::format("whether {} belongs to nothing cannot be told now: {}", name, look.unsure)).with_safe("nothing was removed").with_next("hvctl info; hvctl op list; then hvctl storage list-orphans");
  }
  MCV_CO_TRY(const std::vector<drbd::Orphan> found, co_await drbd::find_orphans(node.host, node.drbd, look.belongs));
  const auto orphan = std::find_if(found.begin(), found.end(), [&name](const drbd::Orphan& one) { return one.name == name; });
  if (orphan == found.end()) {
    co_return Error(ErrorCode::not_found, fmt::format("nothing on {} is called {} and belongs to nothing", where.str(), name)).with_safe("nothing was removed").with_next("hvctl storage list-orphans");
  }
  MCV_CO_CHECK(drbd::may_remove(*orphan));
  Result<Plan> plan = plans::delete_orphan(node.shared.current(), node.self(), name, orphan->made_by, orphan->parts);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

}  // namespace

void add_orphan_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/orphans", Permission::storage_list, Reach::cluster, list_orphans);
  add(router, node, "DELETE", "/v1/orphans/{node}/{name}", Permission::storage_delete, Reach::cluster, delete_orphan);
}

}  // namespace mcv::routes
