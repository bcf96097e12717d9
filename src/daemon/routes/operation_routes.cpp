// SPDX-License-Identifier: Apache-2.0
// /v1/operations: of this node and, by the node in the id, of the other.
#include <fmt/format.h>

#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/forward.h"

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

Json versioned(const OperationView& view) {
  Json json = view.to_json();
  json["version"] = view.version;
  return json;
}

asio::awaitable<api::ApiReply> list(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  Json operations = Json::array();
  for (const OperationView& view : node.operations.list()) operations.push_back(versioned(view));
  Json body = {{"operations", std::move(operations)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> show(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"seen"}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), long_poll + std::chrono::seconds(10));
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
  LocalLines(Node& node, OperationId id) : node_(node), id_(std::move(id)) {}

  asio::awaitable<std::optional<std::string>> next() override {
    if (ended_) co_return std::nullopt;
    auto view = co_await node_.operations.next_change(id_, seen_);
    if (!view.ok()) co_return std::nullopt;
    seen_ = view->version;
    ended_ = view->final();
    co_return versioned(*view).dump();
  }

 private:
  Node& node_;
  OperationId id_;
  std::uint64_t seen_ = 0;
  bool ended_ = false;
};

/// Views of an operation of the other node, asked for one change at a time. The stream ends when it does not answer.
class RemoteLines final : public api::LineSource {
 public:
  RemoteLines(Node& node, NodeName other, OperationId id) : node_(node), other_(std::move(other)), id_(std::move(id)) {}

  asio::awaitable<std::optional<std::string>> next() override {
    if (ended_) co_return std::nullopt;
    api::ApiCall call;
    call.method = "GET";
    call.path = "/v1/operations/" + id_.str();
    call.query["seen"] = std::to_string(seen_);
    call.caller.uid = 0;
    auto answer = co_await forward_json(node_, other_, std::move(call), std::chrono::hours(1));
    if (!answer.ok()) co_return std::nullopt;
    const Json view = answer->value("body", Json::object());
    seen_ = view.value("version", std::uint64_t{0});
    ended_ = view.value("state", std::string()) != "running";
    co_return view.dump();
  }

 private:
  Node& node_;
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
    lines.lines = std::make_unique<RemoteLines>(node, *other, id);
  } else {
    MCV_CO_CHECK(node.operations.get(id));
    lines.lines = std::make_unique<LocalLines>(node, id);
  }
  co_return api::ApiReply(std::move(lines));
}

asio::awaitable<api::ApiReply> cancel(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), PeerClient::quick);
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
  MCV_CO_CHECK(co_await node.operations.retry(id));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", versioned(view)}};
  co_return api::reply(std::move(body), 202);
}

}  // namespace

void add_operation_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/operations", "operation.list", list);
  add(router, node, "GET", "/v1/operations/{id}", "operation.show", show);
  add(router, node, "GET", "/v1/operations/{id}/events", "operation.show", events);
  add(router, node, "POST", "/v1/operations/{id}/cancel", "operation.cancel", cancel);
  add(router, node, "POST", "/v1/operations/{id}/retry", "operation.retry", retry);
}

}  // namespace mcv::routes
