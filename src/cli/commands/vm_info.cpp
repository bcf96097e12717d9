// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/commands/views.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_info(Session& session, const Arguments& arguments) { return show_vm(session, arguments.name()); }

}  // namespace

Command vm_info() {
  return {.name = "vm info",
          .summary = "show everything about a VM",
          .operands = {.name = "VM", .min = 1, .max = 1, .completes = Completes::vm},
          .also = {"vm show"},
          .routes = {{"GET", "/v1/vms/{name}"}},
          .examples = {"hvctl vm info vm1"},
          .run = run_vm_info};
}

}  // namespace mcv::cli::commands
