// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/forward.h"

#include <fmt/format.h>
#include <variant>

#include "cluster/authority/takeover.h"
#include "cluster/core/json_value.h"
#include "cluster/store/abilities.h"
#include "daemon/api/target.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// A build without roles lets in root alone, and knows no name: `user` is left out for root.
Json as_json(const api::ApiCall& call) {
  Json json = {{"method", call.method}, {"path", call.path}, {"query", call.query}, {"body", call.body}, {"uid", call.caller.uid}};
  if (call.caller.uid != 0) json["user"] = call.caller.name;
  return json;
}

/// The other node judges by the same roles, if its build knows them.
Status knows_roles(const Node& node, const NodeName& target, const api::ApiCall& call) {
  const auto other = node.shared.other_build();
  if (call.caller.uid == 0 || !other || !other->knows || other->knows->features.contains(feature::access)) return success();
  return Error(ErrorCode::version_mismatch, fmt::format("{} owns this, and its build knows no user but root", target.str()))
      .with_safe("nothing was changed")
      .with_next(fmt::format("an administrator installs the same package on {}", target.str()));
}

/// The node that sent it here knew another owner than this one does.
Status may_forward(const Node& node, const NodeName& target, const api::ApiCall& call) {
  if (!call.forwarded) return knows_roles(node, target, call);
  return Error(ErrorCode::revision_conflict, fmt::format("it has just changed hands: {} owns it now", target.str()))
      .with_safe("nothing was changed")
      .with_next("repeat the command");
}

/// The node that carried it out, or refused, has the row; where nobody answered, this one will.
void note_audited_there(const Node& node, const api::ApiCall& call, std::optional<ErrorCode> error) {
  if (error == ErrorCode::peer_unreachable || error == ErrorCode::outcome_unknown || error == ErrorCode::timed_out) return;
  const auto other = node.shared.other_build();
  if (other && other->knows && other->knows->features.contains(feature::audit)) call.is_audited_elsewhere();
}

/// Who owns the object is away: whether it is off or only out of reach cannot be known here.
Error owner_away(const Node& node, const NodeName& owner, const Error& cause) {
  const NodeName& self = node.self();
  return Error(ErrorCode::peer_unreachable, fmt::format("{} owns this and does not answer ({})", owner.str(), cause.message()))
      .with_safe(fmt::format("nothing was started or changed: {} cannot know whether {} is off or only out of reach", self.str(), owner.str()))
      .with_next(authority::deciding_command(node.authority.standpoint()));
}

}  // namespace

asio::awaitable<Result<Json>> forward_json(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline) {
  MCV_CO_CHECK(may_forward(node, target_node, call));
  MCV_CO_TRY(const NodeRecord record, node.member(target_node));
  Json body = as_json(call);
  const auto posted = co_await node.peer.post(record, "/peer/v1/api", std::move(body), deadline);
  note_audited_there(node, call, posted.ok() ? std::nullopt : std::optional(posted.error().code()));
  MCV_CO_TRY(const Json answer, posted);
  Json result = {{"status", value_in(answer, "status", 500)}, {"body", value_in(answer, "body", Json())}};
  co_return result;
}

asio::awaitable<api::ApiReply> forward(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline) {
  auto sent = co_await forward_json(node, target_node, std::move(call), deadline);
  if (!sent.ok()) {
    if (sent.error().code() == ErrorCode::peer_unreachable) co_return owner_away(node, target_node, sent.error());
    co_return std::move(sent).error();
  }
  Json answer = std::move(*sent);
  const int status = value_in(answer, "status", 500);
  co_return api::reply(value_in(answer, "body", Json()), status);
}

asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> forward_stream(Node& node, NodeName target_node, api::ApiCall call) {
  MCV_CO_CHECK(may_forward(node, target_node, call));
  MCV_CO_TRY(const NodeRecord record, node.member(target_node));
  Json body = as_json(call);
  auto opened = co_await node.peer.open(record, "/peer/v1/api", std::move(body), std::move(call.upgrade), PeerClient::quick);
  note_audited_there(node, call, opened.ok() ? std::nullopt : std::optional(opened.error().code()));
  if (opened.ok()) co_return std::move(*opened);
  const ErrorCode code = opened.error().code();
  // Opening a stream changes nothing: no answer is no worse than no connection.
  if (code == ErrorCode::peer_unreachable || code == ErrorCode::outcome_unknown) co_return owner_away(node, target_node, opened.error());
  co_return std::move(opened).error();
}

namespace {

struct Forwarded {
  api::ApiCall call;
  std::string target;
};

Result<Forwarded> forwarded_from_json(const Json& body) {
  Fields fields(body, "forwarded request");
  Forwarded forwarded;
  api::ApiCall& call = forwarded.call;
  call.method = fields.required<std::string>("method");
  const std::string path = fields.required<std::string>("path");
  call.body = fields.optional_or<std::string>("body", "");
  call.caller.uid = fields.required<std::uint32_t>("uid");
  call.caller.name = fields.optional_or<std::string>("user", "");
  call.forwarded = true;
  // Both came decoded: a '&' in a value, or a '?' in a name, is no more than that here either.
  for (const char c : path) forwarded.target += c == '/' ? "/" : api::percent_encode(std::string_view(&c, 1));
  char separator = '?';
  if (const Json* query = fields.object("query", false)) {
    for (const auto& item : query->items()) {
      forwarded.target += separator + api::percent_encode(item.key()) + "=" + api::percent_encode(item.value().is_string() ? item.value().get_ref<const std::string&>() : "");
      separator = '&';
    }
  }
  MCV_CHECK(fields.finish());
  return forwarded;
}

}  // namespace

asio::awaitable<Result<Json>> serve_forwarded(Node& node, Json body) {
  MCV_CO_TRY(Forwarded forwarded, forwarded_from_json(body));
  auto reply = co_await node.answer_api(std::move(forwarded.call), std::move(forwarded.target));
  if (auto* error = std::get_if<Error>(&reply)) co_return std::move(*error);
  auto* json = std::get_if<api::JsonReply>(&reply);
  if (json == nullptr) co_return Error(ErrorCode::bad_request, "this request cannot be forwarded");
  Json answer = {{"status", json->status}, {"body", std::move(json->body)}};
  co_return answer;
}

asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> serve_forwarded_stream(Node& node, Json body, std::string protocol) {
  MCV_CO_TRY(Forwarded forwarded, forwarded_from_json(body));
  forwarded.call.upgrade = protocol;
  auto reply = co_await node.answer_api(std::move(forwarded.call), std::move(forwarded.target));
  if (auto* error = std::get_if<Error>(&reply)) co_return std::move(*error);
  auto* upgraded = std::get_if<api::UpgradeReply>(&reply);
  if (upgraded == nullptr || upgraded->protocol != protocol) co_return Error(ErrorCode::bad_request, fmt::format("this request opens no stream of {}", protocol.substr(0, 80)));
  co_return std::move(upgraded->stream);
}

}  // namespace mcv
