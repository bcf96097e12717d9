// SPDX-License-Identifier: Apache-2.0
#include "daemon/peer/peer_service.h"

#include <fmt/format.h>
#include <map>
#include <spdlog/spdlog.h>

#include "cluster/model/removal.h"
#include "cluster/core/problem.h"
#include "daemon/join/join_service.h"
#include "daemon/node/node.h"
#include "daemon/node/orphan_look.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/views.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

enum class Standing { member, joining, stranger };

Standing standing_of(const Node& node, const host::KeyFingerprint& caller) {
  for (const NodeRecord& record : node.shared.current().nodes()) {
    if (record.name != node.self() && record.fingerprint == caller) return Standing::member;
  }
  if (node.invitations.admits(caller)) return Standing::joining;
  const NodeRecord* inviter = node.reservation.inviter();
  if (inviter != nullptr && inviter->fingerprint == caller) return Standing::joining;
  return Standing::stranger;
}

asio::awaitable<Result<Json>> ping(Node&, Json) { co_return Json::object(); }

asio::awaitable<Result<Json>> facts(Node& node, Json body) {
  Fields fields(body, "facts request");
  Look wanted;
  wanted.files = fields.required<std::vector<std::string>>("paths");
  wanted.volume_groups = fields.required<bool>("volume_groups");
  wanted.room = fields.optional_or("room", false);
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const NodeFacts seen, co_await node.observer.look(std::move(wanted)));
  co_return to_json(seen);
}

/// Whether an account of that name is here: told to who adds a user on the other node.
asio::awaitable<Result<Json>> account(Node& node, Json body) {
  Fields fields(body, "account");
  const auto name = fields.required<std::string>("name");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(UserName user, UserName::parse(name));
  MCV_CO_TRY(const std::optional<Account> found, co_await node.accounts.find(std::move(user)));
  Json answer = {{"known", found.has_value()}};
  co_return answer;
}

asio::awaitable<Result<Json>> pools(Node& node, Json) {
  MCV_CO_TRY(Json places, co_await views::pool_places(node));
  Json answer = {{"places", std::move(places)}};
  co_return answer;
}

asio::awaitable<Result<Json>> operations(Node& node, Json) {
  Json answer = {{"operations", unfinished_operations(node)}};
  co_return answer;
}

asio::awaitable<Result<Json>> run_step(Node& node, Json body) {
  MCV_CO_TRY(StepCall call, StepCall::from_json(body));
  Progress ignored = [](std::optional<int>, std::string) {};
  MCV_CO_TRY(Json result, co_await node.local_steps.run(std::move(call), std::move(ignored)));
  Json answer = {{"result", std::move(result)}};
  co_return answer;
}

asio::awaitable<Result<Json>> undo_step(Node& node, Json body) {
  MCV_CO_TRY(StepCall call, StepCall::from_json(body));
  MCV_CO_CHECK(co_await node.local_steps.undo(std::move(call)));
  co_return Json::object();
}

asio::awaitable<Result<Json>> step_landed(Node& node, Json body) {
  MCV_CO_TRY(StepCall call, StepCall::from_json(body));
  MCV_CO_TRY(const Landed landed, co_await node.local_steps.landed(std::move(call)));
  Json answer = {{"landed", to_text(landed)}};
  co_return answer;
}

asio::awaitable<Result<Json>> interrupt_step(Node& node, Json body) {
  Fields fields(body, "interrupt");
  const auto operation = fields.required<std::string>("operation");
  const auto step = fields.required<std::uint64_t>("step");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const OperationId id, OperationId::parse(operation));
  node.local_steps.interrupt(id, step);
  co_return Json::object();
}

asio::awaitable<Result<Json>> set_secret(Node& node, Json body) {
  Fields fields(body, "secret");
  auto name = fields.required<std::string>("name");
  auto value = fields.required<std::string>("value");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_CHECK(co_await node.secrets.set(std::move(name), std::move(value)));
  co_return Json::object();
}

/// Only the replication link is lost, and the caller's guest writes: its member's key is who goes on.
asio::awaitable<Result<Json>> consent(Node& node, Json body) {
  Fields fields(body, "consent request");
  const auto name = fields.required<std::string>("volume");
  GenerationRef asked;
  asked.counter = fields.required<std::uint64_t>("counter");
  asked.uuid = fields.required<std::string>("uuid");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(VolumeName volume, VolumeName::parse(name));
  MCV_CO_CHECK(co_await node.consents.give(std::move(volume), std::move(asked)));
  Json answer = {{"set_aside", true}};
  co_return answer;
}

asio::awaitable<Result<Json>> position_history(Node& node, Json body) {
  auto told = co_await node.divergence.answer_peer(std::move(body));
  co_return told;
}

/// The node that stays goes on without this one, for good.
asio::awaitable<Result<Json>> be_removed(Node& node, Json body) {
  Fields fields(body, "removed");
  const Json* json = fields.object("removed");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(RemovedNode removed, RemovedNode::from_json(*json));
  if (removed.node.name != node.self() || removed.node.fingerprint != node.host.peers.own_fingerprint()) {
    co_return Error(ErrorCode::bad_request, fmt::format("this is {}, not {}", node.self().str(), removed.node.name.str())).with_safe("nothing was changed");
  }
  MCV_CO_CHECK(co_await node.departure.finish(std::move(removed)));
  co_return Json::object();
}

