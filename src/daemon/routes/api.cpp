// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/api.h"

#include <algorithm>

#include "cluster/core/json_value.h"
#include "cluster/plans/removal_plan.h"
#include "daemon/api/target.h"
#include "daemon/node/node.h"
#include "daemon/routes/command_log.h"
#include "daemon/routes/judge.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// What changes something, or lets somebody type at a guest.
bool is_audited(const Asked& asked) {
  const auto target = api::parse_target(asked.target);
  if (!target.ok()) return false;
  const auto dry_run = target->query.find("dry_run");
  if (dry_run != target->query.end() && dry_run->second == "true") return false;
  return asked.method != "GET" || asked.opens_stream;
}

/// How a request ended, for its row.
void note_ending(AuditRow& row, const api::ApiReply& reply) {
  row.result = "done";
  if (const auto* error = std::get_if<Error>(&reply)) {
    row.error = to_text(error->code());
    row.result = error->kind() == ErrorKind::outcome_unknown ? "unknown" : "refused";
  }
  const auto* json = std::get_if<api::JsonReply>(&reply);
  if (json == nullptr || !json->body.is_object()) return;
  if (json->status >= 400) {
    row.result = "refused";
    row.error = value_in(json->body, "code", "unknown");
  } else if (const auto operation = json->body.find("operation"); operation != json->body.end() && operation->is_object()) {
    row.result = "begun";
    row.operation = value_in(*operation, "id", "");
  }
}

/// Who may not has a row, whatever was asked: looking around is how trouble begins.
bool is_denial(const AuditRow& row) { return row.result == "refused" && error_code_from_text(row.error) == ErrorCode::permission_denied; }

}  // namespace

/// The row is durable on both nodes before the reply, or the reply says that it is not.
asio::awaitable<api::ApiReply> Api::audited(api::Caller caller, bool forwarded, std::shared_ptr<api::AuditSlip> slip, api::ApiReply reply) {
  AuditRow row = routes::row_of(node_, caller, forwarded, *slip);
  note_ending(row, reply);
  if (!slip->due && !is_denial(row)) co_return reply;
  if (row.result == "refused" && !node_.audit.may_note_refusal(row.user, row.unheard)) co_return reply;
  const AuditKept kept = co_await node_.audit.note(std::move(row));
  auto* json = std::get_if<api::JsonReply>(&reply);
  const bool is_told = json != nullptr && json->status < 400 && json->body.is_object();
  if (!is_told || kept == AuditKept::on_both_nodes || (kept == AuditKept::here && !node_.shared.current().is_cluster())) co_return reply;
  json->body["audit"] = kept == AuditKept::here ? "single node" : "not stored";
  co_return reply;
}

Api::Api(Node& node) : node_(node), router_([&node](const api::ApiCall& call, const api::Need& need) { return routes::judge(node, call.caller, need); }) {
  routes::add_node_routes(router_, node);
  routes::add_cluster_routes(router_, node);
  routes::add_authority_routes(router_, node);
  routes::add_divergence_routes(router_, node);
  routes::add_removal_routes(router_, node);
  routes::add_resync_routes(router_, node);
  routes::add_orphan_routes(router_, node);
  routes::add_storage_routes(router_, node);
  routes::add_verify_routes(router_, node);
  routes::add_vm_routes(router_, node);
  routes::add_operation_routes(router_, node);
  routes::add_access_routes(router_, node);
  routes::add_audit_routes(router_, node);
  node.answer_api = [this](api::ApiCall call, std::string target) { return answer(std::move(call), std::move(target)); };
}

asio::awaitable<api::ApiReply> Api::answer(api::ApiCall call, std::string target) {
  Asked asked = asked_of(call, target);
  // On the node that was entered; a forwarded request brings the name along. Root is root without anybody's word.
  Result<std::string> name = call.caller.name;
  if (!call.forwarded && call.caller.uid != 0) name = co_await name_of(call.caller.uid);
  if (!name.ok()) {
    api::ApiReply refusal = name.error();
    log_event(command_event(node_.self(), asked, refusal));
    co_return refusal;
  }
  asked.caller.name = call.caller.name = *name;
  const auto slip = std::make_shared<api::AuditSlip>();
  call.audit = slip;
  slip->due = is_audited(asked);
  api::ApiReply reply = co_await router_.answer(std::move(call), std::move(target));
  if (!slip->is_kept_elsewhere && !slip->action.empty()) reply = co_await audited(asked.caller, asked.forwarded, slip, std::move(reply));
  log_event(command_event(node_.self(), asked, reply));
  co_return reply;
}

