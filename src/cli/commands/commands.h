// SPDX-License-Identifier: Apache-2.0
// One function a command, each in the file of its name. `all()` decides the order of help and manual.
#pragma once

#include <vector>

#include "cli/command.h"

namespace mcv::cli::commands {

Command info();
Command node_init();
Command node_list();
Command node_leave();
Command node_set_ip_address();
Command node_set_drbd_address();
Command cluster_add_node();
Command cluster_get_connect_string();
Command cluster_confirm_down();
Command cluster_join();
Command cluster_accept_copy();
Command cluster_diverged();
Command cluster_change();
Command cluster_update();
Command cluster_upgrade_format();
Command cluster_remove_node();
Command storage_create();
Command storage_list();
Command storage_delete();
Command storage_list_quarantined();
Command storage_delete_quarantined();
Command storage_list_snapshots();
Command storage_delete_snapshot();
Command storage_list_orphans();
Command storage_delete_orphan();
Command drbd_enable();
Command drbd_list();
Command drbd_attach();
Command network_create();
Command network_list();
Command network_delete();
Command vm_create();
Command vm_list();
Command vm_info();
Command vm_start();
Command vm_stop();
Command vm_kill();
Command vm_reset();
Command vm_console();
Command vm_update();
Command vm_delete();
Command migrate();
Command verify();
Command resync();
Command op_list();
Command op_show();
Command op_watch();
Command op_cancel();
Command op_retry();
Command user_add();
Command user_remove();
Command user_list();
Command group_create();
Command group_delete();
Command group_add();
Command group_remove();
Command group_list();
Command grant_add();
Command grant_remove();
Command grant_list();
Command whoami();
Command explain_permission();
Command audit();

/// Asks before run-alone, and says what it may lose; refuses any other word than the two.
Status confirm_peer_loss(Session& session, const std::string& policy);

std::vector<Command> all();

}  // namespace mcv::cli::commands
