// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_reset(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/reset", {name}); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} was reset.", name); });
}

}  // namespace

Command vm_reset() {
  return {.name = "vm reset",
          .summary = "restart VMs at once, as a reset button does",
          .details = "The guest is not asked. What it had not written to its disk is lost.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .routes = {{"POST", "/v1/vms/{name}/reset"}},
          .examples = {"hvctl vm reset vm1"},
          .run = run_vm_reset};
}

}  // namespace mcv::cli::commands
