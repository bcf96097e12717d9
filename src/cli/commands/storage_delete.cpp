// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& name) { return fmt::format("This removes the storage pool {} from every node.", name); };
  const auto done = [](const std::string& name) { return fmt::format("Storage pool {} is gone.", name); };
  return delete_confirmed(session, arguments.names(), Completes::pool, "/v1/storage/{name}", question, done);
}

}  // namespace

Command storage_delete() {
  return {.name = "storage delete",
          .summary = "remove storage pools that hold no disks",
          .operands = {.name = "NAME", .min = 1, .max = any_number, .completes = Completes::pool},
          .also = {"storage rm"},
          .routes = {{"DELETE", "/v1/storage/{name}"}},
          .examples = {"hvctl storage delete fast"},
          .run = run_storage_delete};
}

}  // namespace mcv::cli::commands
