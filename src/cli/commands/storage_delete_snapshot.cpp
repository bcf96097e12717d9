// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete_snapshot(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& name) { return fmt::format("This deletes {}, what a repair has overwritten, for good.", name); };
  const auto done = [](const std::string& name) { return fmt::format("The snapshot {} is gone.", name); };
  return delete_confirmed(session, arguments.names(), Completes::snapshot, "/v1/snapshots/{name}", question, done);
}

}  // namespace

Command storage_delete_snapshot() {
  return {.name = "storage delete-snapshot",
          .summary = "delete what a repair has overwritten before a verify does",
          .operands = {.name = "NAME", .min = 1, .max = any_number, .completes = Completes::snapshot},
          .routes = {{"DELETE", "/v1/snapshots/{name}"}},
          .examples = {"hvctl storage delete-snapshot mcvs-A-17-vm1-0"},
          .run = run_storage_delete_snapshot};
}

}  // namespace mcv::cli::commands
