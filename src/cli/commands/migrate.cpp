// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_migrate(Session& session, const Arguments& arguments) {
  const std::string node = arguments.value("--node");
  Json body = {{"node", node}, {"wait_for_shutdown", arguments.has("--wait-for-shutdown")}, {"start_after_migration", arguments.has("--start-after-migration")}};
  if (arguments.has("--timeout")) {
    if (!arguments.has("--wait-for-shutdown")) return Error(ErrorCode::bad_request, "--timeout goes with --wait-for-shutdown").with_safe("nothing was asked of mcvd");
    MCV_TRY(body["timeout_seconds"], parse_seconds("--timeout", arguments.value("--timeout")));
  }
  const bool start = arguments.has("--start-after-migration");
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/migrate", {name}, body); };
  return session.each(arguments.names(), Completes::vm, submit, [&](const std::string& name) { return fmt::format("VM {} is on {}{}.", name, node, start ? " and runs" : ""); });
}

}  // namespace

Command migrate() {
  return {.name = "migrate",
          .summary = "move VMs to the other node",
          .details = "A stopped VM moves at once. A running one is refused unless --wait-for-shutdown is given: the guest is then left to itself until someone shuts it "
                     "down from inside, and moves in that moment. Both disks must be up to date and the last verify must not have found differences.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--node", .value = "NODE", .help = "where to", .required = true, .completes = Completes::node},
                      {.name = "--wait-for-shutdown", .help = "wait until the guest has shut down"},
                      {.name = "--timeout", .value = "TIME", .help = "give up waiting after this time: 90, 5m, 12h"},
                      {.name = "--start-after-migration", .help = "start it there"}},
          .also = {"vm migrate"},
          .routes = {{"POST", "/v1/vms/{name}/migrate"}},
          .examples = {"hvctl migrate --node B vm1", "hvctl migrate --node B vm1 --wait-for-shutdown --start-after-migration"},
          .run = run_migrate};
}

}  // namespace mcv::cli::commands
