// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/commands/views.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_info(Session& session, const Arguments& arguments) { return show_vms(session, arguments.names()); }

}  // namespace

Command vm_info() {
  return {.name = "vm info",
          .summary = "show everything about VMs",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .also = {"vm show"},
          .routes = {{"GET", "/v1/vms/{name}"}},
          .examples = {"hvctl vm info vm1", "hvctl vm info vm1 vm2"},
          .run = run_vm_info};
}

}  // namespace mcv::cli::commands
