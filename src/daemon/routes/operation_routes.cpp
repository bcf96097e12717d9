// SPDX-License-Identifier: Apache-2.0
// /v1/operations: of this node and, by the node in the id, of the other.
#include <fmt/format.h>

#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/judge.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

/// How long one look for a change may hang; then the unchanged view is answered.
constexpr std::chrono::seconds long_poll{20};

Result<OperationId> id_of(const api::ApiCall& call) { return OperationId::parse(call.param("id")); }

/// The other member, when the id names it.
std::optional<NodeName> elsewhere(const Node& node, const OperationId& id) {
  const auto dash = id.str().rfind('-');
  const auto peer = node.peer_record();
  if (peer && dash != std::string::npos && id.str().substr(0, dash) == peer->name.str()) return peer->name;
  return std::nullopt;
}

/// One that is not there is told as such only to who would see any.
Status may_show(const Node& node, const api::Caller& caller, const OperationId& id) {
  const auto plan = node.operations.plan_of(id);
  if (plan.ok()) return may_see(node, caller, *plan);
  return judge(node, caller, {Permission::operation_show, access::Scope::cluster()});
}

/// The operation is of this node.
Status may_end_or_go_on(const Node& node, api::ApiCall& call, Permission permission, const OperationId& id) {
  const auto plan = node.operations.plan_of(id);
  if (plan.ok()) return require_like(node, call, permission, *plan);
  return require(node, call, permission, access::Scope::cluster());
}

Json versioned(const OperationView& view) {
  Json json = view.to_json();
  json["version"] = view.version;
  return json;
}

asio::awaitable<api::ApiReply> list(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  Json operations = Json::array();
  for (const OperationView& view : node.operations.list()) {
    if (may_show(node, call.caller, view.id).ok()) operations.push_back(versioned(view));
  }
  Json body = {{"operations", std::move(operations)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> show(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"seen"}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), long_poll + std::chrono::seconds(10));
  MCV_CO_CHECK(may_show(node, call.caller, id));
  const auto seen = call.query.find("seen");
  if (seen == call.query.end()) {
    MCV_CO_TRY(const OperationView view, node.operations.get(id));
    co_return api::reply(versioned(view));
  }
  MCV_CO_TRY(const OperationView view, co_await node.operations.next_change(id, std::strtoull(seen->second.c_str(), nullptr, 10)));
  co_return api::reply(versioned(view));
}

/// Views of an operation of this node.
class LocalLines final : public api::LineSource {
 public:
  LocalLines(Node& node, api::Caller caller, OperationId id) : node_(node), caller_(std::move(caller)), id_(std::move(id)) {}

  asio::awaitable<std::optional<std::string>> next() override {
    if (ended_) co_return std::nullopt;
    auto view = co_await node_.operations.next_change(id_, seen_);
    if (!view.ok() || !may_show(node_, caller_, id_).ok()) co_return std::nullopt;
    seen_ = view->version;
    ended_ = view->final();
    co_return versioned(*view).dump();
  }

 private:
  Node& node_;
  api::Caller caller_;
  OperationId id_;
  std::uint64_t seen_ = 0;
  bool ended_ = false;
};

/// Views of an operation of the other node, asked for one change at a time. The stream ends when it does not answer.
class RemoteLines final : public api::LineSource {
 public:
  RemoteLines(Node& node, api::Caller caller, NodeName other, OperationId id) : node_(node), caller_(std::move(caller)), other_(std::move(other)), id_(std::move(id)) {}

  asio::awaitable<std::optional<std::string>> next() override {
    if (ended_) co_return std::nullopt;
    api::ApiCall call;
    call.method = "GET";
    call.path = "/v1/operations/" + id_.str();
    call.query["seen"] = std::to_string(seen_);
    call.caller = caller_;
    auto answer = co_await forward_json(node_, other_, std::move(call), std::chrono::hours(1));
    if (!answer.ok()) co_return std::nullopt;
    const Json view = answer->value("body", Json::object());
    seen_ = view.value("version", std::uint64_t{0});
    ended_ = view.value("state", std::string()) != "running";
    co_return view.dump();
  }

 private:
  Node& node_;
  api::Caller caller_;
  NodeName other_;
  OperationId id_;
  std::uint64_t seen_ = 0;
  bool ended_ = false;
};

asio::awaitable<api::ApiReply> events(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  api::LinesReply lines;
  if (const auto other = elsewhere(node, id)) {
    lines.lines = std::make_unique<RemoteLines>(node, call.caller, *other, id);
  } else {
    MCV_CO_CHECK(may_show(node, call.caller, id));
    MCV_CO_CHECK(node.operations.get(id));
    lines.lines = std::make_unique<LocalLines>(node, call.caller, id);
  }
  co_return api::ApiReply(std::move(lines));
}

asio::awaitable<api::ApiReply> cancel(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), PeerClient::quick);
  MCV_CO_CHECK(may_end_or_go_on(node, call, Permission::operation_cancel, id));
  MCV_CO_CHECK(co_await node.operations.cancel(id));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", versioned(view)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> retry(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), PeerClient::quick);
  MCV_CO_CHECK(may_end_or_go_on(node, call, Permission::operation_retry, id));
  MCV_CO_CHECK(co_await node.operations.retry(id));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", versioned(view)}};
  co_return api::reply(std::move(body), 202);
}

}  // namespace

void add_operation_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/operations", Permission::operation_list, Reach::some, list);
  add(router, node, "GET", "/v1/operations/{id}", Permission::operation_show, Reach::some, show);
  add(router, node, "GET", "/v1/operations/{id}/events", Permission::operation_show, Reach::some, events);
  add(router, node, "POST", "/v1/operations/{id}/cancel", Permission::operation_cancel, Reach::some, cancel);
  add(router, node, "POST", "/v1/operations/{id}/retry", Permission::operation_retry, Reach::some, retry);
}

}  // namespace mcv::routes
