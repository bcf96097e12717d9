// SPDX-License-Identifier: Apache-2.0
// The permissions there are. Each is held by root, and by whom a role that includes it was given.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/model/access_records.h"

namespace mcv::access {

enum class Permission {
#define MCV_PERMISSION(identifier, text, where, role) identifier,
#include "cluster/access/permissions.def"
#undef MCV_PERMISSION
};

/// "vm.start"
std::string_view to_text(Permission permission);
/// `not_found` for a word that is none.
Result<Permission> permission_from_text(std::string_view text);
const std::vector<Permission>& all_permissions();

/// The weakest role that includes it; nothing: every account has it.
std::optional<Role> least_role(Permission permission);
bool includes(Role role, Permission permission);
/// Whether a role for one VM includes it there.
bool can_be_held_for_one_vm(Permission permission);

/// What carries on, or ends, an operation of this kind (Plan::kind); nothing for a kind that is nobody's but the cluster's.
std::optional<Permission> permission_of_operation(std::string_view kind);

}  // namespace mcv::access
