// SPDX-License-Identifier: Apache-2.0
// /v1/audit: of both nodes, whichever is asked.
#include <charconv>
#include <limits>
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/model/audit_row.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

constexpr std::size_t most_rows = 5000;

std::optional<std::string> text_query(const api::ApiCall& call, const char* key) {
  const auto found = call.query.find(key);
  if (found == call.query.end()) return std::nullopt;
  return found->second;
}

template <typename Number>
Result<Number> number_query(const api::ApiCall& call, const char* key, Number least, Number most, Number fallback) {
  const auto text = text_query(call, key);
  if (!text) return fallback;
  Number number{};
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, number);
  if (read.ec == std::errc() && read.ptr == end && number >= least && number <= most) return number;
  return Error(ErrorCode::bad_request, fmt::format("{} is a number from {} to {}", key, least, most)).with_next("hvctl audit --help");
}

Result<AuditFilter> filter_of(const api::ApiCall& call) {
  AuditFilter filter;
  filter.user = text_query(call, "user");
  filter.vm = text_query(call, "vm");
  filter.action = text_query(call, "action");
  filter.result = text_query(call, "result");
  MCV_TRY(filter.since, number_query<std::int64_t>(call, "since", 0, std::numeric_limits<std::int64_t>::max(), 0));
  MCV_TRY(filter.limit, number_query<std::size_t>(call, "limit", 1, most_rows, filter.limit));
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
