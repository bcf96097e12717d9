// SPDX-License-Identifier: Apache-2.0
// /v1/cluster/diverged, /v1/change
#include <fmt/format.h>

#include "cluster/authority/settlement.h"
#include "cluster/core/json_value.h"
#include "cluster/requests/requests.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "daemon/routes/forward.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

asio::awaitable<api::ApiReply> show(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_CHECK(node.own_record());
  Json answer = co_await node.divergence.view();
  co_return api::reply(std::move(answer));
}

Json plan_of(const Json& chosen) {
  const std::string base = chosen.at("base").get<std::string>();
  const std::string other = chosen.at("other").get<std::string>();
  Json steps = Json::array();
  const auto add = [&steps](const char* step, const std::string& node, const std::string& text) { steps.push_back({{"step", step}, {"node", node}, {"text", text}}); };
  add("choose", base, fmt::format("keep the history of {}, give up that of {}; no guest is ended", base, other));
  add("adopt", other, fmt::format("take the configuration of {}", base));
  for (const Json& fate : chosen.at("vms")) add("vm", fate.at("owner").get<std::string>(), fmt::format("{} {}", fate.at("vm").get<std::string>(), fate.at("text").get<std::string>()));
  for (const Json& item : chosen.at("to_repeat")) {
    const std::string command = item.at("command").get<std::string>();
    add("list", base, fmt::format("keep in the list: {}{}", item.at("text").get<std::string>(), command.empty() ? "" : ": " + command));
  }
  return {{"plan", std::move(steps)}};
}

/// The node whose history stays decides; a request typed on the other one goes there.
asio::awaitable<api::ApiReply> to_base(Node& node, NodeName base, api::ApiCall call) {
  auto sent = co_await forward_json(node, base, std::move(call), PeerClient::patient);
  if (sent.ok()) co_return api::reply(value_in(*sent, "body", Json()), value_in(*sent, "status", 500));
  if (sent.error().code() != ErrorCode::peer_unreachable) co_return std::move(sent).error();
  co_return Error(ErrorCode::peer_unreachable, fmt::format("the choice is made on {}, which does not answer ({})", base.str(), sent.error().message()))
      .with_safe("both histories are kept, nothing was changed")
      .with_next(fmt::format("bring {} and the link to it back, then the same command again", base.str()));
}

asio::awaitable<api::ApiReply> choose(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::ChooseHistory request, requests::choose_history(body));
  if (request.check_only) call.only_looks();
  MCV_CO_CHECK(node.own_record());
  MCV_CO_CHECK(node.shared.current().node(request.base));
  if (node.shared.link().state != LinkState::diverged) {
    co_return Error(ErrorCode::bad_request, fmt::format("{} holds one history: there is nothing to choose", node.self().str())).with_safe("nothing was changed").with_next("hvctl cluster diverged");
  }
  if (call.audit) call.audit->text = fmt::format("keep the history of {}, give up the other one", request.base.str());
  if (request.base != node.self()) co_return co_await to_base(node, request.base, std::move(call));
  const bool only_asks = dry_run || request.check_only;
  if (!only_asks && !request.the_other_is_given_up) {
    co_return Error(ErrorCode::not_confirmed, "it has to be confirmed that the other node's history is given up").with_safe("both histories are kept, nothing was changed").with_next(fmt::format("hvctl cluster diverged --base {}", request.base.str()));
  }
  std::string by;
  if (!only_asks) {
    const auto peer = node.peer_record();
    const std::string where = call.forwarded && peer ? peer->name.str() : node.self().str();
    by = fmt::format("{} on {} typed that the history of {} is kept and the other one given up", api::who(call.caller), where, node.self().str());
  }
  MCV_CO_TRY(Json chosen, co_await node.divergence.choose(std::move(by)));
  if (dry_run) co_return api::reply(plan_of(chosen));
  if (request.check_only) co_return api::reply(std::move(chosen));
  const char* durability = value_in(chosen, "adopted", false) ? "both nodes" : "single node";
  Json done = {{"result", std::move(chosen)}, {"durability", durability}};
  co_return api::reply(std::move(done));
}

std::vector<std::string> lists_given_up(const Node& node) {
  std::vector<std::string> lines;
  for (const auto& [key, entry] : node.shared.current().all(Kind::setting)) {
    if (authority::is_given_up_list(Kind::setting, key)) lines.push_back(fmt::format("forget the list {} of what was given up", key));
  }
  return lines;
}

asio::awaitable<api::ApiReply> dismiss(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const Json body, call.json());
  Fields fields(body, "dismiss");
  MCV_CO_CHECK(fields.finish());
  if (dry_run) co_return would_do(node.self(), "record", lists_given_up(node));
  MCV_CO_TRY(const Committed done, co_await node.divergence.dismiss());
  Json answer = {{"result", {{"text", "the lists are dismissed"}}}, {"durability", durability_text(node, done)}};
  co_return api::reply(std::move(answer));
}

asio::awaitable<api::ApiReply> change(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"id"}));
  MCV_CO_TRY(const auto id, call.text("id", 200));
  if (!id || id->empty()) co_return Error(ErrorCode::bad_request, "the id of a change is missing").with_next("hvctl cluster change ID, with the id that outcome-unknown named");
  std::string wanted = *id;
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(wanted));
  Json answer = {{"id", wanted}, {"outcome", to_text(outcome.state)}, {"node", node.self().str()}, {"generation", nullptr}, {"index", nullptr}, {"hash", nullptr}};
  if (outcome.state == ChangeOutcome::committed) {
    answer["generation"] = outcome.position.generation.counter;
    answer["index"] = outcome.position.index;
    answer["hash"] = outcome.position.hash;
  }
  co_return api::reply(std::move(answer));
}

}  // namespace

void add_divergence_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/cluster/diverged", Permission::cluster_show, Reach::cluster, show);
  add(router, node, "POST", "/v1/cluster/diverged", Permission::cluster_choose_history, Reach::cluster, choose);
  add(router, node, "POST", "/v1/cluster/diverged/dismiss", Permission::cluster_choose_history, Reach::cluster, dismiss);
  add(router, node, "GET", "/v1/change", Permission::change_show, Reach::some, change);
}

}  // namespace mcv::routes
