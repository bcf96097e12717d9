// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_delete(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& name) { return fmt::format("This deletes the VM {} and all its disks, wherever they are. There is no way back.", name); };
  const auto done = [](const std::string& name) { return fmt::format("VM {} is deleted.", name); };
  return delete_confirmed(session, arguments.names(), Completes::vm, "/v1/vms/{name}", question, done);
}

}  // namespace

Command vm_delete() {
  return {.name = "vm delete",
          .summary = "delete stopped VMs with their disks",
          .details = "Asks to type each name; --yes answers for scripts.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .also = {"delete", "vm rm"},
          .routes = {{"DELETE", "/v1/vms/{name}"}},
          .examples = {"hvctl vm delete vm1"},
          .run = run_vm_delete};
}

}  // namespace mcv::cli::commands
