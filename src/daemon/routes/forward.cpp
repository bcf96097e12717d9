// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/forward.h"

#include <fmt/format.h>
#include <variant>

#include "cluster/authority/takeover.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Result<Json>> forward_json(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline) {
  MCV_CO_TRY(const NodeRecord record, node.member(target_node));
  Json body = {{"method", call.method}, {"path", call.path}, {"query", call.query}, {"body", call.body}, {"uid", call.caller.uid}};
  MCV_CO_TRY(const Json answer, co_await node.peer.post(record, "/peer/v1/api", std::move(body), deadline));
  Json result = {{"status", answer.value("status", 500)}, {"body", answer.value("body", Json())}};
  co_return result;
}

namespace {

/// Who owns the object is away: whether it is off or only out of reach cannot be known here.
Error owner_away(const Node& node, const NodeName& owner, const Error& cause) {
  const NodeName& self = node.self();
  return Error(ErrorCode::peer_unreachable, fmt::format("{} owns this and does not answer ({})", owner.str(), cause.message()))
      .with_safe(fmt::format("nothing was started or changed: {} cannot know whether {} is off or only out of reach", self.str(), owner.str()))
      .with_next(authority::deciding_command(node.authority.standpoint()));
}

}  // namespace

asio::awaitable<api::ApiReply> forward(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline) {
  auto sent = co_await forward_json(node, target_node, std::move(call), deadline);
  if (!sent.ok()) {
    if (sent.error().code() == ErrorCode::peer_unreachable) co_return owner_away(node, target_node, sent.error());
    co_return std::move(sent).error();
  }
  Json answer = std::move(*sent);
  const int status = answer.value("status", 500);
  co_return api::reply(answer.value("body", Json()), status);
}

asio::awaitable<Result<Json>> serve_forwarded(Node& node, Json body) {
  Fields fields(body, "forwarded request");
  api::ApiCall call;
  call.method = fields.required<std::string>("method");
  std::string path = fields.required<std::string>("path");
  call.body = fields.optional_or<std::string>("body", "");
  call.caller.uid = fields.required<std::uint32_t>("uid");
  std::string target = path;
  if (const Json* query = fields.object("query", false)) {
    for (const auto& item : query->items()) {
      target += (target.size() == path.size() ? "?" : "&") + item.key() + "=" + (item.value().is_string() ? item.value().get<std::string>() : "");
    }
  }
  MCV_CO_CHECK(fields.finish());
  auto reply = co_await node.answer_api(std::move(call), std::move(target));
  if (auto* error = std::get_if<Error>(&reply)) co_return std::move(*error);
  auto* json = std::get_if<api::JsonReply>(&reply);
  if (json == nullptr) co_return Error(ErrorCode::bad_request, "this request cannot be forwarded");
  Json answer = {{"status", json->status}, {"body", std::move(json->body)}};
  co_return answer;
}

}  // namespace mcv
