// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"

namespace mcv::cli::commands {

std::vector<Command> all() {
  return {info(),           node_init(),      node_list(),   node_leave(), node_set_ip_address(), node_set_drbd_address(), cluster_add_node(), cluster_get_connect_string(), cluster_confirm_down(), cluster_accept_copy(), cluster_diverged(), cluster_change(), cluster_update(), cluster_upgrade_format(), cluster_join(), cluster_remove_node(),
          storage_create(), storage_list(),   storage_delete(), storage_list_quarantined(), storage_delete_quarantined(), storage_list_snapshots(), storage_delete_snapshot(), storage_list_orphans(), storage_delete_orphan(), drbd_enable(),      drbd_list(),             drbd_attach(),      network_create(),   network_list(),
          network_delete(), vm_create(),      vm_list(),     vm_info(),             vm_start(),              vm_stop(),          vm_kill(),
          vm_reset(),       vm_console(),     vm_update(),   vm_delete(),           migrate(),               verify(),           resync(),           op_list(),
          op_show(),        op_watch(),       op_cancel(),      op_retry(),
          user_add(), user_remove(), user_list(), group_create(), group_delete(), group_add(), group_remove(), group_list(), grant_add(), grant_remove(), grant_list(), whoami(), explain_permission(), audit()};
}

}  // namespace mcv::cli::commands
