// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/console.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_start(Session& session, const Arguments& arguments) {
  if (arguments.has("--attach") && (arguments.names().size() > 1 || !session.globals().wait || session.globals().dry_run)) {
    return Error(ErrorCode::bad_request, "--attach goes with one VM, and neither with --no-wait nor with --dry-run").with_safe("nothing was asked of mcvd").with_next("hvctl vm start --attach VM");
  }
  Json body = Json::object();
  if (arguments.has("--override")) body["override"] = {{"reason", arguments.value("--override")}};
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/start", {name}, body); };
  MCV_TRY(const int code, session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} runs.", name); }));
  if (code != 0 || !arguments.has("--attach")) return code;
  return run_console(session, arguments.name(), default_replay);
}

}  // namespace

Command vm_start() {
  return {.name = "vm start",
          .summary = "start VMs",
          .details = "Everything that could go wrong is checked first; a refusal names the check and what helps. A VM whose last verify found differences does not start: "
                     "--override starts it all the same, and its reason is kept.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--attach", .help = "go to the console afterwards"},
                      {.name = "--override", .value = "REASON", .help = "start in spite of a failed verify"}},
          .also = {"start"},
          .routes = {{"POST", "/v1/vms/{name}/start"}, {"GET", "/v1/vms/{name}/console"}},
          .examples = {"hvctl vm start vm1", "hvctl vm start vm1 vm2 vm3", "hvctl vm start --attach vm1"},
          .run = run_vm_start};
}

}  // namespace mcv::cli::commands
