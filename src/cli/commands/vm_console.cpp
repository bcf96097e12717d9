// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "cli/commands/commands.h"
#include "cli/console.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_vm_console(Session& session, const Arguments& arguments) {
  std::uint64_t replay = default_replay;
  if (arguments.value("--replay") == "0") replay = 0;
  else if (arguments.has("--replay")) {
    MCV_TRY(const Bytes size, parse_size("--replay", arguments.value("--replay")));
    replay = size.count();
  }
  return run_console(session, arguments.name(), replay);
}

}  // namespace

Command vm_console() {
  return {.name = "vm console",
          .summary = "attach to a VM's serial console",
          .details = "First the latest output is shown (boot messages included), then the terminal is the guest's, from whichever node it is typed on. Ctrl-] leaves it; "
                     "the VM goes on. Any number of viewers may be attached at a time.",
          .operands = {.name = "VM", .min = 1, .max = 1, .completes = Completes::vm},
          .options = {{.name = "--replay", .value = "SIZE", .help = "how much earlier output to show, 64K unless given, 0 for none"}},
          .also = {"console"},
          .routes = {{"GET", "/v1/vms/{name}/console"}},
          .examples = {"hvctl vm console vm1"},
          .run = run_vm_console};
}

}  // namespace mcv::cli::commands
