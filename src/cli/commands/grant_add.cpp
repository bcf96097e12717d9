// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/roles.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_grant_add(Session& session, const Arguments& arguments) {
  MCV_TRY(const Json body, grant_body(arguments));
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/grants", {}, body));
  return session.finish(outcome, fmt::format("{}.", grant_text(arguments)));
}

}  // namespace

Command grant_add() {
  return {.name = "grant add",
          .summary = "give a role to a user or a group",
          .details = "Each role includes those before it. viewer: see VMs, and what they stand on. operator: start, stop, kill, reset, migrate and verify VMs, and use their consoles. owner: "
                     "change, repair and delete them; given everywhere also: create them. administrator: everything, as root; always everywhere.\n\n"
                     "A role for one VM goes with the VM: another one that gets its name later is not covered. Boot files of the host (--kernel, --initramfs, --firmware) and starting a VM "
                     "whatever a verify said stay with administrators.",
          .options = grant_options(),
          .routes = {{"POST", "/v1/grants"}},
          .examples = {"hvctl grant add --user alice --role operator --vm vm1", "hvctl grant add --group ops --role viewer"},
          .run = run_grant_add};
}

}  // namespace mcv::cli::commands
