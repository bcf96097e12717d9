// SPDX-License-Identifier: Apache-2.0
// The bodies of requests about users, groups and grants. Decoding is strict: an unknown field is an error.
#pragma once

#include <optional>

#include "cluster/core/json.h"
#include "cluster/model/access_records.h"

namespace mcv::requests {

struct AddUser {
  UserName name;
};
Result<AddUser> add_user(const Json& body);

struct CreateGroup {
  GroupName name;
};
Result<CreateGroup> create_group(const Json& body);

struct AddMember {
  UserName user;
};
Result<AddMember> add_member(const Json& body);

/// To be given or taken back.
struct Grant {
  Grantee grantee;
  Role role = Role::viewer;
  std::optional<VmName> vm;  ///< everywhere when not given
};
Result<Grant> grant(const Json& body);

}  // namespace mcv::requests