using Handler = asio::awaitable<Result<Json>> (*)(Node&, Json);

struct Route {
  Standing least;
  Handler handler;
};

const std::map<std::string, Route>& routes() {
  static const std::map<std::string, Route> table{
      {"/peer/v1/ping", {Standing::stranger, ping}},
      {"/peer/v1/facts", {Standing::member, facts}},
      {"/peer/v1/account", {Standing::member, account}},
      {"/peer/v1/pools", {Standing::member, pools}},
      {"/peer/v1/operations", {Standing::member, operations}},
      {"/peer/v1/steps/run", {Standing::member, run_step}},
      {"/peer/v1/steps/undo", {Standing::member, undo_step}},
      {"/peer/v1/steps/landed", {Standing::member, step_landed}},
      {"/peer/v1/steps/interrupt", {Standing::member, interrupt_step}},
      {"/peer/v1/consent", {Standing::member, consent}},
      {"/peer/v1/history", {Standing::member, position_history}},
      {"/peer/v1/secret", {Standing::member, set_secret}},
      {"/peer/v1/removed", {Standing::member, be_removed}},
      {"/peer/v1/api", {Standing::member, serve_forwarded}},
      {"/peer/v1/join/prepare", {Standing::joining, join::serve_prepare}},
      {"/peer/v1/join/abandon", {Standing::joining, join::serve_abandon}},
      {"/peer/v1/join/pool", {Standing::joining, join::serve_pool}},
      {"/peer/v1/join/corosync", {Standing::joining, join::serve_corosync}},
      {"/peer/v1/join/adopt", {Standing::joining, join::serve_adopt}},
  };
  return table;
}

bool may(Standing standing, Standing least) {
  switch (least) {
    case Standing::stranger: return true;
    // A member repeats join requests when it resumes an interrupted join.
    case Standing::joining: return standing != Standing::stranger;
    case Standing::member: return standing == Standing::member;
  }
  return false;
}

Error not_known(const Node& node, const host::KeyFingerprint& caller, const std::string& target) {
  spdlog::warn("peer request {} refused: the key {} is not a member's", target, caller.substr(0, 16));
  return Error(ErrorCode::permission_denied, fmt::format("{} does not know this node's key", node.self().str()))
      .with_safe("nothing was changed")
      .with_next("hvctl info on both nodes shows their members");
}

/// All that a removed key is told.
Error was_removed(const RemovedNode& removed) {
  return Error(ErrorCode::removed, fmt::format("{} was removed from this cluster in generation {}", removed.node.name.str(), removed.generation))
      .with_safe("nothing was changed")
      .with_next(fmt::format("hvctl cluster add-node --node {} --ip-address {} adds it again", removed.node.name.str(), removed.node.cluster_address));
}

asio::awaitable<Result<Json>> answer(Node& node, host::KeyFingerprint caller, host::HttpRequest request) {
  if (request.method != "POST") co_return Error(ErrorCode::unknown_route, "peers only POST");
  MCV_CO_TRY(Json body, parse_json(request.body));
  // The one request whose right depends on its body: it brings the token.
  if (request.target == "/peer/v1/join/hello") co_return co_await join::serve_hello(node, std::move(caller), std::move(body));
  // A joiner asks how its join stands: nothing but that is said, and only of its own key.
  if (request.target == "/peer/v1/join/state") co_return co_await join::serve_state(node, std::move(caller));
  if (request.target == "/peer/v1/membership") co_return node.departure.membership_of(caller);
  const auto removed = standing_of(node, caller) == Standing::stranger ? removed_by_key(node.shared.current(), caller) : std::nullopt;
  if (removed) co_return was_removed(*removed);
  const auto route = routes().find(request.target);
  if (route == routes().end()) co_return Error(ErrorCode::unknown_route, fmt::format("there is no {}", request.target.substr(0, 80)));
  if (!may(standing_of(node, caller), route->second.least)) co_return not_known(node, caller, request.target);
  co_return co_await route->second.handler(node, std::move(body));
}

/// The one request that opens a stream is a client's of the other node.
asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> answer_upgrade(Node& node, host::KeyFingerprint caller, host::HttpRequest request) {
  if (request.method != "POST" || request.target != "/peer/v1/api") co_return Error(ErrorCode::unknown_route, fmt::format("{} opens no stream", request.target.substr(0, 80)));
  if (standing_of(node, caller) != Standing::member) co_return not_known(node, caller, request.target);
  MCV_CO_TRY(Json body, parse_json(request.body));
  co_return co_await serve_forwarded_stream(node, std::move(body), std::move(request.upgrade));
}

host::HttpResponse refusal(const Error& error) {
  host::HttpResponse response;
  response.status = http_status_of(error.code());
  response.body = canonical(to_problem(error));
  return response;
}

}  // namespace

asio::awaitable<host::PeerReply> serve_peer(Node& node, host::KeyFingerprint caller, host::HttpRequest request) {
  if (!request.upgrade.empty()) {
    auto opened = co_await answer_upgrade(node, std::move(caller), std::move(request));
    if (!opened.ok()) co_return refusal(opened.error());
    co_return std::move(*opened);
  }
  auto result = co_await answer(node, std::move(caller), std::move(request));
  if (!result.ok()) co_return refusal(result.error());
  host::HttpResponse response;
  response.status = 200;
  response.body = canonical(*result);
  co_return response;
}

}  // namespace mcv