/// Empty when there is no account.
asio::awaitable<Result<std::string>> Api::name_of(std::uint32_t uid) {
  // The kernel did not say who it is.
  if (uid == static_cast<std::uint32_t>(-1)) co_return std::string();
  MCV_CO_TRY(std::optional<std::string> name, co_await node_.accounts.name_of(uid));
  co_return name.value_or("");
}

namespace routes {

std::string_view durability_text(const Node& node, const Committed& done) {
  if (done.on_both_nodes) return "both nodes";
  return node.shared.current().is_cluster() ? "single node" : "cluster of one";
}

namespace {

/// A node that is reserved for a join takes no change; who may not make one anyway is told that first.
asio::awaitable<api::ApiReply> handle(Node& node, Handler handler, api::ApiCall call) {
  MCV_CO_CHECK(join::may_change(node, call.method, call.path));
  api::ApiReply reply = co_await handler(node, std::move(call));
  co_return reply;
}

}  // namespace

void add(api::Router& router, Node& node, const char* method, const char* pattern, Permission permission, Reach reach, Handler handler) {
  router.add(method, pattern, permission, reach, [&node, handler](api::ApiCall call) { return handle(node, handler, std::move(call)); });
}

asio::awaitable<api::ApiReply> run_plan(Node& node, api::ApiCall call, Result<Plan> plan) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  if (!plan.ok()) co_return std::move(plan).error();
  if (dry_run) {
    Json body = {{"plan", dry_run_json(*plan)}};
    co_return api::reply(std::move(body));
  }
  MCV_CO_CHECK(still_may(node, call));
  MCV_CO_CHECK(plans::may_begin(node.shared.current(), *plan));
  plan->asked_by = api::who(call.caller);
  note_plan(call, *plan);
  MCV_CO_TRY(const OperationId id, co_await node.operations.submit(std::move(*plan)));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", view.to_json()}};
  co_return api::reply(std::move(body), 202);
}

namespace {

/// In a change: what its entry does not say itself. A change is acknowledged by every byte of it on two disks.
Json embedded_row(const Node& node, const api::ApiCall& call) {
  AuditRow row = row_of(node, call.caller, call.forwarded, *call.audit);
  row.wall_seconds = node.host.clock.wall_seconds();
  row.text.clear();
  row.request.clear();
  if (row.node == row.entered) row.node.clear();
  return row.to_json();
}

}  // namespace

asio::awaitable<api::ApiReply> run_change(Node& node, api::ApiCall call, std::string summary, Result<Mutation> mutation) {
  if (!mutation.ok()) {
    MCV_CO_CHECK(call.only_query({"dry_run"}));
    co_return std::move(mutation).error();
  }
  std::vector<Mutation> one;
  one.push_back(std::move(*mutation));
  Result<std::vector<Mutation>> mutations = std::move(one);
  co_return co_await run_changes(node, std::move(call), std::move(summary), std::move(mutations));
}

asio::awaitable<api::ApiReply> run_changes(Node& node, api::ApiCall call, std::string summary, Result<std::vector<Mutation>> mutations) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  if (!mutations.ok()) co_return std::move(mutations).error();
  Change change;
  change.id = node.host.random.uuid();
  change.summary = summary;
  change.mutations = std::move(*mutations);
  if (dry_run) {
    MCV_CO_CHECK(node.shared.current().check(change));
    Json step = {{"step", "record"}, {"node", node.self().str()}, {"text", summary}};
    Json body = {{"plan", Json::array({std::move(step)})}};
    co_return api::reply(std::move(body));
  }
  MCV_CO_CHECK(still_may(node, call));
  if (call.audit) {
    call.audit->text = summary;
    change.audit = embedded_row(node, call);
  }
  MCV_CO_TRY(const Committed done, co_await node.shared.propose(std::move(change)));
  // The row is in the change, and where that is.
  call.is_audited_elsewhere();
  Json body = {{"result", {{"text", summary}}}, {"durability", durability_text(node, done)}};
  co_return api::reply(std::move(body));
}

}  // namespace routes
}  // namespace mcv
