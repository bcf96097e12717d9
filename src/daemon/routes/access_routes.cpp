// SPDX-License-Identifier: Apache-2.0
// /v1/users, /v1/groups, /v1/grants, /v1/whoami, /v1/explain
#include <algorithm>
#include <fmt/format.h>

#include "cluster/access/changes.h"
#include "cluster/access/decision.h"
#include "cluster/core/json_value.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/judge.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

template <typename T>
Json text_or_null(const std::optional<T>& name) {
  return name ? Json(name->str()) : Json();
}

Json roles_json(const std::vector<access::HeldRole>& roles) {
  Json list = Json::array();
  for (const access::HeldRole& held : roles) list.push_back({{"role", to_text(held.role)}, {"vm", text_or_null(held.vm)}, {"through", text_or_null(held.through)}});
  return list;
}

Json members_json(const GroupRecord& group) {
  Json list = Json::array();
  for (const UserName& member : group.members) list.push_back(member.str());
  return list;
}

asio::awaitable<api::ApiReply> list_users(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  const ClusterState& state = node.shared.current();
  Json list = Json::array();
  for (const UserRecord& user : users(state)) {
    Json in = Json::array();
    for (const GroupRecord& group : groups(state)) {
      if (std::find(group.members.begin(), group.members.end(), user.name) != group.members.end()) in.push_back(group.name.str());
    }
    access::Identity identity;
    identity.name = user.name;
    list.push_back({{"name", user.name.str()}, {"groups", std::move(in)}, {"roles", roles_json(access::roles_of(state, identity))}});
  }
  Json body = {{"users", std::move(list)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> list_groups(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  Json list = Json::array();
  for (const GroupRecord& group : groups(node.shared.current())) list.push_back({{"name", group.name.str()}, {"members", members_json(group)}});
  Json body = {{"groups", std::move(list)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> list_grants(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  const ClusterState& state = node.shared.current();
  Json list = Json::array();
  for (const GrantRecord& grant : grants(state)) {
    const auto* user = std::get_if<UserName>(&grant.grantee);
    const auto* group = std::get_if<GroupName>(&grant.grantee);
    list.push_back({{"user", user != nullptr ? Json(user->str()) : Json()},
                    {"group", group != nullptr ? Json(group->str()) : Json()},
                    {"role", to_text(grant.role)},
                    {"vm", grant.vm ? Json(grant.vm->name.str()) : Json()},
                    {"holds", !grant.vm || is_current(state, *grant.vm)}});
  }
  Json body = {{"grants", std::move(list)}};
  co_return api::reply(std::move(body));
}

asio::awaitable<api::ApiReply> run_access(Node& node, api::ApiCall call, Result<access::Changes> changes) {
  MCV_CO_CHECK(node.own_record());
  if (!changes.ok()) {
    MCV_CO_CHECK(call.only_query({"dry_run"}));
    co_return std::move(changes).error();
  }
  Result<std::vector<Mutation>> mutations = std::move(changes->mutations);
  co_return co_await run_changes(node, std::move(call), std::move(changes->summary), std::move(mutations));
}

/// On the node where it is typed the account has to be: a name that is misspelt here would be found by nobody.
asio::awaitable<Status> check_account(Node& node, UserName user) {
  MCV_CO_TRY(const std::optional<Account> account, co_await node.accounts.find(user));
  if (!account) {
    co_return Error(ErrorCode::not_found, fmt::format("there is no account {} on {}", user.str(), node.self().str()))
        .with_safe("nothing was changed")
        .with_next(fmt::format("adduser {}, or the same command on a node that has the account", user.str()));
  }
  if (account->uid == 0) {
    co_return Error(ErrorCode::bad_request, fmt::format("{} is root by another name, which may do everything", user.str())).with_safe("nothing was changed").with_next("hvctl whoami");
  }
  co_return success();
}

/// What the other node says of the account; a sentence where it is not there, or cannot be asked.
asio::awaitable<std::string> account_elsewhere(Node& node, UserName user) {
  const auto peer = node.peer_record();
  if (!peer) co_return std::string();
  Json body = {{"name", user.str()}};
  const std::string other = peer->name.str();
  const auto answer = co_await node.peer.post(*peer, "/peer/v1/account", std::move(body), PeerClient::quick);
  if (!answer.ok()) co_return fmt::format("whether {} has the account {} could not be asked: {}", other, user.str(), answer.error().message());
  if (value_in(*answer, "known", false)) co_return std::string();
  co_return fmt::format("{} has no account {}: there it lets nobody in", other, user.str());
}

asio::awaitable<api::ApiReply> add_user(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(node.own_record());
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::AddUser request, requests::add_user(body));
  MCV_CO_TRY(access::Changes changes, access::add_user(node.shared.current(), request));
  MCV_CO_CHECK(co_await check_account(node, request.name));
  const std::string note = co_await account_elsewhere(node, request.name);
  Result<std::vector<Mutation>> mutations = std::move(changes.mutations);
  api::ApiReply reply = co_await run_changes(node, std::move(call), std::move(changes.summary), std::move(mutations));
  if (auto* json = std::get_if<api::JsonReply>(&reply); json != nullptr && json->body.contains("result")) json->body["result"]["note"] = note;
  co_return reply;
}

asio::awaitable<api::ApiReply> remove_user(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const UserName user, UserName::parse(call.param("name")));
  auto changes = access::remove_user(node.shared.current(), user);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> create_group(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::CreateGroup request, requests::create_group(body));
  auto changes = access::create_group(node.shared.current(), request);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> delete_group(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const GroupName group, GroupName::parse(call.param("name")));
  auto changes = access::delete_group(node.shared.current(), group);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> add_member(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const GroupName group, GroupName::parse(call.param("name")));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::AddMember request, requests::add_member(body));
  auto changes = access::add_member(node.shared.current(), group, request.user);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> remove_member(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const GroupName group, GroupName::parse(call.param("name")));
  MCV_CO_TRY(const UserName user, UserName::parse(call.param("user")));
  auto changes = access::remove_member(node.shared.current(), group, user);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> add_grant(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::Grant request, requests::grant(body));
  if (call.audit && request.vm) call.audit->vms = {request.vm->str()};
  auto changes = access::add_grant(node.shared.current(), request);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> remove_grant(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::Grant request, requests::grant(body));
  if (call.audit && request.vm) call.audit->vms = {request.vm->str()};
  auto changes = access::remove_grant(node.shared.current(), request);
  co_return co_await run_access(node, std::move(call), std::move(changes));
}

asio::awaitable<api::ApiReply> whoami(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  const access::Identity identity = api::identity_of(call.caller);
  const ClusterState& state = node.shared.current();
  Json body = {{"name", api::who(call.caller)},
               {"uid", call.caller.uid},
               {"node", node.self().str()},
               {"root", identity.is_root()},
               {"user", identity.name && has_user(state, *identity.name)},
               {"roles", roles_json(access::roles_of(state, identity))}};
  co_return api::reply(std::move(body));
}

Result<std::string> required_query(const api::ApiCall& call, const char* key, std::size_t longest) {
  MCV_TRY(const auto found, call.text(key, longest));
  if (found && !found->empty()) return *found;
  return Error(ErrorCode::bad_request, fmt::format("'{}' is missing", key)).with_next("hvctl explain permission USER ACTION [VM]");
}

/// Of oneself anybody; of others who may see what they were given.
asio::awaitable<api::ApiReply> explain(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"user", "action", "vm"}));
  MCV_CO_TRY(const std::string user, required_query(call, "user", 64));
  MCV_CO_TRY(const std::string action, required_query(call, "action", 60));
  access::Identity identity;
  if (user == "root") {
    identity.uid = 0;
  } else {
    MCV_CO_TRY(identity.name, UserName::parse(user));
  }
  if (user != api::who(call.caller)) {
    MCV_CO_CHECK(require(node, call, Permission::access_show, access::Scope::cluster()));
  }
  MCV_CO_TRY(const access::Permission permission, access::permission_from_text(action));
  access::Scope scope = access::Scope::cluster();
  Json vm;
  if (const auto found = call.query.find("vm"); found != call.query.end()) {
    MCV_CO_TRY(VmName name, VmName::parse(found->second));
    vm = name.str();
    scope = access::Scope::vm(std::move(name));
  }
  const access::Decision decision = access::may(node.shared.current(), identity, permission, scope);
  Json body = {{"user", user}, {"action", action}, {"vm", std::move(vm)}, {"allowed", decision.allowed}, {"reason", decision.reason}, {"next", decision.next}};
  co_return api::reply(std::move(body));
}

}  // namespace

