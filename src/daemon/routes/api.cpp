// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/api.h"

#include "cluster/plans/removal_plan.h"
#include "daemon/node/node.h"
#include "daemon/routes/command_log.h"

namespace mcv {

namespace asio = boost::asio;

Api::Api(Node& node) : node_(node), router_(api::allow_root_only) {
  routes::add_node_routes(router_, node);
  routes::add_cluster_routes(router_, node);
  routes::add_authority_routes(router_, node);
  routes::add_divergence_routes(router_, node);
  routes::add_removal_routes(router_, node);
  routes::add_resync_routes(router_, node);
  routes::add_storage_routes(router_, node);
  routes::add_verify_routes(router_, node);
  routes::add_vm_routes(router_, node);
  routes::add_operation_routes(router_, node);
  node.answer_api = [this](api::ApiCall call, std::string target) { return answer(std::move(call), std::move(target)); };
}

asio::awaitable<api::ApiReply> Api::answer(api::ApiCall call, std::string target) {
  const Asked asked = asked_of(call, target);
  const Status allowed = join::may_change(node_, call.method, target);
  api::ApiReply reply = allowed.ok() ? api::ApiReply() : api::ApiReply(allowed.error());
  if (allowed.ok()) reply = co_await router_.answer(std::move(call), std::move(target));
  log_event(command_event(node_.self(), asked, reply));
  co_return reply;
}

namespace routes {

std::string_view durability_text(const Node& node, const Committed& done) {
  if (done.on_both_nodes) return "both nodes";
  return node.shared.current().is_cluster() ? "single node" : "cluster of one";
}

void add(api::Router& router, Node& node, const char* method, const char* pattern, const char* permission, Handler handler) {
  router.add(method, pattern, permission, [&node, handler](api::ApiCall call) { return handler(node, std::move(call)); });
}

asio::awaitable<api::ApiReply> run_plan(Node& node, api::ApiCall call, Result<Plan> plan) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  if (!plan.ok()) co_return std::move(plan).error();
  if (dry_run) {
    Json body = {{"plan", dry_run_json(*plan)}};
    co_return api::reply(std::move(body));
  }
  MCV_CO_CHECK(plans::may_begin(node.shared.current(), *plan));
  MCV_CO_TRY(const OperationId id, co_await node.operations.submit(std::move(*plan)));
  MCV_CO_TRY(const OperationView view, node.operations.get(id));
  Json body = {{"operation", view.to_json()}};
  co_return api::reply(std::move(body), 202);
}

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
  MCV_CO_TRY(const Committed done, co_await node.shared.propose(std::move(change)));
  Json body = {{"result", {{"text", summary}}}, {"durability", durability_text(node, done)}};
  co_return api::reply(std::move(body));
}

}  // namespace routes
}  // namespace mcv
