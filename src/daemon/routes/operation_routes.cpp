// SPDX-License-Identifier: Apache-2.0
// /v1/operations: of this node and, by the node in the id, of the other.
#include <fmt/format.h>

#include <limits>

#include "cluster/authority/leave.h"
#include "cluster/core/json_value.h"
#include "cluster/plans/vm_plans.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/dry_run.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/judge.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

/// How long one look for a change may hang; then the unchanged view is answered.
constexpr std::chrono::seconds long_poll{20};
/// How long the other node's list is waited for: this is asked when something is wrong.
constexpr std::chrono::seconds look_there{3};

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
  if (plan.ok()) {
    note_plan(call, *plan);
    return require_like(node, call, permission, *plan);
  }
  return require(node, call, permission, access::Scope::cluster());
}

/// The VM an operation is about may be locked since.
Status check_lock_of(const Node& node, const OperationId& id, VmUse use) {
  const auto plan = node.operations.plan_of(id);
  if (!plan.ok() || !plan->object.starts_with("vm/")) return success();
  const auto vm = node.shared.current().vm(VmName::trusted(plan->object.substr(3)));
  if (!vm.ok()) return success();
  return check_lock(*vm, use == VmUse::retry ? plans::use_of_retry(plan->kind) : use);
}

Json versioned(const OperationView& view) {
  Json json = view.to_json();
  json["version"] = view.version;
  return json;
}

/// Those of the other node; none when it does not answer in time. It asks nobody in turn, because the request is a forwarded one.
asio::awaitable<std::optional<Json>> list_of(Node& node, NodeName other, api::ApiCall call) {
  call.query.clear();
  const auto there = co_await forward_json(node, std::move(other), std::move(call), look_there);
  const Json answer = there.ok() ? value_in(*there, "body", Json::object()) : Json::object();
  if (!answer.contains("operations")) co_return std::nullopt;
  co_return answer.at("operations");
}

/// Of both nodes. With ?local=true of this one alone, which waits for nobody.
asio::awaitable<api::ApiReply> list(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"local"}));
  MCV_CO_TRY(const bool local, call.flag("local"));
  Json operations = Json::array();
  for (const OperationView& view : node.operations.list()) {
    if (may_show(node, call.caller, view.id).ok()) operations.push_back(versioned(view));
  }
  Json silent = Json::array();
  const auto peer = node.peer_record();
  if (peer && !local && !call.forwarded) {
    const std::optional<Json> theirs = co_await list_of(node, peer->name, std::move(call));
    for (const Json& operation : theirs.value_or(Json::array())) operations.push_back(operation);
    // One that left in order is off: nothing is missing.
    if (!theirs && !authority::has_left(node.shared.current(), peer->name)) silent.push_back(peer->name.str());
  }
  Json body = {{"operations", std::move(operations)}, {"silent", std::move(silent)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> show(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"seen"}));
  MCV_CO_TRY(const auto seen, call.number("seen", 0, std::numeric_limits<std::uint64_t>::max()));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), long_poll + std::chrono::seconds(10));
  MCV_CO_CHECK(may_show(node, call.caller, id));
  if (!seen) {
    MCV_CO_TRY(const OperationView view, node.operations.get(id));
    co_return api::reply(versioned(view));
  }
  MCV_CO_TRY(const OperationView view, co_await node.operations.next_change(id, *seen));
  // A role may have been taken back meanwhile.
  MCV_CO_CHECK(may_show(node, call.caller, id));
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
    co_return canonical(versioned(*view));
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
    const Json view = value_in(*answer, "body", Json::object());
    seen_ = value_in(view, "version", std::uint64_t{0});
    ended_ = value_in(view, "state", "") != "running";
    co_return canonical(view);
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

bool has_begun(StepState state) { return state == StepState::done || state == StepState::running || state == StepState::unclear; }

/// What a cancel of it would undo, or why it would be refused.
api::ApiReply would_cancel(const Node& node, const OperationView& view) {
  for (OperationState& state : node.operations.unfinished(view.kind)) {
    if (state.plan().id != view.id) continue;
    const bool goes_back = state.apply(JournalEntry::of(EntryKind::cancel_requested)).ok();
    if (!goes_back) return would_do(node.self(), "cancel", {fmt::format("{} only goes forward by now, or is being undone: where it waits it is given up, otherwise the cancel is refused", view.id.str())});
    Json steps = Json::array();
    const std::vector<PlannedStep>& planned = state.plan().steps;
    for (std::size_t i = planned.size(); i-- > 0;) {
      const PlannedStep& step = planned[i];
      if (has_begun(state.step(i))) steps.push_back({{"step", step.action}, {"node", step.node.str()}, {"text", "undo: " + (step.text.empty() ? step.action : step.text)}});
    }
    Json body = {{"plan", std::move(steps)}};
    return api::reply(std::move(body));
  }
  return Error(ErrorCode::operation_ended, fmt::format("operation {} has ended already", view.id.str())).with_next(fmt::format("hvctl op show {}", view.id.str()));
}

/// What is left to be done of it.
api::ApiReply would_retry(const OperationView& view) {
  if (view.outcome != OperationOutcome::failed) {
    return Error(ErrorCode::operation_ended, fmt::format("operation {} cannot be retried: only an operation that ended as failed can be retried", view.id.str()));
  }
  Json steps = Json::array();
  for (const StepView& step : view.steps) {
    if (step.state != StepState::done) steps.push_back({{"step", step.action}, {"node", step.node.str()}, {"text", step.text.empty() ? step.action : step.text}});
  }
  Json body = {{"plan", std::move(steps)}};
  return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> cancel(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), PeerClient::quick);
  MCV_CO_CHECK(may_end_or_go_on(node, call, Permission::operation_cancel, id));
  MCV_CO_CHECK(check_lock_of(node, id, VmUse::cancel));
  if (dry_run) {
    MCV_CO_TRY(const OperationView seen, node.operations.get(id));
    co_return would_cancel(node, seen);
  }
  MCV_CO_CHECK(co_await node.operations.cancel(id));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", versioned(view)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> retry(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const bool dry_run, wants_plan(call));
  MCV_CO_TRY(const OperationId id, id_of(call));
  if (const auto other = elsewhere(node, id)) co_return co_await forward(node, *other, std::move(call), PeerClient::quick);
  MCV_CO_CHECK(may_end_or_go_on(node, call, Permission::operation_retry, id));
  MCV_CO_CHECK(check_lock_of(node, id, VmUse::retry));
  if (dry_run) {
    MCV_CO_TRY(const OperationView seen, node.operations.get(id));
    co_return would_retry(seen);
  }
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
