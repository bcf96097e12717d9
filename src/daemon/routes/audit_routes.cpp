// SPDX-License-Identifier: Apache-2.0
// /v1/audit: of both nodes, whichever is asked.
#include <limits>

#include "cluster/core/json_value.h"
#include "cluster/model/audit_row.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

constexpr std::size_t most_rows = 5000;

Result<AuditFilter> filter_of(const api::ApiCall& call) {
  AuditFilter filter;
  MCV_TRY(filter.user, call.text("user", 100));
  MCV_TRY(filter.action, call.text("action", 60));
  MCV_TRY(filter.result, call.text("result", 60));
  if (const auto vm = call.query.find("vm"); vm != call.query.end()) {
    MCV_TRY(const VmName name, VmName::parse(vm->second));
    filter.vm = name.str();
  }
  MCV_TRY(const auto since, call.number("since", 0, std::numeric_limits<std::int64_t>::max()));
  filter.since = static_cast<std::int64_t>(since.value_or(0));
  MCV_TRY(const auto limit, call.number("limit", 1, most_rows));
  filter.limit = limit.value_or(filter.limit);
  return filter;
}

/// Every key, also where there is nothing to say.
Json row_json(const AuditRow& row) {
  return {{"id", row.id},
          {"wall_seconds", row.wall_seconds},
          {"user", row.user},
          {"entered", row.entered},
          {"node", row.node.empty() ? row.entered : row.node},
          {"action", row.action},
          {"request", row.request},
          {"vms", row.vms},
          {"text", row.text},
          {"result", row.result},
          {"error", row.error},
          {"operation", row.operation},
          {"unheard", row.unheard}};
}

Result<AuditRow> row_from(const Json& json) {
  if (!json.is_object()) return Error(ErrorCode::bad_output, "a row of the audit is no object");
  Json plain = json;
  plain["wall"] = value_in(json, "wall_seconds", std::int64_t{0});
  return AuditRow::from_json(plain);
}

asio::awaitable<api::ApiReply> audit(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"user", "vm", "action", "result", "since", "limit"}));
  MCV_CO_TRY(const AuditFilter filter, filter_of(call));
  MCV_CO_TRY(AuditBook::Read known, co_await node.audit.read());
  Json silent = Json::array();
  const auto peer = node.peer_record();
  if (peer && !call.forwarded) {
    const std::string name = peer->name.str();
    const auto there = co_await forward_json(node, peer->name, std::move(call), PeerClient::quick);
    const Json answer = there.ok() ? value_in(*there, "body", Json::object()) : Json::object();
    if (!answer.contains("rows") || !answer.at("rows").is_array()) silent.push_back(name);
    for (const Json& json : value_in(answer, "rows", Json::array())) {
      if (auto row = row_from(json); row.ok()) known.rows.push_back(std::move(*row));
    }
  }
  Json rows = Json::array();
  for (const AuditRow& row : audit_view(std::move(known.rows), known.ends, filter)) rows.push_back(row_json(row));
  Json body = {{"rows", std::move(rows)}, {"silent", std::move(silent)}};
  co_return api::reply(std::move(body));
}

}  // namespace

void add_audit_routes(api::Router& router, Node& node) { add(router, node, "GET", "/v1/audit", Permission::audit_show, Reach::cluster, audit); }

}  // namespace mcv::routes
