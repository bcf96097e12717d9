// SPDX-License-Identifier: Apache-2.0
#include "cluster/access/changes.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::access {
namespace {

Error no_such(std::string_view kind, const std::string& name) {
  return Error(ErrorCode::not_found, fmt::format("there is no {} named '{}'", kind, name)).with_safe("nothing was changed").with_next(fmt::format("hvctl {} list", kind));
}

Error there_already(std::string text, std::string next) {
  return Error(ErrorCode::already_exists, std::move(text)).with_safe("nothing was changed").with_next(std::move(next));
}

void erase_grants_to(const ClusterState& state, const Grantee& grantee, std::vector<Mutation>& mutations) {
  for (const GrantRecord& grant : grants_to(state, grantee)) mutations.push_back(erase_at(state, Kind::setting, grant.key()));
}

Result<GroupRecord> group_named(const ClusterState& state, const GroupName& name) {
  const auto group = find_group(state, name);
  if (!group) return no_such("group", name.str());
  return *group;
}

bool is_member(const GroupRecord& group, const UserName& user) { return std::find(group.members.begin(), group.members.end(), user) != group.members.end(); }

std::string where(const std::optional<VmName>& vm) { return vm ? " on " + vm->str() : " everywhere"; }

}  // namespace

Result<Changes> add_user(const ClusterState& state, const requests::AddUser& request) {
  const UserName& user = request.name;
  if (user.str() == "root") return Error(ErrorCode::bad_request, "root may do everything without being a user").with_safe("nothing was changed").with_next("hvctl whoami");
  if (has_user(state, user)) return there_already(fmt::format("{} is a user already", user.str()), fmt::format("hvctl grant add --user {} --role ROLE", user.str()));
  return Changes{fmt::format("user {} added", user.str()), {put_new(UserRecord{user})}};
}

Result<Changes> remove_user(const ClusterState& state, const UserName& user) {
  if (!has_user(state, user)) return no_such("user", user.str());
  Changes changes;
  changes.summary = fmt::format("user {} removed, with what was granted to it", user.str());
  erase_grants_to(state, user, changes.mutations);
  for (GroupRecord group : groups(state)) {
    if (!is_member(group, user)) continue;
    std::erase(group.members, user);
    changes.mutations.push_back(put_at(state, group));
  }
  changes.mutations.push_back(erase_at(state, Kind::setting, UserRecord{user}.key()));
  return changes;
}

Result<Changes> create_group(const ClusterState& state, const requests::CreateGroup& request) {
  if (find_group(state, request.name)) return there_already(fmt::format("there is a group {} already", request.name.str()), fmt::format("hvctl group add {} USER", request.name.str()));
  return Changes{fmt::format("group {} created", request.name.str()), {put_new(GroupRecord{request.name, {}})}};
}

Result<Changes> delete_group(const ClusterState& state, const GroupName& group) {
  MCV_CHECK(group_named(state, group));
  Changes changes;
  changes.summary = fmt::format("group {} deleted, with what was granted to it", group.str());
  erase_grants_to(state, group, changes.mutations);
  changes.mutations.push_back(erase_at(state, Kind::setting, GroupRecord{group, {}}.key()));
  return changes;
}

Result<Changes> add_member(const ClusterState& state, const GroupName& name, const UserName& user) {
  MCV_TRY(GroupRecord group, group_named(state, name));
  if (!has_user(state, user)) return no_such("user", user.str()).with_next(fmt::format("hvctl user add {}", user.str()));
  if (is_member(group, user)) return there_already(fmt::format("{} is in the group {} already", user.str(), name.str()), "hvctl group list");
  group.members.push_back(user);
  std::sort(group.members.begin(), group.members.end());
  return Changes{fmt::format("{} added to the group {}", user.str(), name.str()), {put_at(state, group)}};
}

Result<Changes> remove_member(const ClusterState& state, const GroupName& name, const UserName& user) {
  MCV_TRY(GroupRecord group, group_named(state, name));
  if (!is_member(group, user)) {
    return Error(ErrorCode::not_found, fmt::format("{} is not in the group {}", user.str(), name.str())).with_safe("nothing was changed").with_next("hvctl group list");
  }
  std::erase(group.members, user);
  return Changes{fmt::format("{} removed from the group {}", user.str(), name.str()), {put_at(state, group)}};
}

namespace {

/// As `request` names it, for the VM that has the name now.
Result<GrantRecord> grant_of(const ClusterState& state, const requests::Grant& request) {
  GrantRecord grant{request.grantee, request.role, {}};
  if (request.vm) {
    MCV_TRY(const VmRecord vm, state.vm(*request.vm));
    grant.vm = GrantedVm{vm.name, vm.uuid};
  }
  return grant;
}

}  // namespace

Result<Changes> add_grant(const ClusterState& state, const requests::Grant& request) {
  if (const auto* user = std::get_if<UserName>(&request.grantee); user != nullptr && !has_user(state, *user)) return no_such("user", user->str()).with_next(fmt::format("hvctl user add {}", user->str()));
  if (const auto* group = std::get_if<GroupName>(&request.grantee)) {
    MCV_CHECK(group_named(state, *group));
  }
  if (request.vm && request.role == Role::administrator) {
    return Error(ErrorCode::bad_request, "an administrator is one of the whole cluster").with_safe("nothing was changed").with_next("leave --vm out, or choose viewer, operator or owner");
  }
  MCV_TRY(const GrantRecord grant, grant_of(state, request));
  Changes changes;
  changes.summary = fmt::format("{} has the role {}{}", to_text(request.grantee), to_text(request.role), where(request.vm));
  const ClusterState::Entry* standing = state.find(Kind::setting, grant.key());
  if (standing != nullptr && standing->value == grant.to_json()) {
    return there_already(fmt::format("{} has the role {}{} already", to_text(request.grantee), to_text(request.role), where(request.vm)), "hvctl grant list");
  }
  // What is under the key was given for another VM of that name, which is gone.
  Mutation put = put_new(grant);
  put.expected_revision = state.revision(Kind::setting, grant.key());
  changes.mutations.push_back(std::move(put));
  return changes;
}

Result<Changes> remove_grant(const ClusterState& state, const requests::Grant& request) {
  GrantRecord grant{request.grantee, request.role, {}};
  if (request.vm) grant.vm = GrantedVm{*request.vm, ""};
  if (state.find(Kind::setting, grant.key()) == nullptr) {
    return Error(ErrorCode::not_found, fmt::format("{} was not given the role {}{}", to_text(request.grantee), to_text(request.role), where(request.vm))).with_safe("nothing was changed").with_next("hvctl grant list");
  }
  Changes changes;
  changes.summary = fmt::format("{} has the role {}{} no more", to_text(request.grantee), to_text(request.role), where(request.vm));
  changes.mutations.push_back(erase_at(state, Kind::setting, grant.key()));
  return changes;
}

}  // namespace mcv::access
