// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_kill(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/kill", {name}); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} is killed.", name); });
}

}  // namespace

Command vm_kill() {
  return {.name = "vm kill",
          .summary = "stop VMs at once, as if the power failed",
          .details = "The guest is not asked. What it had not written to its disk is lost.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .routes = {{"POST", "/v1/vms/{name}/kill"}},
          .examples = {"hvctl vm kill vm1"},
          .run = run_vm_kill};
}

}  // namespace mcv::cli::commands