void add_access_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/users", Permission::access_show, Reach::cluster, list_users);
  add(router, node, "POST", "/v1/users", Permission::access_update, Reach::cluster, add_user);
  add(router, node, "DELETE", "/v1/users/{name}", Permission::access_update, Reach::cluster, remove_user);
  add(router, node, "GET", "/v1/groups", Permission::access_show, Reach::cluster, list_groups);
  add(router, node, "POST", "/v1/groups", Permission::access_update, Reach::cluster, create_group);
  add(router, node, "DELETE", "/v1/groups/{name}", Permission::access_update, Reach::cluster, delete_group);
  add(router, node, "POST", "/v1/groups/{name}/members", Permission::access_update, Reach::cluster, add_member);
  add(router, node, "DELETE", "/v1/groups/{name}/members/{user}", Permission::access_update, Reach::cluster, remove_member);
  add(router, node, "GET", "/v1/grants", Permission::access_show, Reach::cluster, list_grants);
  add(router, node, "POST", "/v1/grants", Permission::access_update, Reach::cluster, add_grant);
  add(router, node, "POST", "/v1/grants/remove", Permission::access_update, Reach::cluster, remove_grant);
  add(router, node, "GET", "/v1/whoami", Permission::self_show, Reach::some, whoami);
  add(router, node, "GET", "/v1/explain", Permission::self_show, Reach::some, explain);
}

}  // namespace mcv::routes
