// SPDX-License-Identifier: Apache-2.0
#include "cluster/access/decision.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::access {
namespace {

std::string where_text(const Scope& scope) {
  if (const VmName* vm = scope.vm()) return " on " + vm->str();
  return scope.is_somewhere() ? " on any VM" : " everywhere";
}

std::string held_text(const HeldRole& held) {
  std::string text = fmt::format("{}{}", to_text(held.role), held.vm ? " on " + held.vm->str() : " everywhere");
  if (held.through) text += fmt::format(" (through the group {})", held.through->str());
  return text;
}

std::string list_text(const std::vector<HeldRole>& roles) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, roles.size()); ++i) text += (text.empty() ? "" : ", ") + held_text(roles[i]);
  if (roles.size() > shown) text += fmt::format(" and {} more", roles.size() - shown);
  return text;
}

bool reaches(const HeldRole& held, Permission permission, const Scope& scope) {
  if (!includes(held.role, permission)) return false;
  if (!held.vm) return true;
  if (!can_be_held_for_one_vm(permission)) return false;
  if (scope.is_somewhere()) return true;
  return scope.vm() != nullptr && *scope.vm() == *held.vm;
}

/// What an administrator would type so that it is allowed.
std::string grant_command(const UserName& user, Role role, Permission permission, const Scope& scope) {
  const std::string base = fmt::format("hvctl grant add --user {} --role {}", user.str(), to_text(role));
  if (role == Role::administrator || !can_be_held_for_one_vm(permission) || scope.is_cluster()) return base;
  return fmt::format("{} --vm {}", base, scope.vm() != nullptr ? scope.vm()->str() : "VM");
}

Decision refuse(std::string reason, std::string next) { return {false, std::move(reason), std::move(next)}; }

Decision without_role(const ClusterState& state, const UserName& user, Permission permission, const Scope& scope, const std::vector<HeldRole>& roles) {
  if (!has_user(state, user)) {
    return refuse(fmt::format("{} is no user of this cluster", user.str()), fmt::format("an administrator types: hvctl user add {}", user.str()));
  }
  const Role least = least_role(permission).value_or(Role::viewer);
  const bool only_everywhere = !can_be_held_for_one_vm(permission);
  const std::string takes = fmt::format("'{}'{} takes the role {}{}", to_text(permission), only_everywhere ? "" : where_text(scope), to_text(least), only_everywhere ? " everywhere" : "");
  const std::string has = roles.empty() ? "no role" : list_text(roles);
  return refuse(fmt::format("{}, and {} has {}", takes, user.str(), has), fmt::format("an administrator types: {}", grant_command(user, least, permission, scope)));
}

}  // namespace

std::string to_text(const Identity& identity) {
  if (identity.is_root()) return "root";
  return identity.name ? identity.name->str() : fmt::format("uid {}", identity.uid);
}

Status Decision::to_status() const {
  if (allowed) return success();
  return Error(ErrorCode::permission_denied, reason).with_safe("nothing was done").with_next(next);
}

Decision may(const ClusterState& state, const Identity& who, Permission permission, const Scope& scope) {
  if (who.is_root()) return {true, "root may do everything", ""};
  if (!who.name) return refuse(fmt::format("{} has no name on this node that could be a user's", to_text(who)), "hvctl whoami");
  if (!least_role(permission)) return {true, fmt::format("'{}' takes no role", to_text(permission)), ""};
  const std::vector<HeldRole> roles = roles_of(state, who);
  const auto found = std::find_if(roles.begin(), roles.end(), [&](const HeldRole& held) { return reaches(held, permission, scope); });
  if (found != roles.end()) return {true, fmt::format("{} has the role {}, which includes '{}'", who.name->str(), held_text(*found), to_text(permission)), ""};
  return without_role(state, *who.name, permission, scope, roles);
}

std::vector<HeldRole> roles_of(const ClusterState& state, const Identity& who) {
  std::vector<HeldRole> roles;
  if (who.is_root() || !who.name || !has_user(state, *who.name)) return roles;
  const auto add = [&](const Grantee& grantee, const std::optional<GroupName>& through) {
    for (const GrantRecord& grant : grants_to(state, grantee)) {
      if (grant.vm && !is_current(state, *grant.vm)) continue;
      roles.push_back({grant.role, grant.vm ? std::optional(grant.vm->name) : std::nullopt, through});
    }
  };
  for (const GroupRecord& group : groups(state)) {
    if (std::find(group.members.begin(), group.members.end(), *who.name) != group.members.end()) add(group.name, group.name);
  }
  add(*who.name, std::nullopt);
  // What reaches farthest is named first.
  std::stable_sort(roles.begin(), roles.end(), [](const HeldRole& a, const HeldRole& b) {
    if (a.vm.has_value() != b.vm.has_value()) return !a.vm.has_value();
    return static_cast<int>(a.role) > static_cast<int>(b.role);
  });
  return roles;
}

Sight::Sight(const ClusterState& state, const Identity& who, Permission permission) {
  if (who.is_root()) {
    everything_ = true;
    return;
  }
  for (const HeldRole& held : roles_of(state, who)) {
    if (!includes(held.role, permission)) continue;
    if (!held.vm) everything_ = true;
    else if (can_be_held_for_one_vm(permission)) vms_.insert(*held.vm);
  }
}

}  // namespace mcv::access
