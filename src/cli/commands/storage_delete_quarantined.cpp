// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete_quarantined(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& name) { return fmt::format("This deletes the copy {} on this node for good.", name); };
  const auto done = [](const std::string& name) { return fmt::format("The copy {} is gone.", name); };
  return delete_confirmed(session, arguments.names(), Completes::quarantined, "/v1/quarantine/{name}", question, done);
}

}  // namespace

Command storage_delete_quarantined() {
  return {.name = "storage delete-quarantined",
          .summary = "delete copies that this node kept when it was removed from a cluster",
          .operands = {.name = "NAME", .min = 1, .max = any_number, .completes = Completes::quarantined},
          .routes = {{"DELETE", "/v1/quarantine/{name}"}},
          .examples = {"hvctl storage delete-quarantined mcvq-A-17-vm1-0"},
          .run = run_storage_delete_quarantined};
}

}  // namespace mcv::cli::commands
