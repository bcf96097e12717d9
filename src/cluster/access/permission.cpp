// SPDX-License-Identifier: Apache-2.0
#include "cluster/access/permission.h"

#include <array>
#include <fmt/format.h>
#include <map>

namespace mcv::access {
namespace {

enum class Held { vm, cluster };
enum class Least { none, viewer, operate, owner, administrator };

struct Row {
  Permission permission;
  std::string_view text;
  Held held;
  Least least;
};

constexpr std::array rows = {
#define MCV_PERMISSION(identifier, text, where, role) Row{Permission::identifier, text, Held::where, Least::role},
#include "cluster/access/permissions.def"
#undef MCV_PERMISSION
};

const Row& row_of(Permission permission) { return rows[static_cast<std::size_t>(permission)]; }

}  // namespace

std::string_view to_text(Permission permission) { return row_of(permission).text; }

Result<Permission> permission_from_text(std::string_view text) {
  for (const Row& row : rows) {
    if (row.text == text) return row.permission;
  }
  return Error(ErrorCode::not_found, fmt::format("there is no permission '{}'", text.substr(0, 60))).with_next("hvctl explain permission --help lists them");
}

const std::vector<Permission>& all_permissions() {
  static const std::vector<Permission> list = [] {
    std::vector<Permission> made;
    for (const Row& row : rows) made.push_back(row.permission);
    return made;
  }();
  return list;
}

std::optional<Role> least_role(Permission permission) {
  switch (row_of(permission).least) {
    case Least::none: return std::nullopt;
    case Least::viewer: return Role::viewer;
    case Least::operate: return Role::operate;
    case Least::owner: return Role::owner;
    case Least::administrator: return Role::administrator;
  }
  return Role::administrator;
}

bool includes(Role role, Permission permission) {
  const auto least = least_role(permission);
  return !least || static_cast<int>(role) >= static_cast<int>(*least);
}

bool can_be_held_for_one_vm(Permission permission) { return row_of(permission).held == Held::vm; }

std::optional<Permission> permission_of_operation(std::string_view kind) {
  static const std::map<std::string_view, Permission> table = {
      {"vm-create", Permission::vm_create},       {"vm-delete", Permission::vm_delete},         {"vm-start", Permission::vm_start},
      {"vm-takeover", Permission::vm_start},      {"vm-stop", Permission::vm_stop},             {"vm-kill", Permission::vm_kill},
      {"vm-reset", Permission::vm_reset},         {"vm-migrate", Permission::vm_migrate},       {"vm-resync", Permission::vm_resync},
      {"vm-attach", Permission::vm_resync},       {"orphan-delete", Permission::storage_delete},
      {"late-delete", Permission::storage_delete},
      {"vm-replicate", Permission::vm_update},    {"vm-localise", Permission::vm_update},
      {"resync-follow", Permission::vm_resync},   {"verify", Permission::vm_verify},            {"storage-create", Permission::storage_create},
      {"storage-delete", Permission::storage_delete}, {"drbd-enable", Permission::drbd_enable}, {"cluster-add-node", Permission::cluster_add_node},
      {"cluster-remove-node", Permission::cluster_remove_node},
  };
  const auto found = table.find(kind);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

}  // namespace mcv::access
