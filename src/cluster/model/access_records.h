// SPDX-License-Identifier: Apache-2.0
// Who may use the cluster, as shared configuration: users, groups and grants. They are settings of their own ("user/NAME",
// "group/NAME", "grant/..."), so that no format is needed and nothing is there while unused (docs/formats.md). What they allow is
// decided in cluster/access.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/model/cluster_state.h"

namespace mcv {

/// Each includes those before it.
enum class Role { viewer, operate, owner, administrator };
std::string_view to_text(Role role);
Result<Role> role_from_text(std::string_view text);

/// An account of the nodes that may be given roles; matched by its name alone.
struct UserRecord {
  UserName name;

  std::string key() const;
  Json to_json() const;
  static Result<UserRecord> from_json(const Json& json);
  friend bool operator==(const UserRecord&, const UserRecord&) = default;
};

/// Of this cluster, not of the system.
struct GroupRecord {
  GroupName name;
  std::vector<UserName> members;  ///< each once, in order

  std::string key() const;
  Json to_json() const;
  static Result<GroupRecord> from_json(const Json& json);
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

using Grantee = std::variant<UserName, GroupName>;
/// "user/alice", "group/ops".
std::string to_path(const Grantee& grantee);
/// "alice", "the group ops".
std::string to_text(const Grantee& grantee);

/// Of one VM and no other one that gets its name later.
struct GrantedVm {
  VmName name;
  std::string uuid;
  friend bool operator==(const GrantedVm&, const GrantedVm&) = default;
};

struct GrantRecord {
  Grantee grantee;
  Role role = Role::viewer;
  std::optional<GrantedVm> vm;  ///< nothing: everywhere

  std::string key() const;
  Json to_json() const;
  static Result<GrantRecord> from_json(const Json& json);
  friend bool operator==(const GrantRecord&, const GrantRecord&) = default;
};

std::vector<UserRecord> users(const ClusterState& state);
std::vector<GroupRecord> groups(const ClusterState& state);
std::vector<GrantRecord> grants(const ClusterState& state);
/// Those of one: asked at every request, of however many there are.
std::vector<GrantRecord> grants_to(const ClusterState& state, const Grantee& grantee);
std::optional<GroupRecord> find_group(const ClusterState& state, const GroupName& name);
bool has_user(const ClusterState& state, const UserName& name);
/// The VM is there, and is the one that was meant.
bool is_current(const ClusterState& state, const GrantedVm& vm);

Mutation put_new(const UserRecord& user);
Mutation put_new(const GroupRecord& group);
Mutation put_new(const GrantRecord& grant);
Mutation put_at(const ClusterState& state, const GroupRecord& group);

/// Whether a setting is one of these.
bool is_access_key(const std::string& key);
/// Somebody may do more by it than before: a user, a member or a grant is added.
bool gives_access(const ClusterState& before, const Mutation& mutation);
/// For ClusterState::apply: the value is what its key says.
Status check_access_value(const std::string& key, const Json& value);
/// The same, after the whole change: nobody is granted to, or member, who is not there; nobody goes who is.
Status check_access_references(const ClusterState& after, const Mutation& mutation);

}  // namespace mcv
