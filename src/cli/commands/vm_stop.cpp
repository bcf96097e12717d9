// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_stop(Session& session, const Arguments& arguments) {
  Json body = Json::object();
  if (arguments.has("--timeout")) {
    MCV_TRY(body["timeout_seconds"], parse_seconds("--timeout", arguments.value("--timeout")));
  }
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/stop", {name}, body); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} is stopped.", name); });
}

}  // namespace

Command vm_stop() {
  return {.name = "vm stop",
          .summary = "ask the guests to shut down, and wait for it",
          .details = "A guest that has not shut down within the time keeps running; the answer then names the choices. Nothing is killed.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--timeout", .value = "TIME", .help = "how long to wait: 90 seconds unless given, or 5m"}},
          .also = {"stop"},
          .routes = {{"POST", "/v1/vms/{name}/stop"}},
          .examples = {"hvctl vm stop vm1", "hvctl vm stop vm1 vm2 --timeout 5m"},
          .run = run_vm_stop};
}

}  // namespace mcv::cli::commands
