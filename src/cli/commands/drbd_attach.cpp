// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_drbd_attach(Session& session, const Arguments& arguments) {
  const std::string& vm = arguments.name();
  Json body = Json::object();
  if (arguments.has("--disk")) body["volumes"] = arguments.values("--disk");
  MCV_TRY(const Outcome begun, session.change("POST", "/v1/vms/{name}/attach", {vm}, body));
  if (begun.kind != Outcome::Kind::ended || session.json()) return session.finish(begun, "");
  MCV_TRY(const int code, session.finish(begun, "Attached; what was written meanwhile is being copied to it."));
  if (code != 0) return code;
  MCV_TRY(const Outcome copied, session.change("POST", "/v1/vms/{name}/resync/follow", {vm}, Json::object()));
  return session.finish(copied, fmt::format("The copies of {} are up to date.", vm));
}

}  // namespace

Command drbd_attach() {
  return {.name = "drbd attach",
          .summary = "attach a disk again that DRBD gave up, and copy to it what it missed",
          .details = "DRBD gives a disk up at its first error: the device below it failed, or its storage pool is full. The guest goes on with the other copy, and the one that was "
                     "given up is opened for nobody, also after a reboot, until it is equal again. hvctl drbd list and hvctl info name the disk and the node. Mend the cause first: the "
                     "command is refused while the pool has no room. The VM runs on meanwhile.\n\n"
                     "Ctrl-C while the copy runs ends the waiting; the copy goes on, and hvctl resync --follow VM waits for it again.",
          .operands = {.name = "VM", .min = 1, .max = 1, .completes = Completes::vm},
          .options = {{.name = "--disk", .value = "DISK", .help = "only this one of its disks", .repeatable = true, .completes = Completes::disk}},
          .routes = {{"POST", "/v1/vms/{name}/attach"}, {"POST", "/v1/vms/{name}/resync/follow"}},
          .examples = {"hvctl drbd attach vm1"},
          .run = run_drbd_attach};
}

}  // namespace mcv::cli::commands
