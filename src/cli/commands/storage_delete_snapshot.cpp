// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete_snapshot(Session& session, const Arguments& arguments) {
  for (const std::string& name : arguments.names()) {
    MCV_CHECK(confirm_typed(session, fmt::format("This deletes {}, what a repair has overwritten, for good.", name), name));
  }
  const auto submit = [&](const std::string& name) { return session.submit("DELETE", "/v1/snapshots/{name}", {name}); };
  return session.each(arguments.names(), Completes::snapshot, submit, [](const std::string& name) { return fmt::format("The snapshot {} is gone.", name); });
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
