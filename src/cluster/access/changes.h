// SPDX-License-Identifier: Apache-2.0
// Users, groups and grants as changes of the shared configuration. Pure; every reason to refuse is here or in apply().
#pragma once

#include <string>
#include <vector>

#include "cluster/model/access_records.h"
#include "cluster/model/cluster_state.h"
#include "cluster/requests/access_requests.h"

namespace mcv::access {

/// Some changes, and what they are for people.
struct Changes {
  std::string summary;
  std::vector<Mutation> mutations;
};

Result<Changes> add_user(const ClusterState& state, const requests::AddUser& request);
/// With its memberships and grants: a later account of that name starts with nothing.
Result<Changes> remove_user(const ClusterState& state, const UserName& user);
Result<Changes> create_group(const ClusterState& state, const requests::CreateGroup& request);
/// With its grants.
Result<Changes> delete_group(const ClusterState& state, const GroupName& group);
Result<Changes> add_member(const ClusterState& state, const GroupName& group, const UserName& user);
Result<Changes> remove_member(const ClusterState& state, const GroupName& group, const UserName& user);
Result<Changes> add_grant(const ClusterState& state, const requests::Grant& request);
Result<Changes> remove_grant(const ClusterState& state, const requests::Grant& request);

}  // namespace mcv::access
