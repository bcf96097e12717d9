// SPDX-License-Identifier: Apache-2.0
// Everything a client can ask of this node: the routes of config/openapi.json.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "cluster/model/cluster_state.h"
#include "cluster/plan/plan.h"
#include "daemon/api/api_call.h"
#include "cluster/store/position.h"
#include "daemon/api/router.h"

namespace mcv {

class Node;

class Api {
 public:
  explicit Api(Node& node);
  boost::asio::awaitable<api::ApiReply> answer(api::ApiCall call, std::string target);
  const api::Router& router() const { return router_; }

 private:
  boost::asio::awaitable<Result<std::string>> name_of(std::uint32_t uid);
  boost::asio::awaitable<api::ApiReply> audited(api::Caller caller, bool forwarded, std::shared_ptr<api::AuditSlip> slip, api::ApiReply reply);

  Node& node_;
  api::Router router_;
};

namespace routes {

using Handler = boost::asio::awaitable<api::ApiReply> (*)(Node&, api::ApiCall);

using access::Permission;
using api::Reach;
void add(api::Router& router, Node& node, const char* method, const char* pattern, Permission permission, Reach reach, Handler handler);
void add_access_routes(api::Router& router, Node& node);
void add_node_routes(api::Router& router, Node& node);
void add_cluster_routes(api::Router& router, Node& node);
void add_audit_routes(api::Router& router, Node& node);
void add_authority_routes(api::Router& router, Node& node);
void add_divergence_routes(api::Router& router, Node& node);
void add_removal_routes(api::Router& router, Node& node);
void add_resync_routes(api::Router& router, Node& node);
void add_orphan_routes(api::Router& router, Node& node);
void add_storage_routes(api::Router& router, Node& node);
void add_verify_routes(api::Router& router, Node& node);
void add_vm_routes(api::Router& router, Node& node);
void add_operation_routes(api::Router& router, Node& node);

/// Where a change is durable: "both nodes"; "single node" of a pair, with authority; "cluster of one".
std::string_view durability_text(const Node& node, const Committed& done);
/// Answers ?dry_run=true with the plan; otherwise submits it and answers 202 with the operation.
boost::asio::awaitable<api::ApiReply> run_plan(Node& node, api::ApiCall call, Result<Plan> plan);
/// One small change of one or several objects, all or nothing: proposed, answered when it is durable.
boost::asio::awaitable<api::ApiReply> run_changes(Node& node, api::ApiCall call, std::string summary, Result<std::vector<Mutation>> mutations);
boost::asio::awaitable<api::ApiReply> run_change(Node& node, api::ApiCall call, std::string summary, Result<Mutation> mutation);

}  // namespace routes
}  // namespace mcv
