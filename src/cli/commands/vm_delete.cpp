// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_delete(Session& session, const Arguments& arguments) {
  for (const std::string& name : arguments.names()) {
    MCV_CHECK(confirm_typed(session, fmt::format("This deletes the VM {} and all its disks, wherever they are. There is no way back.", name), name));
  }
  const auto submit = [&](const std::string& name) { return session.submit("DELETE", "/v1/vms/{name}", {name}); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} is deleted.", name); });
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
